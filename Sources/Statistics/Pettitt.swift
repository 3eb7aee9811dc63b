// Did the figure jump, and when? A host that changes its clock rate or gets a neighbour in mid-run looks like this.

/// Pettitt's test of "no change of level at an unknown time".
///
/// Source: Pettitt, "A non-parametric approach to the change-point problem", Applied Statistics 28(2), 1979. Its
/// approximation 2 exp(-6 K² / (n³ + n²)) is many times too large at a dozen rounds (0.031 for a perfect step in the
/// middle of 12, whose exact p is 2 / 924), so that p is counted over seeded random orders of the same values, the
/// observed one included (Phipson and Smyth, "Permutation p-values should never be zero", Statistical Applications in
/// Genetics and Molecular Biology 9(1), 2010). It supposes that rounds are independent but for the step.
public struct Pettitt: Sendable, Hashable {
  /// Orders drawn.
  static let orders = 1_999

  /// max |U|: how much later values outrank earlier ones at the likeliest cut.
  public let score: Int
  /// Index of the first value after the step.
  public let firstAfter: Int
  /// Two-sided and not corrected.
  public let p: Double

  /// - Parameter values: in the order of the rounds, finite.
  /// - Returns: nil below 2 values.
  public init?(_ values: [Double], seed: UInt64 = 0) {
    precondition(values.allSatisfy(\.isFinite), "figures are finite")
    guard values.count >= 2 else { return nil }
    var ranks = doubledRanks(values)
    let observed = Self.largest(ranks)
    var generator = SplitMix64(seed: seed)
    var reached = 1
    for _ in 0..<Self.orders {
      for index in stride(from: ranks.count - 1, through: 1, by: -1) {
        ranks.swapAt(index, generator.index(below: index + 1))
      }
      if Self.largest(ranks).score >= observed.score { reached += 1 }
    }
    score = observed.score
    firstAfter = observed.cut
    p = Double(reached) / Double(Self.orders + 1)
  }

  /// The largest |U|, U = 2 (sum of the first t ranks) - t (n + 1), and the first t that reaches it.
  private static func largest(_ doubledRanks: [Int]) -> (score: Int, cut: Int) {
    let n = doubledRanks.count
    var sum = 0
    var best = (score: -1, cut: 1)
    for t in 1..<n {
      sum += doubledRanks[t - 1]
      let score = abs(sum - t * (n + 1))
      if score > best.score { best = (score, t) }
    }
    return best
  }
}
