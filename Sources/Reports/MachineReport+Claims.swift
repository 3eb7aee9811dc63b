// Claims and resolutions as JSON: head against base as the plan declares them, unrounded.

import ResultFormat
import Statistics

extension MachineReport {
  struct Family: Encodable {
    struct Claim: Encodable {
      var `case`: String
      var metric: String
      var base: RowName
      var head: RowName
      /// What decided; and the check beside it, which never does.
      var test: String
      var check = "Wilcoxon signed-rank test, exact up to \(SignedRank.exactUpTo) rounds, uncorrected"
      /// Rounds in which both have the figure.
      var rounds: Int
      /// Head over base: the geometric mean of the ratios within rounds.
      var ratio: Double?
      var interval: [Double]?
      var intervalLevel: Double?
      /// Why there is no interval.
      var noInterval: String?
      var p: Double?
      var adjustedP: Double
      var checkP: Double?
      /// `faster` (head is better), `slower`, `no-claim`, `too-few-rounds`, `withheld`.
      var verdict: String
      /// Why it was withheld.
      var reason: String?
      /// Rounds that find ``smallestRatio`` by the spread that was seen; absent where no practical number does.
      var roundsNeeded: Int?
    }
    var workload: String
    /// Claims that the correction is for.
    var size: Int
    /// The probability of any false claim, and of finding ``smallestRatio``.
    var level: Double
    var power: Double
    var smallestRatio: Double
    /// Below these rounds nothing is claimed.
    var fewestRounds: Int
    var claims: [Claim]
  }

  /// The smallest ratios that a case's figures can be told apart by, by metric.
  struct Resolution: Encodable {
    struct Calibration: Encodable {
      var measuredAt: String
      var rounds: Int
      var metrics: [String: Double]
    }
    var rounds: Int
    var familySize: Int
    var level: Double
    var power: Double
    /// By the spread of this run's ratios.
    var metrics: [String: Double]
    /// By that of models compared with themselves on this host.
    var calibrated: Calibration?
  }
}

extension MachineReport.Family {
  init(_ family: WorkloadClaims) {
    workload = family.workload
    size = family.familySize
    level = family.rule.level
    power = family.rule.power
    smallestRatio = family.rule.smallestRatio
    fewestRounds = family.fewestRounds
    claims = family.claims.map { Claim($0, level: 1 - family.rule.level) }
  }
}

extension MachineReport.Family.Claim {
  init(_ claim: JudgedClaim, level: Double) {
    `case` = claim.declared.case
    metric = claim.declared.metric
    base = claim.declared.pair.base
    head = claim.declared.pair.head
    test = claim.testName
    rounds = claim.test?.rounds ?? 0
    ratio = claim.test.flatMap { finite($0.ratio) }
    switch claim.test?.interval(level: level) {
    // Beyond the largest double there is no number to write.
    case .success(let found)? where found.high.isFinite:
      interval = [found.low, found.high]
      intervalLevel = found.level
    case .failure(let refusal)?: noInterval = refusal.description
    case .success?: noInterval = "its end is beyond the largest number"
    case nil: break
    }
    p = claim.test?.p
    adjustedP = claim.adjustedP
    checkP = claim.check?.p
    roundsNeeded = claim.roundsNeeded
    switch claim.outcome {
    case .judged(.faster): verdict = "faster"
    case .judged(.slower): verdict = "slower"
    case .judged(.noClaim): verdict = "no-claim"
    case .judged(.tooFewRounds): verdict = "too-few-rounds"
    case .withheld(let why):
      verdict = "withheld"
      reason = why
    }
  }
}

extension MachineReport.Resolution {
  /// - Returns: nil where nothing is resolved.
  init?(_ resolution: CaseResolution, _ calibration: HostResolution?) {
    guard !resolution.own.isEmpty || !resolution.calibrated.isEmpty else { return nil }
    rounds = resolution.rounds
    familySize = resolution.familySize
    level = resolution.rule.level
    power = resolution.rule.power
    metrics = resolution.own
    if let calibration, !resolution.calibrated.isEmpty {
      calibrated = Calibration(
        measuredAt: calibration.measuredAt, rounds: calibration.rounds, metrics: resolution.calibrated)
    }
  }
}
