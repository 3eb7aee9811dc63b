// From tests to words. The family of claims is declared in the plan, before any data; what of it could not be measured
// still counts, or a run that lost half of its trials would find its claims easier.

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
///
///     let family = ClaimFamily([(id: "fan-out/paced p99", better: .lower)])
///     let ratios = try LogRatios(base: [0: 10.2, 1: 9.9, 2: 10.4], head: [0: 9.1, 1: 9.0, 2: 9.6])
///     for claim in family.judge(["fan-out/paced p99": .init(ratios)]) {
///       print(claim.verdict, claim.testName)  // too few rounds: 3, and 6 would do ...
///     }
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
