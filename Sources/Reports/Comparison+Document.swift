// The comparison for people: the same document that a run's report is, so that the same renderers lay it out.

import ResultFormat
import Statistics
import Workloads

extension Comparison {
  var document: Document {
    Document(
      title: "Switchyard: HEAD against BASE", alarms: alarms, notices: notices, sections: workloads.map(section),
      legend: legend, environment: facts, hostWarnings: hostWarnings)
  }

  // MARK: - Before the tables

  private var notices: [String] {
    var sentences = [describe(base), describe(head)]
    let revisions = [base, head].map { $0.run.environment.revision }
    if revisions[0] == revisions[1] {
      sentences.append(
        revisions[0] == nil
          ? "Neither run knows the revision that it was built from."
          : "Both were built from one revision: what differs is the tree, the host, or chance.")
    }
    sentences.append(
      "Two runs have no rounds in common: what changed on the host between them stands in the ratios as well. To tell "
        + "the two apart, measure both builds in one run, BASE's as guests (run --guest).")
    let indicative = [base, head].filter { !$0.run.plan.claims }.map(\.name)
    if !indicative.isEmpty {
      sentences.append(
        "\(indicative.joined(separator: " and ")) \(indicative.count == 1 ? "is" : "are") indicative by "
          + "\(indicative.count == 1 ? "its" : "their") own plan (quick, or with fewer or shorter rounds than its "
          + "preset): what is found here holds for trials of that length.")
    }
    for side in [base, head] { sentences += Document.history(side.run).map { "\(side.name): \($0)" } }
    sentences.append(tally)
    let worse = regressions
    let scale = threshold.map { " of more than \(trimmed($0 * 100)) %" } ?? ""
    sentences.append(
      worse.isEmpty ? "No regression\(scale) was found." : "\(counted(worse.count, "regression"))\(scale):")
    sentences += worse.map { "• \($0)." }
    sentences += unmatched
    return sentences
  }

  private func describe(_ side: Side) -> String {
    let plan = side.run.plan
    let environment = side.run.environment
    return "\(side.name) is \(oneLine(side.folder)): \(plan.preset) run of \(environment.startedAt), revision "
      + "\(oneLine(environment.revision ?? "unknown")), \(counted(plan.rounds, "round")), seed \(plan.seed)."
  }

  /// `12 claims: 1 faster, ...; 48 counts: ...`.
  private var tally: String {
    let figures = workloads.flatMap(\.cases).flatMap(\.figures)
    func claims(_ matches: (Verdict?) -> Bool) -> Int { figures.count { matches($0.verdict) } }
    let counts = workloads.flatMap(\.cases).flatMap(\.counts)
    func found(_ verdict: CountVerdict) -> Int { counts.count { $0.verdict == verdict } }
    let told = found(.more) + found(.fewer) + found(.same)
    let ofClaims = [
      "\(claims { $0 == .faster }) faster", "\(claims { $0 == .slower }) slower",
      "\(claims { $0 == .noClaim || $0 == nil }) no claim", "\(undecided) cannot tell",
    ].joined(separator: ", ")
    let ofCounts = [
      "\(found(.fewer)) fewer", "\(found(.more)) more", "\(found(.same)) same", "\(counts.count - told) cannot tell",
    ].joined(separator: ", ")
    return "\(counted(figures.count, "claim")): \(ofClaims). "
      + "\(counted(counts.count, "count")) per operation: \(ofCounts)."
  }

  // MARK: - Tables

  private func section(_ workload: ComparedWorkload) -> Document.Section {
    let first = workload.cases.first?.head.workload
    return Document.Section(
      name: workload.name,
      question: first?.question ?? "A workload that this version does not know: \(workload.name).",
      setting: [
        "\(RatioTest.Design.independentRuns), corrected by Holm for \(counted(workload.familySize, "claim")) at "
          + "\(trimmed(rule.level * 100)) %",
        "\(trimmed(Self.intervalLevel * 100)) % intervals",
      ],
      tables: workload.cases.flatMap { [speed($0), counts($0)].compactMap { $0 } }, idioms: [],
      failures: workload.cases.flatMap(failures), notes: workload.cases.flatMap(notes))
  }

  private func speed(_ compared: ComparedCase) -> Table? {
    guard !compared.figures.isEmpty else { return nil }
    return Table(
      caption: "\(compared.name): headline figures",
      columns: [
        Table.Column(title: "model, figure", isNumeric: false), Table.Column(title: "verdict", isNumeric: false),
        Table.Column(title: "ratio"), Table.Column(title: "\(trimmed(Self.intervalLevel * 100)) % interval"),
        Table.Column(title: "BASE"), Table.Column(title: "HEAD"), Table.Column(title: "n"),
        Table.Column(title: "finds"), Table.Column(title: "p"), Table.Column(title: "p, Holm"),
        Table.Column(title: "p, ranks"),
      ],
      rows: compared.figures.map(cells))
  }

  private func cells(_ figure: ComparedFigure) -> [Cell] {
    let medians = [figure.base, figure.head].compactMap(\.median)
    let scale = figure.headline.unit.scale(for: medians)
    func value(_ series: ComparedSeries) -> Cell {
      guard let summary = series.summary else { return .none }
      let text = significant(summary.spread.median / scale.size)
      return Cell(
        text: series.standing.sign + text + (scale.symbol.isEmpty ? "" : " \(scale.symbol)"),
        spread: summary.range.map { offsets($0.low, $0.high, around: summary.spread.median) } ?? "")
    }
    let interval = figure.interval.map { "\(factor($0.low)) to \(factor($0.high))" }
    return [
      Cell(text: "\(oneLine(figure.row)), \(figure.headline.title)"), Cell(text: figure.words),
      figure.test.map { Cell(text: factor($0.ratio)) } ?? Cell.none, interval.map { Cell(text: $0) } ?? Cell.none,
      value(figure.base), value(figure.head),
      Cell(text: "\(figure.base.values.count), \(figure.head.values.count)"),
      figure.finds.map { Cell(text: offsets(1 / $0, $0, around: 1)) } ?? Cell.none,
      figure.test.map { Cell(text: probability($0.p)) } ?? Cell.none,
      figure.test != nil && figure.spoiler == nil ? Cell(text: probability(figure.adjustedP)) : Cell.none,
      figure.test != nil ? Cell(text: probability(figure.check.p)) : Cell.none,
    ]
  }

  private func counts(_ compared: ComparedCase) -> Table? {
    let kinds = StableCount.all.filter { kind in compared.counts.contains { $0.count.key == kind.key } }
    guard !kinds.isEmpty else { return nil }
    let rows = compared.rows.map { $0.head.name }.compactMap { name -> [Cell]? in
      let own = compared.counts.filter { $0.row == name }
      guard let first = own.first else { return nil }
      return [Cell(text: oneLine(name)), Cell(text: "\(first.base.count), \(first.head.count)")]
        + kinds.map { kind in
          own.first { $0.count.key == kind.key }
            .map { Cell(text: $0.words, spread: "±\(significant($0.tolerance))") } ?? Cell.none
        }
    }
    return Table(
      caption: "\(compared.name): counts per \(compared.head.noun)",
      columns: [Table.Column(title: "model", isNumeric: false), Table.Column(title: "n")]
        + kinds.map { Table.Column(title: $0.title) },
      rows: rows)
  }

  /// Trials that gave no number, of both runs: they are named and never compared.
  private func failures(_ compared: ComparedCase) -> [String] {
    compared.base.failures.map { "BASE, \(compared.name): \($0)" }
      + compared.head.failures.map { "HEAD, \(compared.name): \($0)" }
  }

  private func notes(_ compared: ComparedCase) -> [String] {
    compared.base.remarks.map { "BASE, \(compared.name): \($0)" }
      + compared.head.remarks.map { "HEAD, \(compared.name): \($0)" }
  }

  // MARK: - After the tables

  /// What both have in common once, what they do not with both values.
  private var facts: [(String, String)] {
    func memory(_ environment: RunEnvironment) -> String {
      let scale = Unit.bytes.scale(for: [Double(environment.memoryBytes)])
      return "\(trimmed(Double(environment.memoryBytes) / scale.size)) \(scale.symbol)"
    }
    let facts: [(String, (RunEnvironment) -> String?)] = [
      ("processor", { "\($0.processor), \(counted($0.processors, "processor")) online" }), ("memory", memory),
      ("system", { "\($0.operatingSystem), kernel \($0.kernel), \($0.architecture)" }),
      ("virtualization", { $0.virtualization }), ("clock source", { $0.clockSource }),
      ("load average", { $0.loadAverage.map { "\(trimmed($0)) before the first trial" } }),
      ("compiler", { $0.compiler }), ("build", { $0.build }), ("revision", { $0.revision }),
    ]
    return facts.map { name, value in
      let (b, h) = (value(base.run.environment) ?? "unknown", value(head.run.environment) ?? "unknown")
      return (name, oneLine(b == h ? b : "\(b) in BASE, \(h) in HEAD"))
    }
  }

  private var hostWarnings: [String] {
    [base, head].flatMap { side in side.run.environment.warnings.map { "\(side.name): \(oneLine($0))" } }
  }
}

extension CaseSummary {
  /// What stands under the tables of the run itself.
  var remarks: [String] { warnings + [rigLateness, hostNoise].compactMap { $0 } }
}

/// The comparison, in one of the formats of a report.
/// - Parameters:
///   - colour: whether the terminal's bold and colour may be used. Nothing is told by them alone.
///   - width: the terminal's columns; nil for a file or a pipe. The other formats do not need it.
public func render(_ comparison: Comparison, as format: ReportFormat, colour: Bool, width: Int?) -> String {
  switch format {
  case .terminal: TerminalRenderer(colour: colour, width: width).render(comparison.document)
  case .markdown: MarkdownRenderer().render(comparison.document)
  case .json: MachineComparison(comparison).text
  }
}
