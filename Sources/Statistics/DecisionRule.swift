// What is fixed before the data: how sure a claim has to be, which difference is worth finding, and so how many rounds a
// claim needs. And the four things that may be said afterwards.

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
  ///
  /// The spread of few rounds is itself uncertain, by a factor of two or three at 5 of them and of 1.5 at 12, and the
  /// number by its square.
  /// - Parameter spread: the standard deviation of the log-ratio; nil if it could not be observed.
  /// - Returns: nil if no practical number does.
  public func roundsNeeded(spread: Double?, familySize: Int) -> Int? {
    let fewest = fewestRounds(familySize: familySize)
    guard let spread else { return fewest }
    return PowerAnalysis(spread: spread, level: level, familySize: familySize)
      .rounds(toFind: smallestRatio, power: power).map { max($0, fewest) }
  }
}
