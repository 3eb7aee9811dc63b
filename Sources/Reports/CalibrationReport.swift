// What a calibration found: how often equal things were called different, whether copies slowed by a known amount were
// found, the smallest difference that this host resolves, and what the interleaving of the rows was worth.

import Glibc
import ResultFormat
import Statistics
import Workloads

/// A headline metric of a model on a case, as it is compared with that of a copy.
struct SelfComparisonID: Sendable, Hashable {
  var workload: String
  var `case`: String
  var metric: String
  var model: String
  var variant: String?

  var row: String { variant.map { "\(model) (\($0))" } ?? model }
  /// The trials behind it, which all metrics of the case share.
  var cell: String { "\(`case`) \(row)" }

  /// All headlines but rates are better lower.
  var better: Statistics.Better { metric == "throughput" || metric == "goodput" ? .higher : .lower }
}

/// The model is the base, its copy the head.
struct SelfComparison: Sendable {
  let base: [Int: Double]
  let head: [Int: Double]
  let ratios: LogRatios?
  let claim: Claim<SelfComparisonID>

  var id: SelfComparisonID { claim.id }
  /// Whether there were rounds enough to reject.
  let isTestable: Bool
  /// The same in all rounds, as a count of pages can be: no test could ever tell these apart, so that they say nothing
  /// of how often one does.
  var agreesExactly: Bool { claim.test.map { $0.spread == 0 && $0.meanLogRatio == 0 } ?? false }
  /// The logarithm of the ratio that was found, whichever way; 0 is the truth.
  var error: Double { abs(claim.test?.meanLogRatio ?? 0) }
  /// By the test of this one comparison, without correction.
  let isRejected: Bool
  var isClaimed: Bool { claim.verdict == .faster || claim.verdict == .slower }
}

/// A comparison of which the truth is a known difference.
struct SlowedComparison: Sendable {
  enum Outcome: String, Sendable {
    case found
    case missed
    /// It was missed, and the host resolves no difference as small as this one.
    case beyondResolution = "beyond resolution"
    /// No trials to compare.
    case notMeasured = "not measured"
  }
  let claim: Claim<SelfComparisonID>
  /// What the metric of the copy is, over the model's.
  let expected: Double
  /// The smallest ratio that equal copies on the same case say can be found; nil where they say nothing.
  let resolved: Double?

  var outcome: Outcome {
    if claim.verdict == .slower { return .found }
    guard claim.test != nil else { return .notMeasured }
    guard let resolved, resolved <= max(expected, 1 / expected) else { return .beyondResolution }
    return .missed
  }
}

/// How many of so many comparisons of equal things a test called different.
struct FalseAlarms: Sendable {
  let alarms: Int
  let comparisons: Int
  /// Cases and models that these are of. The metrics of one trial are often one fact seen twice, as rate and cost are
  /// where processors set the pace, so that this is how many independent comparisons there are at least.
  let cells: Int

  init(_ compared: [SelfComparison], _ isAlarm: (SelfComparison) -> Bool) {
    alarms = compared.count(where: isAlarm)
    comparisons = compared.count
    cells = Set(compared.map(\.id.cell)).count
  }

  var share: Double { comparisons == 0 ? 0 : Double(alarms) / Double(comparisons) }
  /// Of the probability of an alarm, for as many trials as there are cells; nil without any.
  var interval: Interval? {
    comparisons == 0 ? nil : proportionInterval(of: share * Double(cells), outOf: Double(cells))
  }
}

/// The findings of a calibration.
public struct CalibrationReport: Sendable {
  let run: Run
  let rule: DecisionRule
  /// In the order of the plan.
  let comparisons: [SelfComparison]
  let slowed: [SlowedComparison]
  /// What others may be resolved by; figures whose copies were never both measured are not in it.
  public let resolution: HostResolution

  /// Those that a test could have called different.
  var testable: [SelfComparison] { comparisons.filter { $0.isTestable && !$0.agreesExactly } }
  var uncorrected: FalseAlarms { FalseAlarms(testable, \.isRejected) }
  var corrected: FalseAlarms { FalseAlarms(testable, \.isClaimed) }

  /// Families, and those with a false claim: correction is to keep the probability of one below the level.
  var families: Set<String> { Set(testable.map(\.id.workload)) }
  var failedFamilies: Set<String> { Set(testable.filter(\.isClaimed).map(\.id.workload)) }

  /// What speaks against the tests on this host; empty for a good calibration.
  public var objections: [String] {
    var objections: [String] = []
    if let interval = uncorrected.interval, interval.low > rule.level {
      objections.append(
        "the uncorrected test calls equal things different more often than its \(trimmed(100 * rule.level)) %: "
          + "\(uncorrected.alarms) of \(uncorrected.comparisons)")
    }
    let (failed, all) = (failedFamilies.count, families.count)
    if all > 0, proportionInterval(of: Double(failed), outOf: Double(all)).low > rule.level {
      objections.append(
        "the corrected test claims differences between equal things in \(failed) of \(all) workloads: "
          + failedFamilies.sorted().joined(separator: ", "))
    }
    for one in slowed where one.outcome == .missed {
      objections.append(
        "a slowdown that the host resolves was not found: \(one.claim.id.metric) of \(one.claim.id.row) on "
          + one.claim.id.case)
    }
    return objections
  }

  /// - Parameter run: a calibration (``Plan/isCalibration``).
  public init(_ run: Run) {
    self.run = run
    let rule = DecisionRule()
    self.rule = rule
    let figures = RoundFigures(run)
    let comparisons = Self.judge(Self.declared(run, figures), rule) { id, original in
      figures.pair(id, original, run.plan.copy(of: original, isSlowed: false))
    }
    self.comparisons = comparisons
    slowed = Self.slowed(run, rule, figures, comparisons)
    resolution = Self.resolution(run, rule, comparisons)
  }

  /// Headline metrics of every model that has a copy, but where a model declines the case.
  private static func declared(_ run: Run, _ figures: RoundFigures) -> [(SelfComparisonID, PlannedModel)] {
    run.plan.families.flatMap { headline in
      run.plan.originals.compactMap { original -> (SelfComparisonID, PlannedModel)? in
        guard run.plan.copy(of: original, isSlowed: false) != nil, !figures.declines(headline.case, original) else {
          return nil
        }
        return (
          SelfComparisonID(
            workload: headline.workload, case: headline.case, metric: headline.metric, model: original.name,
            variant: original.variant), original
        )
      }
    }
  }

  /// One family per workload, as a run of unlike models has them.
  private static func judge(
    _ declared: [(SelfComparisonID, PlannedModel)], _ rule: DecisionRule,
    _ pair: (SelfComparisonID, PlannedModel) -> (base: [Int: Double], head: [Int: Double])
  ) -> [SelfComparison] {
    typealias Family = Statistics.ClaimFamily<SelfComparisonID>
    var found: [SelfComparisonID: SelfComparison] = [:]
    for workload in Set(declared.map { $0.0.workload }) {
      let members = declared.filter { $0.0.workload == workload }
      let pairs = Dictionary(members.map { ($0.0, pair($0.0, $0.1)) }, uniquingKeysWith: { first, _ in first })
      // Figures without a logarithm have no ratio; their comparison counts as one that does not reject.
      let ratios = pairs.compactMapValues { try? LogRatios(base: $0.base, head: $0.head) }
      let family = Family(members.map { (id: $0.0, better: $0.0.better) }, rule: rule)
      for claim in family.judge(ratios.mapValues { Family.Evidence($0) }) {
        let isTestable = (ratios[claim.id]?.count ?? 0) >= rule.fewestRounds(familySize: claim.familySize)
        found[claim.id] = SelfComparison(
          base: pairs[claim.id]?.base ?? [:], head: pairs[claim.id]?.head ?? [:], ratios: ratios[claim.id],
          claim: claim, isTestable: isTestable, isRejected: isTestable && (claim.test?.p ?? 1) <= rule.level)
      }
    }
    return declared.compactMap { found[$0.0] }
  }

  // MARK: - Known differences

  private static func slowed(
    _ run: Run, _ rule: DecisionRule, _ figures: RoundFigures, _ same: [SelfComparison]
  ) -> [SlowedComparison] {
    guard let slowdown = run.plan.copies?.compactMap(\.slowdown).first else { return [] }
    let members = Self.declared(run, figures).filter { id, original in
      id.case == slowdown.case && expected(id.metric, slowdown) != nil
        && run.plan.copy(of: original, isSlowed: true) != nil
    }
    let judged = judge(members, rule) { id, original in
      figures.pair(id, original, run.plan.copy(of: original, isSlowed: true))
    }
    return judged.compactMap { one in
      guard let expected = Self.expected(one.id.metric, slowdown) else { return nil }
      let equal = same.filter { $0.id.case == one.id.case && $0.id.metric == one.id.metric }.compactMap(\.ratios)
      let resolved = Resolution(sameAgainstSame: equal)?.smallestRatio(
        rounds: one.ratios?.count ?? 0, familySize: one.claim.familySize, rule: rule)
      return SlowedComparison(claim: one.claim, expected: expected, resolved: resolved)
    }
  }

  /// What arithmetic says of a metric whose operations take that much longer; nil where it says nothing.
  private static func expected(_ metric: String, _ slowdown: Slowdown) -> Double? {
    switch metric {
    case "throughput": 1 / slowdown.factor
    case "cpuPerOperation": slowdown.factor
    default: nil
    }
  }

  // MARK: - Resolution

  private static func resolution(_ run: Run, _ rule: DecisionRule, _ comparisons: [SelfComparison]) -> HostResolution {
    let plan = run.plan
    let figures = plan.families.compactMap { headline -> ResolvedFigure? in
      let equal = comparisons.filter { $0.id.case == headline.case && $0.id.metric == headline.metric }
      guard let found = Resolution(sameAgainstSame: equal.compactMap(\.ratios)),
        let planned = plan.cases.first(where: { $0.name == headline.case })
      else { return nil }
      let familySize = Self.familySize(of: headline.workload, in: plan)
      return ResolvedFigure(
        workload: headline.workload, case: headline.case, metric: headline.metric,
        windowSeconds: plan.windowSeconds(of: planned), spread: found.spread,
        degreesOfFreedom: found.degreesOfFreedom, familySize: familySize,
        smallestRatio: found.smallestRatio(rounds: plan.rounds, familySize: familySize, rule: rule))
    }
    let originals = plan.originals.map { model in model.variant.map { "\(model.name):\($0)" } ?? model.name }
    return HostResolution(
      host: HostIdentity(run.environment), measuredAt: run.environment.startedAt, revision: run.environment.revision,
      models: originals, level: rule.level, power: rule.power, rounds: plan.rounds, figures: figures)
  }

  /// The claims that a standard run of these models makes on the workload: its headlines there, for each two models.
  private static func familySize(of workload: String, in plan: Plan) -> Int {
    let models = plan.originals.count
    let cases = (try? Workload.named(workload))?.cases.filter { $0.presets.contains(.standard) } ?? []
    let standard = cases.reduce(0) { $0 + $1.headlines.count }
    let headlines = standard > 0 ? standard : plan.families.count { $0.workload == workload }
    return headlines * max(1, models * (models - 1) / 2)
  }
}

/// The figures of a run's trials that are ok, by row and round.
private struct RoundFigures {
  private struct Cell: Hashable {
    var `case`: String
    var model: String
    var variant: String?
  }
  private var figures: [Cell: [Int: Figures]] = [:]
  private var states: [Cell: Set<TrialState>] = [:]

  init(_ run: Run) {
    for trial in run.trials {
      let cell = Cell(case: trial.case, model: trial.model, variant: trial.variant)
      states[cell, default: []].insert(trial.state)
      if trial.state == .ok, let found = trial.figures { figures[cell, default: [:]][trial.round] = found }
    }
  }

  /// That is known before the first trial, and says nothing of figures.
  func declines(_ name: String, _ model: PlannedModel) -> Bool {
    let found = states[Cell(case: name, model: model.name, variant: model.variant)] ?? []
    return found.contains(.unsupported) && found.isSubset(of: [.unsupported, .voided])
  }

  /// Values by round; none for a row that there is not.
  func pair(_ id: SelfComparisonID, _ base: PlannedModel, _ head: PlannedModel?) -> (
    base: [Int: Double], head: [Int: Double]
  ) {
    (values(id, base), head.map { values(id, $0) } ?? [:])
  }

  private func values(_ id: SelfComparisonID, _ model: PlannedModel) -> [Int: Double] {
    let found = figures[Cell(case: id.case, model: model.name, variant: model.variant)] ?? [:]
    return found.compactMapValues { $0.value(of: id.metric) }.filter(\.value.isFinite)
  }
}
