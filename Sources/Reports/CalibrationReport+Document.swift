// A calibration for people: five questions, each with its table and what the table can and cannot say.

import Glibc
import ResultFormat
import Statistics

extension CalibrationReport {
  /// - Parameters: as those of ``render(_:as:colour:width:)``.
  func text(as format: ReportFormat, colour: Bool, width: Int?) -> String {
    switch format {
    case .terminal: TerminalRenderer(colour: colour, width: width).render(document)
    case .markdown: MarkdownRenderer().render(document)
    case .json: MachineCalibration(self).text
    }
  }

  var document: Document {
    let environment = run.environment
    var alarms: [String] = []
    if environment.build != "release" {
      alarms.append(
        "\(environment.build.uppercased()) BUILD: these figures mean nothing. Build with -c release and calibrate again."
      )
    }
    if !run.isComplete {
      alarms.append(
        "INTERRUPTED: \(grouped(run.trials.count)) of \(grouped(run.plan.trials.count)) trials were run.")
    }
    if let disturbed { alarms.append(disturbed) }
    alarms += objections.map { "NOT AS IT SHOULD BE: \($0)." }
    return Document(
      title: "Switchyard: calibration of \(environment.startedAt.prefix(10))", alarms: alarms,
      notices: [
        "\(counted(run.plan.originals.count, "model")) under two names each, \(counted(run.plan.cases.count, "case")), "
          + "\(counted(run.plan.rounds, "round")): but for the copies that are slowed on purpose, every difference in "
          + "this report is an error."
      ] + Document.history(run),
      sections: [falseAlarms, knownDifferences, resolved, arrangementSection, failed].compactMap { $0 },
      legend: legend, environment: Document.facts(environment, run.plan),
      hostWarnings: environment.warnings.map(oneLine))
  }

  /// Nil where no trial lost time to others.
  private var disturbed: String? {
    let busy = run.trials.count { $0.state == .ok && $0.warnings.contains(.hostBusy) }
    guard busy > 0 else { return nil }
    return
      "\(counted(busy, "trial")) of \(grouped(run.trials.count)) lost time to other programs or other machines, and "
      + "count like the others: an idle host resolves more."
  }

  // MARK: - Equal against equal

  private var falseAlarms: Document.Section {
    func row(_ name: String, _ alarms: FalseAlarms, by chance: String) -> [Cell] {
      let interval = alarms.interval.map { "\(percentage($0.low)) to \(percentage($0.high))" }
      return [
        name, grouped(alarms.comparisons), grouped(alarms.alarms), percentage(alarms.share), interval ?? "–", chance,
      ].map { Cell(text: $0) }
    }
    let level = trimmed(100 * rule.level)
    // In so many families at most, each of them with a claim or two.
    let expectedClaims = testable.isEmpty ? 0 : 100 * rule.level * Double(families.count) / Double(testable.count)
    let table = Table(
      caption: "Models against copies of themselves: paired t test on log-ratios within rounds",
      columns: [
        .init(title: "test", isNumeric: false), .init(title: "compared"), .init(title: "called different"),
        .init(title: "share", unit: "%"), .init(title: "95 % interval", unit: "%"),
        .init(title: "by chance", unit: "%"),
      ],
      rows: [
        row("at \(level) %, uncorrected", uncorrected, by: level),
        row("corrected by Holm per workload", corrected, by: "≤ \(trimmed(expectedClaims))"),
      ])
    let exact = comparisons.count { $0.isTestable && $0.agreesExactly }
    let lost = comparisons.count { !$0.isTestable }
    var notes = [
      "Metrics of the same trials are often one fact seen twice: the intervals are for "
        + "\(counted(uncorrected.cells, "independent comparison")), one of each case and model."
    ]
    if exact > 0 {
      notes.append(
        "\(counted(exact, "comparison")) not counted: both copies agree to the last digit in every round, and no test "
          + "could call them different.")
    }
    if lost > 0 {
      notes.append(
        "\(counted(lost, "comparison")) not counted: too few rounds gave both figures. \(examples(of: lost))")
    }
    if let largest = comparisons.filter({ $0.claim.test != nil }).max(by: { $0.error < $1.error }), largest.error > 0 {
      notes.append(
        "The largest difference that was seen between equal things: \(significant(100 * expm1(largest.error))) %, "
          + "\(largest.id.metric) of \(largest.id.row) on \(largest.id.case).")
    }
    notes += testable.filter(\.isRejected).map { one in
      "Called different without correction: \(one.id.metric) of \(one.id.row) on \(one.id.case), \(words(one.claim))."
    }
    return Document.Section(
      name: "equal against equal", question: "How often does a test call two things different that are the same?",
      setting: [
        "\(counted(comparisons.count, "comparison")) of \(counted(families.count, "workload")), each of which is a family"
      ],
      tables: [table], idioms: [], failures: [], notes: notes)
  }

  private func examples(of lost: Int) -> String {
    let names = comparisons.filter { !$0.isTestable }.prefix(3).map {
      "\($0.id.metric) of \($0.id.row) on \($0.id.case)"
    }
    return (names + (lost > 3 ? ["and \(lost - 3) more"] : [])).joined(separator: "; ") + "."
  }

  /// `1.02 (0.98 to 1.06), p 0.031, 0.64 corrected; signed-rank p 0.04`.
  private func words(_ claim: Claim<SelfComparisonID>) -> String {
    guard let test = claim.test else { return "not measured" }
    var text = "ratio \(factor(test.ratio))"
    if let interval = try? test.interval(level: 0.95).get() {
      text += " (\(factor(interval.low)) to \(factor(interval.high)))"
    }
    text += ", p \(probability(test.p)), \(probability(claim.adjustedP)) corrected"
    if let check = claim.check { text += "; signed-rank p \(probability(check.p))" }
    return text
  }

  // MARK: - Known differences

  private var knownDifferences: Document.Section? {
    guard let slowdown = run.plan.copies?.compactMap(\.slowdown).first else { return nil }
    let changes = slowdown.changes.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    let rows = slowed.map { one -> [Cell] in
      let interval = one.claim.test.flatMap { try? $0.interval(level: 0.95).get() }
      let texts = [
        one.claim.id.row, one.claim.id.metric, factor(one.expected), one.claim.test.map { factor($0.ratio) } ?? "–",
        interval.map { "\(factor($0.low)) to \(factor($0.high))" } ?? "–",
        one.resolved.map { factor($0) } ?? "–", one.claim.test == nil ? "–" : probability(one.claim.adjustedP),
        one.outcome.rawValue,
      ]
      return texts.map { Cell(text: $0) }
    }
    let table = Table(
      caption: "Copies with \(trimmed(100 * (slowdown.factor - 1))) % more work in each operation, over the models",
      columns: [
        .init(title: "model", isNumeric: false), .init(title: "metric", isNumeric: false), .init(title: "expected"),
        .init(title: "found"), .init(title: "95 % interval"), .init(title: "resolved from"),
        .init(title: "p, corrected"), .init(title: "", isNumeric: false),
      ], rows: rows)
    return Document.Section(
      name: "a known difference", question: "Is a slowdown found that is there?",
      setting: [slowdown.case, "slowed by \(changes.joined(separator: ", "))", counted(run.plan.rounds, "round")],
      tables: rows.isEmpty ? [] : [table], idioms: [], failures: [],
      notes: rows.isEmpty ? ["No model ran \(slowdown.case)."] : [])
  }

  // MARK: - Resolution

  private var resolved: Document.Section {
    let rows = resolution.figures.map { figure -> [Cell] in
      let found = Resolution(spread: figure.spread, degreesOfFreedom: figure.degreesOfFreedom)
      let rounds = found?.rounds(toFind: rule.smallestRatio, familySize: figure.familySize, rule: rule)
      return [
        figure.case, figure.metric, trimmed(figure.windowSeconds), significant(100 * figure.spread),
        figure.smallestRatio.map { significant(100 * ($0 - 1)) } ?? "–", "\(figure.familySize)",
        rounds.map { grouped($0) } ?? "–",
      ].map { Cell(text: $0) }
    }
    let table = Table(
      caption: "The smallest difference that \(counted(run.plan.rounds, "round")) find with a probability of "
        + "\(trimmed(100 * rule.power)) %",
      columns: [
        .init(title: "case", isNumeric: false), .init(title: "metric", isNumeric: false),
        .init(title: "window", unit: "s"), .init(title: "scatter", unit: "%"), .init(title: "difference", unit: "%"),
        .init(title: "claims"), .init(title: "rounds for \(trimmed(100 * (rule.smallestRatio - 1))) %"),
      ], rows: rows)
    return Document.Section(
      name: "what this host resolves", question: "How different must two models be for a run like this to say so?",
      setting: [
        "the copies of \(counted(run.plan.originals.count, "model")) pooled",
        "corrected for the claims of a standard run of these models",
      ], tables: rows.isEmpty ? [] : [table], idioms: [], failures: [], notes: [])
  }

  // MARK: - Arrangement

  /// Nil where nothing varied.
  var arrangement: Arrangement? { Arrangement(testable, level: rule.level) }

  private var arrangementSection: Document.Section? {
    guard let found = arrangement else { return nil }
    let interval = found.ratio.interval()
    func row(_ name: String, _ error: Double, _ variance: String, _ alarms: FalseAlarms) -> [Cell] {
      [name, significant(100 * expm1(error)), variance, percentage(alarms.share)].map { Cell(text: $0) }
    }
    let table = Table(
      caption: "The error of the ratio of equal things, both ways read from the same trials",
      columns: [
        .init(title: "arrangement", isNumeric: false), .init(title: "median error", unit: "%"),
        .init(title: "variance"), .init(title: "called different", unit: "%"),
      ],
      rows: [
        row("side by side within rounds", found.interleavedError, "1", uncorrected),
        row("first half against second half", found.blockedError, significant(found.ratio.ratio), found.blocked),
      ])
    return Document.Section(
      name: "rounds or blocks", question: "What is it worth to run models in turns, and not one after the other?",
      setting: ["\(counted(found.comparisons, "comparison")), \(counted(found.cells, "pair")) of case and model"],
      tables: [table], idioms: [], failures: [],
      notes: [
        "In blocks the variance of the logarithm of the ratio is \(significant(found.ratio.ratio)) times that within "
          + "rounds (95 % interval by F: \(significant(interval.low)) to \(significant(interval.high)); all blocks share "
          + "the host's two halves of the time, which makes it look surer than it is)."
      ])
  }

  // MARK: - Trials without a number

  private var failed: Document.Section? {
    let failures = run.trials.filter { $0.state != .ok && $0.state != .unsupported }
    guard !failures.isEmpty else { return nil }
    return Document.Section(
      name: "trials without a number", question: "Which trials gave no figure, and why?",
      setting: [counted(failures.count, "trial")], tables: [], idioms: [],
      failures: failures.prefix(20).map { "\($0.state.rawValue) (trial \($0.number)): \(oneLine($0.reason ?? ""))" }
        + (failures.count > 20 ? ["and \(failures.count - 20) more"] : []), notes: [])
  }

  private var legend: [String] {
    let level = trimmed(100 * rule.level)
    return [
      "A test at \(level) % calls equal things different in \(level) of 100 comparisons: more often, and its claims are "
        + "worth less than they say; much less often, and it could be sharper. What disturbs the host for some minutes "
        + "disturbs many comparisons alike, so that shares scatter more than their intervals say.",
      "Corrected by Holm, all comparisons of one workload together are to be wrong in at most \(level) of 100 runs.",
      "scatter: the standard deviation of the ratio from round to round. difference: the smallest that is found with that "
        + "scatter by the paired t test, corrected for so many claims; longer windows than these scatter less.",
      "latency, addedLatency: their p99; cpuPerOperation: CPU time for each operation; aboveIdlePSS: memory above idle.",
      "resolved from: the smallest ratio that the equal copies on the same case say can be found; its inverse is found "
        + "as well.",
    ]
  }

  /// A share as a percentage with one digit after the point.
  private func percentage(_ share: Double) -> String {
    let tenths = Int((share * 1_000).rounded())
    return "\(tenths / 10).\(tenths % 10)"
  }
}
