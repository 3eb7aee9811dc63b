// The comparison as JSON, for machines: the same numbers as the tables for people, unrounded and in base units.

import FoundationEssentials
import ResultFormat
import Statistics

struct MachineComparison: Encodable {
  struct Side: Encodable {
    var folder: String
    var schemaVersion: Int
    var preset: String
    var claims: Bool
    var startedAt: String
    var revision: String?
    var build: String
    var seed: UInt64
    var rounds: Int
    var isComplete: Bool
    var warnings: [String]
  }
  struct Rule: Encodable {
    var test: String
    var correction = "Holm, within each workload's family"
    var check = "rank sum"
    var level: Double
    var power: Double
    var smallestRatio: Double
    var intervalLevel: Double
  }
  struct Family: Encodable {
    var workload: String
    var claims: Int
    var cases: [Case]
  }
  struct Case: Encodable {
    var name: String
    var figures: [Figure]
    var counts: [Count]
    /// Trials that gave no number, by run.
    var failures: [String: [String]]
    var notes: [String: [String]]
  }
  struct Series: Encodable {
    /// One value per round that was ok, in the order of the rounds.
    var values: [Double]
    var rounds: [Int]
    var median: Double?
    /// `claimed`, `lower-bound`, `none`.
    var claim: String
  }
  struct Figure: Encodable {
    var model: String
    var variant: String?
    var metric: String
    var unit: String
    var better: String
    var base: Series
    var head: Series
    var ratio: Double?
    /// Of the ratio, at the rule's interval level, not corrected.
    var interval: [Double]?
    /// Not corrected, and after Holm's correction.
    var p: Double?
    var adjustedP: Double?
    /// The rank-sum test's, not corrected.
    var checkP: Double?
    var familySize: Int
    /// The smallest ratio above 1 that so many rounds with this spread find.
    var findsRatio: Double?
    /// `faster`, `slower`, `no-claim`, `too-few-rounds`.
    var verdict: String
    /// The rounds of each run that would do.
    var roundsNeeded: Int?
    /// Why nothing is claimed, whatever the test says.
    var reason: String?
  }
  struct Count: Encodable {
    var model: String
    var variant: String?
    var count: String
    var base: [Double]
    var head: [Double]
    var baseMedian: Double
    var headMedian: Double
    var tolerance: Double
    /// `more`, `fewer`, `same`, `too-few-rounds`.
    var verdict: String
    var roundsNeeded: Int?
  }

  var schemaVersion = 1
  var base: Side
  var head: Side
  var rule: Rule
  /// By how much a figure must be worse to be a regression, as a share.
  var threshold: Double?
  var alarms: [String]
  /// What makes the comparison meaningless; not empty only where it was made anyway.
  var obstacles: [Difference]
  var unlike: [Difference]
  var unmatched: [String]
  var families: [Family]
  var regressions: [String]

  init(_ comparison: Comparison) {
    base = Side(comparison.base)
    head = Side(comparison.head)
    rule = Rule(
      test: "\(RatioTest.Design.independentRuns)", level: comparison.rule.level, power: comparison.rule.power,
      smallestRatio: comparison.rule.smallestRatio, intervalLevel: Comparison.intervalLevel)
    threshold = comparison.threshold
    alarms = comparison.alarms
    obstacles = comparison.obstacles
    unlike = comparison.unlike
    unmatched = comparison.unmatched
    families = comparison.workloads.map { workload in
      Family(workload: workload.name, claims: workload.familySize, cases: workload.cases.map(Case.init))
    }
    regressions = comparison.regressions
  }

  var text: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(self) else { preconditionFailure("comparisons hold finite numbers only") }
    return String(decoding: data, as: UTF8.self) + "\n"
  }
}

extension MachineComparison.Side {
  init(_ side: Comparison.Side) {
    let run = side.run
    self.init(
      folder: side.folder, schemaVersion: run.schemaVersion, preset: run.plan.preset, claims: run.plan.claims,
      startedAt: run.environment.startedAt, revision: run.environment.revision, build: run.environment.build,
      seed: run.plan.seed, rounds: run.plan.rounds, isComplete: run.isComplete, warnings: run.environment.warnings)
  }
}

extension MachineComparison.Case {
  init(_ compared: ComparedCase) {
    name = compared.name
    figures = compared.figures.map(MachineComparison.Figure.init)
    counts = compared.counts.map(MachineComparison.Count.init)
    failures = ["base": compared.base.failures, "head": compared.head.failures]
    notes = ["base": compared.base.remarks, "head": compared.head.remarks]
  }
}

extension MachineComparison.Series {
  init(_ series: ComparedSeries) {
    values = series.values
    rounds = series.rounds
    median = series.median
    claim =
      switch series.standing {
      case .claimed: "claimed"
      case .lowerBound: "lower-bound"
      case .noClaim: "none"
      }
  }
}

extension MachineComparison.Figure {
  init(_ figure: ComparedFigure) {
    model = figure.id.model
    variant = figure.id.variant
    metric = figure.id.metric
    unit = figure.headline.unit.name
    better = figure.headline.better == .lower ? "lower" : "higher"
    base = MachineComparison.Series(figure.base)
    head = MachineComparison.Series(figure.head)
    familySize = figure.familySize
    findsRatio = figure.finds
    roundsNeeded = figure.roundsNeeded
    reason = figure.spoiler
    verdict =
      switch figure.verdict {
      case .faster: "faster"
      case .slower: "slower"
      case .noClaim, nil: "no-claim"
      case .tooFewRounds: "too-few-rounds"
      }
    guard let test = figure.test else { return }
    // JSON holds no infinity, which ratios of absurd figures can be.
    ratio = finite(test.ratio)
    interval = figure.interval.map { [$0.low, $0.high] }.flatMap { $0.allSatisfy(\.isFinite) ? $0 : nil }
    p = test.p
    adjustedP = figure.spoiler == nil ? figure.adjustedP : nil
    checkP = figure.check.p
  }
}

extension MachineComparison.Count {
  init(_ found: ComparedCount) {
    model = found.model.name
    variant = found.model.variant
    count = found.count.key
    base = found.base.values
    head = found.head.values
    baseMedian = found.base.median
    headMedian = found.head.median
    tolerance = found.tolerance
    switch found.verdict {
    case .more: verdict = "more"
    case .fewer: verdict = "fewer"
    case .same: verdict = "same"
    case .tooFewRounds(_, let need):
      verdict = "too-few-rounds"
      roundsNeeded = need
    }
  }
}
