// The report of a capacity search: the capacities of all models in one table, then for each how latency and goodput go
// with the load. The renderers are those of a run.

import ResultFormat

/// The report of a capacity search.
/// - Parameters:
///   - colour: whether the terminal's bold and colour may be used. Nothing is told by them alone.
///   - width: the terminal's columns; nil for a file or a pipe. The other formats do not need it.
public func render(_ result: CapacityResult, as format: ReportFormat, colour: Bool, width: Int?) -> String {
  switch format {
  case .terminal: TerminalRenderer(colour: colour, width: width).render(Document(result))
  case .markdown: MarkdownRenderer().render(Document(result))
  case .json: MachineCapacity(result).text
  }
}

extension CapacityResult {
  /// The host and the models as a run without cases and trials has them: they are told in the same words.
  fileprivate var frame: Run {
    Run(
      environment: environment,
      plan: Plan(
        preset: "capacity", seed: plan.seed, rounds: 1, warmUpSeconds: plan.warmUpSeconds, claims: false, families: [],
        models: models.map(\.model), cases: [], trials: []), trials: [])
  }

  /// Parameters that differ from the workload's defaults, the rate left out.
  fileprivate var changes: [String] {
    var planned = plan.case
    planned.parameters[plan.rateParameter] = nil
    return CaseSummary(planned, of: frame).changes
  }
}

extension Document {
  init(_ result: CapacityResult) {
    let plan = result.plan
    let frame = Document(result.frame)
    let summaries = result.models.map { CapacitySummary($0, of: result) }
    self.init(
      title: "Switchyard: capacity of \(plan.case.name) under \(plan.objective), "
        + "\(result.environment.startedAt.prefix(10))",
      alarms: frame.alarms, notices: Self.notices(plan),
      sections: [Section(summaries, of: result)] + summaries.compactMap { Section($0, plan) },
      legend: Self.capacityLegend(plan), environment: frame.environment, hostWarnings: frame.hostWarnings)
    if result.isInterrupted {
      alarms.append("INTERRUPTED: what is known after \(counted(result.trials.count, "trial")).")
    }
  }

  /// What was searched, and how, as it was declared before the first trial.
  private static func notices(_ plan: CapacityPlan) -> [String] {
    let level = "\(trimmed(plan.level * 100)) %"
    let requests = plan.latencyClass == "all" ? "requests" : "'\(plan.latencyClass)' requests"
    return [
      "Capacity: the offered rate, in open loop, at which half of the trials are sustained. A trial is sustained if "
        + "\(plan.objective.percentile) of the \(requests)' latency, from the intended start, stays below "
        + "\(plan.objective.limit), at least 95 % of what was offered in the window is answered in it, and the oracle "
        + "finds nothing wrong.",
      "Found by doubling and halving to a bracket of \(trimmed((plan.bracketRatio - 1) * 100)) %, each of its rates "
        + "decided by the first verdict that came \(plan.majority) times, then \(plan.staircaseTrials) trials up and "
        + "down its steps (Dixon and Mood); estimate by monotone regression over all trials, \(level) interval by its "
        + "likelihood ratio (Banerjee and Wellner). All models took turns, one trial each. Windows of "
        + "\(trimmed(plan.case.windowSeconds ?? 0)) s in the search and \(trimmed(plan.curveWindowSeconds)) s in the "
        + "curve, after \(trimmed(plan.warmUpSeconds)) s of load.",
    ] + (plan.toleratesBusyHost ? ["Trials on a busy host counted, as was asked for."] : [])
  }

  private static func capacityLegend(_ plan: CapacityPlan) -> [String] {
    [
      "capacity: ≥ where the rig or the parameter's range ended the search before the model did, < where not even the "
        + "lowest rate tried is sustained. Intervals that overlap do not say which model is faster, and no test was made.",
      "interval: its ends are rates that were tried; – where the trials do not bound it on that side.",
      "at \(trimmed(plan.checkShare * 100)) %: trials at that share of the capacity that met the objective, of those "
        + "that tell.",
      "offered: by the schedule; answered: in the window; goodput: requests of the window answered below "
        + "\(plan.objective.limit), per second; good: their share.",
      "~ fewer than 100 samples lie beyond the percentile, or the rig was busy for more than half of the window or at "
        + "its own limit: carries no claim. A percentile with fewer than 10 beyond is left out.",
      "met, missed: of the trials at that load; void: others took too much of the host, so that the trial says nothing of "
        + "the model and was made again. A row shows void ones only where no other was had.",
      "search trials: those of the search, without the curve's. Where several were made at a load, figures are medians.",
    ]
  }
}

extension Document.Section {
  /// All models.
  init(_ summaries: [CapacitySummary], of result: CapacityResult) {
    let plan = result.plan
    let references = summaries.compactMap(\.model.reference)
    let scale = Unit.rate.scale(for: references)
    let columns: [Table.Column] = [
      .init(title: "model", isNumeric: false), .init(title: "capacity", unit: scale.symbol),
      .init(title: "from", unit: scale.symbol), .init(title: "to", unit: scale.symbol),
      .init(title: "at \(trimmed(plan.checkShare * 100)) %", isNumeric: false),
      .init(title: "\(plan.objective.percentile) there", unit: "ms"), .init(title: "rig busy at 100 %", unit: "%"),
      .init(title: "search trials"),
    ]
    func rate(_ value: Double?) -> Cell { value.map { Cell(text: significant($0 / scale.size)) } ?? Cell.none }
    let rows = summaries.map { summary -> [Cell] in
      let check = summary.point(at: plan.checkShare)
      return [
        Cell(text: oneLine(summary.name)), summary.capacityCell(scale.size, lowest: plan.lowestRate),
        rate(summary.model.capacity?.low), rate(summary.model.capacity?.high), Cell(text: summary.checkWords),
        check?.objective.map { Cell(text: $0.text(1e6)) } ?? Cell.none,
        summary.point(at: 1).map { Cell(text: trimmed(($0.rigBusyShare * 100).rounded())) } ?? Cell.none,
        Cell(text: grouped(summary.searchTrials)),
      ]
    }
    let changes = result.changes.isEmpty ? ["all other parameters at their defaults"] : result.changes
    self.init(
      name: plan.case.name, question: "Which rate does each model sustain under \(plan.objective)?",
      setting: ["for \(counted(plan.case.workers, "worker"))"] + changes,
      tables: [
        Table(
          caption: "Capacity under \(plan.objective), open loop · n = search trials · from, to: "
            + "\(trimmed(plan.level * 100)) % interval · resolves steps of \(trimmed((plan.bracketRatio - 1) * 100)) %",
          columns: columns, rows: rows)
      ],
      idioms: summaries.map { (oneLine($0.name), oneLine($0.model.model.idiom)) },
      failures: summaries.flatMap(\.failures), notes: summaries.compactMap(\.ending))
  }

  /// The curve of one model; nil where there is none.
  init?(_ summary: CapacitySummary, _ plan: CapacityPlan) {
    guard !summary.points.isEmpty, let reference = summary.model.reference else { return nil }
    let rates = Unit.rate.scale(for: summary.points.map(\.offered))
    let times = Unit.time.scale(for: summary.points.compactMap(\.p50?.nanoseconds))
    let columns: [Table.Column] = [
      .init(title: "load"), .init(title: "n"), .init(title: "offered", unit: rates.symbol),
      .init(title: "answered", unit: rates.symbol),
      .init(title: "goodput", unit: rates.symbol), .init(title: "good", unit: "%"),
      .init(title: "p50", unit: times.symbol), .init(title: "p99", unit: times.symbol),
      .init(title: "p99.9", unit: times.symbol), .init(title: plan.objective.description, isNumeric: false),
    ]
    func rate(_ value: Double) -> Cell { Cell(text: significant(value / rates.size)) }
    let rows = summary.points.map { point -> [Cell] in
      let percentiles = [point.p50, point.p99, point.p999].map { percentile -> Cell in
        percentile.map { Cell(text: $0.text(times.size)) } ?? Cell.none
      }
      return [
        Cell(text: "\(trimmed(point.share * 100)) %"), Cell(text: "\(point.trials)"), rate(point.offered),
        rate(point.answered), rate(point.goodput),
        // Rounded down: 100 says that all were.
        Cell(text: trimmed((point.goodShare * 1_000).rounded(.down) / 10)),
      ] + percentiles + [Cell(text: point.verdict)]
    }
    let base = summary.model.capacity == nil ? "the highest rate sustained" : "the capacity"
    self.init(
      name: "\(plan.case.name) · \(oneLine(summary.name))",
      question: "How do latency and goodput go with the load?",
      setting: ["100 % is \(base), \(significant(reference)) requests/s"],
      tables: [
        Table(
          caption: "Latency against load · medians of n trials · no intervals, no test", columns: columns, rows: rows)
      ], idioms: [], failures: [],
      notes: [])
  }
}
