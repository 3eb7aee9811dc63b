// Two runs against each other: what HEAD's headline figures are to BASE's, and what may be said of that.
//
// Two runs have no rounds in common, so that nothing may be paired: Welch's t test on logarithms decides, with Holm's
// correction over everything that both plans declare of a workload, and the exact rank-sum test is printed beside it.
// Why not a threshold on the ratio alone, as most gates have: two runs of the same program differ by more than most
// thresholds now and then, and a gate that cries wolf is switched off.

import ResultFormat
import Statistics

/// HEAD against BASE.
public struct Comparison: Sendable {
  /// One of the two runs.
  struct Side: Sendable {
    /// `BASE` or `HEAD`.
    let name: String
    /// As it was given.
    let folder: String
    let run: Run
  }

  let base: Side
  let head: Side
  /// What decides. Its smallest ratio is that of the threshold, where there is one.
  let rule: DecisionRule
  /// By how much a figure must be worse to be a regression, as a share; nil where any that is found counts.
  let threshold: Double?
  /// In the order of HEAD's plan; only what both plans have.
  let workloads: [ComparedWorkload]
  /// What only one of the plans has, in sentences.
  let unmatched: [String]
  /// What makes the comparison meaningless.
  let obstacles: [Difference]
  /// What else differs and bears on the figures.
  let unlike: [Difference]

  /// The level of all intervals.
  static let intervalLevel = 0.95

  /// - Parameters:
  ///   - baseFolder, headFolder: what the runs are called.
  ///   - threshold: by how much a figure must be worse to be a regression, as a share; nil where any that is found
  ///     counts. The rounds that are asked for are those that find it.
  /// - Precondition: the threshold is positive and finite.
  public init(
    base: Run, at baseFolder: String, head: Run, at headFolder: String, threshold: Double? = nil
  ) {
    let base = Side(name: "BASE", folder: baseFolder, run: base)
    let head = Side(name: "HEAD", folder: headFolder, run: head)
    let rule = threshold.map { DecisionRule(smallestRatio: 1 + $0) } ?? DecisionRule()
    self.base = base
    self.head = head
    self.rule = rule
    self.threshold = threshold
    obstacles = Difference.obstacles(base, head)
    unlike = Difference.unlike(base, head)
    unmatched = Self.unmatched(base.run.plan, head.run.plan)

    var cases: [ComparedCase] = []
    for planned in head.run.plan.cases {
      guard let other = base.run.plan.cases.first(where: { $0.name == planned.name }) else { continue }
      let compared = ComparedCase(
        base: CaseSummary(other, of: base.run), of: base.run, head: CaseSummary(planned, of: head.run), of: head.run,
        headlines: base.run.plan.headlines(of: planned.name).filter(head.run.plan.headlines(of: planned.name).contains))
      if !compared.rows.isEmpty { cases.append(compared) }
    }
    var names: [String] = []
    for name in cases.map(\.workload) where !names.contains(name) { names.append(name) }
    workloads = names.map { name in
      ComparedWorkload(name: name, cases: cases.filter { $0.workload == name }, rule: rule)
    }
  }

  /// Whether there is nothing that both runs have.
  public var isEmpty: Bool { workloads.isEmpty }

  /// What makes the comparison meaningless, in sentences; empty where nothing does.
  public var refusals: [String] { obstacles.map(\.description) }

  /// What each run has to compare, for whoever gave two that have nothing in common.
  public var contents: String {
    [base, head].map { side in
      let plan = side.run.plan
      let models = plan.models.map { RowName($0).description }.joined(separator: ", ")
      return "\(side.folder) has \(plan.cases.map(\.name).joined(separator: ", ")) of \(models)"
    }.joined(separator: "; ")
  }

  private static func unmatched(_ base: Plan, _ head: Plan) -> [String] {
    only(base, not: head, "BASE") + only(head, not: base, "HEAD")
  }

  private static func only(_ plan: Plan, not other: Plan, _ name: String) -> [String] {
    var sentences: [String] = []
    func add(_ noun: String, _ names: [String]) {
      guard !names.isEmpty else { return }
      sentences.append("Only in \(name): \(noun)\(names.count == 1 ? "" : "s") \(names.joined(separator: ", ")).")
    }
    let cases = Set(other.cases.map(\.name))
    let models = Set(other.models.map { RowName($0).description })
    add("case", plan.cases.map(\.name).filter { !cases.contains($0) })
    add("model", plan.models.map { RowName($0).description }.filter { !models.contains($0) }.map(oneLine))
    let headlines = Set(other.families.map { "\($0.metric) of \($0.case)" })
    add(
      "headline",
      plan.families.filter { cases.contains($0.case) }.map { "\($0.metric) of \($0.case)" }
        .filter { !headlines.contains($0) })
    return sentences
  }
}

/// The cases of one workload: one family of claims.
struct ComparedWorkload: Sendable {
  /// Not the plan's, which names metrics of cases.
  private typealias Family = Statistics.ClaimFamily<ComparedFigure.ID>

  let name: String
  let cases: [ComparedCase]
  /// How many claims each was corrected for.
  let familySize: Int

  /// - Parameter cases: with figures that are not yet judged.
  init(name: String, cases: [ComparedCase], rule: DecisionRule) {
    self.name = name
    let figures = cases.flatMap(\.figures)
    let family = Family(figures.map { (id: $0.id, better: $0.headline.better) }, rule: rule)
    var evidence: [ComparedFigure.ID: Family.Evidence] = [:]
    for figure in figures where figure.spoiler == nil {
      evidence[figure.id] = try? Family.Evidence(independentBase: figure.base.values, head: figure.head.values)
    }
    let claims = Dictionary(family.judge(evidence).map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    familySize = family.declared.count
    self.cases = cases.map { compared in
      var compared = compared
      for index in compared.figures.indices {
        if let claim = claims[compared.figures[index].id] { compared.figures[index].judge(claim, rule) }
      }
      return compared
    }
  }
}

/// One case that both runs have.
struct ComparedCase: Sendable {
  let base: CaseSummary
  let head: CaseSummary
  /// The models and variants that both planned.
  let rows: [(base: RowSummary, head: RowSummary)]
  var figures: [ComparedFigure]
  let counts: [ComparedCount]

  var name: String { head.planned.name }
  var workload: String { head.planned.workload }

  /// - Parameter headlines: what both plans declare for the case.
  init(base: CaseSummary, of baseRun: Run, head: CaseSummary, of headRun: Run, headlines: [String]) {
    self.base = base
    self.head = head
    let rows = head.rows.compactMap { row in base.rows.first { $0.name == row.name }.map { (base: $0, head: row) } }
    self.rows = rows
    let headlines = headlines.compactMap { Headline($0, among: head.metrics + base.metrics) }
    figures = rows.flatMap { row in
      // Who declines the workload was never to be compared on it.
      row.base.declines || row.head.declines
        ? [] : headlines.map { ComparedFigure($0, of: row, on: head.planned.name) }
    }
    counts = rows.flatMap { row in
      ComparedCount.all(
        row.base, row.head,
        probed: (
          baseRun.probedTrials(of: row.base.model, on: base.planned.name),
          headRun.probedTrials(of: row.head.model, on: head.planned.name)
        ))
    }
  }
}

extension RowSummary {
  /// Whether no trial was more than the model's word that it does not do this.
  var declines: Bool { !trials.isEmpty && trials.allSatisfy { $0.state == .unsupported } }
}
