// The smallest differences that a case's figures can be told apart by: of this run, from the spread of the ratios between
// its own models, and of the host, where a model was compared with itself (`switchyard calibrate`).

import Glibc
import ResultFormat
import Statistics

/// By metric key, the smallest ratio to another row that a claim finds with the rule's power; its inverse is found as
/// well.
struct CaseResolution: Sendable {
  let rule: DecisionRule
  /// Rounds of the comparisons; 0 where nothing can be compared.
  let rounds: Int
  /// What a claim is corrected for: the family of the case's workload.
  let familySize: Int
  let own: [String: Double]
  let calibrated: [String: Double]

  /// The least rounds that can resolve anything; nil where the plan declares no claim.
  var fewestRounds: Int? { familySize > 0 ? rule.fewestRounds(familySize: familySize) : nil }

  init(_ metrics: [Metric], _ rows: [RowSummary], _ planned: PlannedCase, of run: Run, _ calibration: HostResolution?) {
    let rule = DecisionRule()
    let familySize = run.declaredClaims(of: planned.workload).count
    var own: [String: Double] = [:]
    var calibrated: [String: Double] = [:]
    var rounds = 0
    // The smallest logarithm that is found is a multiple of the spread: the search for it is made once.
    var multiples: [Int: Double] = [:]
    func smallestRatio(_ resolution: Resolution?, rounds: Int) -> Double? {
      guard let resolution, familySize > 0, rounds >= rule.fewestRounds(familySize: familySize) else { return nil }
      if multiples[rounds] == nil {
        let unit = PowerAnalysis(spread: 1, level: rule.level, familySize: familySize)
        multiples[rounds] = unit.smallestRatio(rounds: rounds, power: rule.power).map { log($0) }
      }
      let ratio = multiples[rounds].map { exp($0 * resolution.spread) }
      return ratio?.isFinite == true ? ratio : nil
    }
    for metric in metrics where metric.better != nil {
      let values = Dictionary(
        rows.map { (RowName($0.model), $0.values(metric.value)) }, uniquingKeysWith: { first, _ in first })
      // Figures without a logarithm have no ratio: their column stays empty.
      let comparisons = run.plan.declaredPairs.compactMap { pair -> LogRatios? in
        guard let base = values[pair.base], let head = values[pair.head] else { return nil }
        return try? LogRatios(base: base, head: head)
      }
      guard let most = comparisons.map(\.count).max() else { continue }
      rounds = max(rounds, most)
      own[metric.key] = smallestRatio(Resolution(sameAgainstSame: comparisons), rounds: most)
    }
    for headline in run.plan.families where headline.case == planned.name {
      guard
        let figure = calibration?.figure(workload: headline.workload, case: headline.case, metric: headline.metric)
      else { continue }
      calibrated[Metric.key(ofHeadline: headline.metric)] = smallestRatio(
        Resolution(spread: figure.spread, degreesOfFreedom: figure.degreesOfFreedom), rounds: rounds)
    }
    self.rule = rule
    self.rounds = rounds
    self.familySize = familySize
    self.own = own
    self.calibrated = calibrated
  }
}

extension RowSummary {
  /// A figure by round, of the trials that are ok and have it.
  func values(_ value: (Figures) -> Double?) -> [Int: Double] {
    var values: [Int: Double] = [:]
    for trial in trials where trial.state == .ok {
      guard let found = trial.figures.flatMap(value), found.isFinite else { continue }
      values[trial.round] = found
    }
    return values
  }

  /// What a model's survivors show says little about one that fails; a voided trial is nobody's failure.
  var hasNoFailure: Bool { trials.allSatisfy { $0.state == .ok || $0.state == .voided } && count(.ok) > 0 }
}
