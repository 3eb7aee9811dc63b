// What the trials of one case come to: a row for every model and variant, a spread over rounds for every metric. Only
// trials that are ok contribute a number; every other is counted by its state.

import ResultFormat
import Statistics
import Workloads

/// One metric of one row.
struct MetricSummary: Sendable {
  let spread: Spread
  /// Of the median.
  let interval: Result<Interval, NoInterval>
  /// That which at least half of the trials have.
  let standing: Standing
  /// Whether no trial has another.
  let isUnanimous: Bool
  var isBest = false

  /// - Returns: nil without a value.
  init?(_ values: [Double], _ standings: [Standing]) {
    guard let spread = Spread(values) else { return nil }
    self.spread = spread
    // With 1,999 resamples the 2.5 % beyond either end are known to ± 0.4 %, and rounds are few order statistics anyway.
    interval = medianInterval(values, resamples: 1_999)
    standing = Standing(mostOf: standings)
    isUnanimous = Set(standings).count <= 1
  }

  var hasInterval: Bool { (try? interval.get()) != nil }

  /// The ends of the interval, without one the lowest and the highest round; nil for a single round.
  var range: (low: Double, high: Double)? {
    if let interval = try? interval.get() { return (interval.low, interval.high) }
    return spread.count > 1 ? (spread.minimum, spread.maximum) : nil
  }
}

/// One model on one case, or one variant of it.
struct RowSummary: Sendable {
  let model: PlannedModel
  /// Trials that the plan has for it; those that an interruption left out are in no state.
  let planned: Int
  let trials: [Trial]
  /// By metric key.
  var metrics: [String: MetricSummary]

  var name: String { model.variant.map { "\(model.name) (\($0))" } ?? model.name }
  func count(_ state: TrialState) -> Int { trials.count { $0.state == state } }

  /// `ok`, or `2 of 3 ok, 1 crashed`, or `limit at 31,872`.
  var state: String {
    let ok = count(.ok)
    if ok == planned { return "ok" }
    let others = TrialState.allCases.filter { $0 != .ok && count($0) > 0 }
    let missing = planned - trials.count
    if others.count == 1, missing == 0, ok == 0 {
      let reached = trials.compactMap(\.reached).max().map { " at \(grouped($0))" } ?? ""
      return others[0].rawValue + reached
    }
    var parts = ["\(ok) of \(planned) ok"] + others.map { "\(count($0)) \($0.rawValue)" }
    if missing > 0 { parts.append("\(missing) not run") }
    return parts.joined(separator: ", ")
  }

  /// Whether it may be called the best of a column. A variant deviates from the contract.
  var competes: Bool { model.variant == nil && hasNoFailure }
}

/// What sets the pace of a case, which decides what its figures can say.
enum Drive: Sendable {
  /// The rig, at a rate of its own: cost and latency are compared, throughput is what was offered.
  case openLoop
  /// The rig, each connection as fast as it is answered.
  case closedLoop
  /// The model itself, as fast as it goes.
  case flatOut
  /// The model itself, at the rate that the contract sets.
  case paced

  init(_ planned: PlannedCase, _ workload: Workload?, _ trials: [Trial]) {
    let load = planned.parameters["load"]?.description
    let figures = trials.compactMap(\.figures)
    let isServed = workload?.isServed ?? (figures.isEmpty || figures.contains { $0.rig != nil })
    guard isServed else {
      self = load == "paced" ? .paced : .flatOut
      return
    }
    let isOpen = load.map { $0 != "closed" } ?? figures.contains { $0.offeredPerSecond != nil }
    self = isOpen ? .openLoop : .closedLoop
  }

  var isServed: Bool { self == .openLoop || self == .closedLoop }
  /// Whether every row is asked for the same operations a second.
  var isAtFixedRate: Bool { self == .openLoop || self == .paced }

  var words: String {
    switch self {
    case .openLoop: "open loop"
    case .closedLoop: "closed loop"
    case .flatOut: "in-process, as fast as it goes"
    case .paced: "in-process, paced"
    }
  }
}

/// One case of a run.
struct CaseSummary: Sendable {
  let planned: PlannedCase
  /// Nil for a workload that this build does not know.
  let workload: Workload?
  let drive: Drive
  let metrics: [Metric]
  let rows: [RowSummary]
  let resolution: CaseResolution

  /// The operation's noun: `request`.
  let noun: String

  /// - Parameter calibration: of the run's host, if there is one.
  init(_ planned: PlannedCase, of run: Run, calibration: HostResolution? = nil) {
    self.planned = planned
    workload = try? Workload.named(planned.workload)
    let trials = run.trials.filter { $0.case == planned.name }
    drive = Drive(planned, workload, trials)
    noun = Self.noun(workload?.operation ?? "operation")
    metrics = Metric.all(drive, noun: noun, trials: trials)

    var rows: [RowSummary] = []
    for model in run.plan.models {
      let count = run.plan.trials.count {
        $0.case == planned.name && $0.model == model.name && $0.variant == model.variant
      }
      guard count > 0 else { continue }
      let own = trials.filter { $0.model == model.name && $0.variant == model.variant }
      rows.append(
        RowSummary(
          model: model, planned: count, trials: own.sorted { ($0.round, $0.number) < ($1.round, $1.number) },
          metrics: Self.summaries(of: own, metrics)))
    }
    for metric in metrics { Self.markBest(metric, in: &rows) }
    self.rows = rows
    resolution = CaseResolution(metrics, rows, planned, of: run, calibration)
  }

  /// `request` of "answered request", `unit` of "unit created, run and joined".
  static func noun(_ operation: String) -> String {
    let words = operation.split(separator: " ")
    return (words.count > 2 ? words.first : words.last).map(String.init) ?? "operation"
  }

  private static func summaries(of trials: [Trial], _ metrics: [Metric]) -> [String: MetricSummary] {
    var summaries: [String: MetricSummary] = [:]
    let good = trials.filter { $0.state == .ok }.sorted { ($0.round, $0.number) < ($1.round, $1.number) }
    for metric in metrics {
      var values: [Double] = []
      var standings: [Standing] = []
      for trial in good {
        guard let figures = trial.figures, let value = metric.value(figures), value.isFinite else { continue }
        values.append(value)
        standings.append(metric.standing(trial, figures))
      }
      summaries[metric.key] = MetricSummary(values, standings)
    }
    return summaries
  }

  /// The best is marked only where all trials of all that compete carry a claim: else an unclaimed one might be it.
  private static func markBest(_ metric: Metric, in rows: inout [RowSummary]) {
    guard let better = metric.better else { return }
    let competitors = rows.indices.filter { rows[$0].competes && rows[$0].metrics[metric.key] != nil }
    let summaries = competitors.compactMap { rows[$0].metrics[metric.key] }
    guard summaries.count > 1, summaries.allSatisfy({ $0.standing == .claimed && $0.isUnanimous }) else { return }
    let medians = summaries.map(\.spread.median)
    guard let best = better == .lower ? medians.min() : medians.max(), medians.contains(where: { $0 != best }) else {
      return
    }
    for index in competitors where rows[index].metrics[metric.key]?.spread.median == best {
      rows[index].metrics[metric.key]?.isBest = true
    }
  }

  /// Parameters that differ from the workload's defaults, as `load=closed`.
  var changes: [String] {
    guard let workload else { return planned.parameters.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" } }
    return workload.parameters.compactMap { parameter in
      // JSON does not tell 2000 from 2000.0: compare in the contract's own form.
      guard let stated = planned.parameters[parameter.name] else { return nil }
      let value = (try? parameter.validate(stated)) ?? stated
      return value == parameter.defaultValue ? nil : "\(parameter.name)=\(stated)"
    }
  }

  /// The rate that an open loop offered, as `2 k/s`: the median over all trials.
  var offered: String? {
    let rates = rows.compactMap { $0.metrics["offeredRate"]?.spread.median }
    guard let rate = median(rates) else { return nil }
    let scale = Unit.rate.scale(for: [rate])
    return "\(trimmed(rate / scale.size)) \(scale.symbol)"
  }
}
