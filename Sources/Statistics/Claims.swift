// From tests to words. The family of claims is declared in the plan, before any data; what of it could not be measured
// still counts, or a run that lost half of its trials would find its claims easier.

import Glibc

/// Which of two figures of a metric is the better one.
public enum Better: Sendable, Hashable {
  /// Throughput.
  case higher
  /// Latency, memory, CPU time per operation.
  case lower
}

/// What may be said of head against base.
public enum Verdict: Sendable, Hashable, CustomStringConvertible {
  /// Head is better: the corrected test rejects "equal".
  case faster
  /// Head is worse: the corrected test rejects "equal".
  case slower
  /// The corrected test does not reject, and there were rounds enough to find the smallest ratio that was asked for.
  case noClaim
  /// The corrected test does not reject (or there were too few rounds to ask), and more rounds might have: `need` finds
  /// the smallest ratio asked for, nil if no practical number does.
  case tooFewRounds(have: Int, need: Int?)

  public var description: String {
    switch self {
    case .faster: "faster"
    case .slower: "slower"
    case .noClaim: "no claim"
    case .tooFewRounds(let have, let need?): "too few rounds: \(have), and \(need) would do"
    case .tooFewRounds(let have, nil): "too few rounds: \(have), and no practical number would do"
    }
  }
}

/// The decision rule, fixed before the data: the paired t test on log-ratios within rounds (``RatioTest``), corrected
/// by Holm over the declared family (``holmAdjusted(_:)``).
public struct DecisionRule: Sendable, Hashable {
  /// The probability of any false claim in a family.
  public let level: Double
  /// The ratio that a run has to be able to find before "no claim" is said instead of "too few rounds".
  public let smallestRatio: Double
  /// The probability with which it has to find it.
  public let power: Double

  /// - Precondition: level and power lie within 0 ... 1, level below power; the smallest ratio is above 1.
  public init(level: Double = 0.05, smallestRatio: Double = 1.1, power: Double = 0.95) {
    precondition(level > 0 && level < power && power < 1, "0 < level < power < 1")
    precondition(smallestRatio > 1 && smallestRatio.isFinite, "the smallest ratio to find is above 1")
    self.level = level
    self.smallestRatio = smallestRatio
    self.power = power
  }

  /// The least rounds with which a claim is made at all: as many as let the signed-rank check reach the corrected level
  /// too (6 for one claim, 8 for six). Below, a t test's far tail rests on normality alone, and the check could never
  /// agree with it.
  /// - Precondition: the family has a claim.
  public func fewestRounds(familySize: Int) -> Int {
    precondition(familySize > 0, "a family has claims")
    return max(Spread.roundsForInterval, SignedRank.rounds(forLevel: level / Double(familySize)))
  }

  /// The rounds that would do for a claim in a family: enough for the smallest ratio, by the observed spread.
  /// - Parameter spread: the standard deviation of the log-ratio; nil if it could not be observed.
  /// - Returns: nil if no practical number does.
  public func roundsNeeded(spread: Double?, familySize: Int) -> Int? {
    let fewest = fewestRounds(familySize: familySize)
    guard let spread else { return fewest }
    return PowerAnalysis(spread: spread, level: level, familySize: familySize)
      .rounds(toFind: smallestRatio, power: power).map { max($0, fewest) }
  }
}

/// One claim of a family, judged.
public struct Claim<ID: Hashable & Sendable>: Sendable {
  public let id: ID
  public let better: Better
  /// How many claims the correction is for.
  public let familySize: Int
  /// What decided; nil where fewer than 2 rounds have both figures.
  public let test: RatioTest?
  /// p after Holm's correction, to be compared with the rule's level; 1 where there is no test, or fewer rounds than the
  /// rule asks for.
  public let adjustedP: Double
  /// Printed beside the test; nil where runs are independent, which have no signs to rank, or nothing was measured.
  public let check: SignedRank?
  /// Rounds that would find the rule's smallest ratio; nil if no practical number does.
  public let roundsNeeded: Int?
  public let verdict: Verdict

  /// The test's name, for whoever reads the claim.
  public var testName: String {
    let design = test?.design ?? .pairedWithinRounds
    return familySize == 1 ? "\(design)" : "\(design), corrected by Holm for \(familySize) claims"
  }
}

/// Claims that are made, or not, together: declared with the plan.
public struct ClaimFamily<ID: Hashable & Sendable>: Sendable {
  /// What is known of one claim.
  public struct Evidence: Sendable {
    let test: RatioTest?
    let check: SignedRank?
    let rounds: Int

    /// Rounds of one run.
    public init(_ ratios: LogRatios) {
      test = RatioTest(ratios)
      check = ratios.count > 0 ? SignedRank(ratios) : nil
      rounds = ratios.count
    }

    /// Two runs without common rounds.
    /// - Throws: ``NoComparison`` for the first figure that has no logarithm.
    public init(independentBase base: [Double], head: [Double]) throws(NoComparison) {
      test = try RatioTest(independentBase: base, head: head)
      check = nil
      rounds = min(base.count, head.count)
    }
  }

  /// In the order of declaration, each once.
  public let declared: [(id: ID, better: Better)]
  public let rule: DecisionRule

  /// - Parameter claims: a claim declared twice is one claim.
  public init(_ claims: [(id: ID, better: Better)], rule: DecisionRule = DecisionRule()) {
    var seen: Set<ID> = []
    declared = claims.filter { seen.insert($0.id).inserted }
    self.rule = rule
  }

  /// Judges all claims at once.
  /// - Parameter evidence: by claim. What is missing (failed trials, figures without a ratio) counts as not rejected;
  ///   what was not declared is not looked at.
  /// - Returns: one per declared claim, in their order.
  public func judge(_ evidence: [ID: Evidence]) -> [Claim<ID>] {
    let size = declared.count
    let adjusted = holmAdjusted(declared.map { testable(evidence[$0.id])?.p ?? 1 })
    return zip(declared, adjusted).map { claim, adjustedP in
      let found = evidence[claim.id]
      let have = found?.rounds ?? 0
      let need = rule.roundsNeeded(spread: found?.test?.spread, familySize: size)
      let verdict: Verdict
      if let test = testable(found), adjustedP <= rule.level {
        verdict = (test.meanLogRatio > 0) == (claim.better == .higher) ? .faster : .slower
      } else if let need, have >= need {
        verdict = .noClaim
      } else {
        verdict = .tooFewRounds(have: have, need: need)
      }
      return Claim(
        id: claim.id, better: claim.better, familySize: size, test: found?.test, adjustedP: adjustedP,
        check: found?.check, roundsNeeded: need, verdict: verdict)
    }
  }

  /// The test, if there were rounds enough to ask.
  private func testable(_ evidence: Evidence?) -> RatioTest? {
    guard let evidence, evidence.rounds >= rule.fewestRounds(familySize: declared.count) else { return nil }
    return evidence.test
  }
}
