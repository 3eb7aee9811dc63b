// The check beside the decision: Wilcoxon's signed-rank test. It trusts only that a ratio and its inverse are equally
// likely under "no difference"; where it disagrees with the t test, a few rounds carry the whole claim.

import Glibc

/// The signed-rank test of "the ratio is 1", two-sided. It is printed and never decides.
///
/// Source: Wilcoxon, "Individual comparisons by ranking methods", Biometrics Bulletin 1(6), 1945.
/// Declared treatment: rounds whose ratio is exactly 1 are dropped and counted (Wilcoxon's own way), equal differences
/// share the mean of their ranks, and the distribution is that of the ranks as they came out, ties included (the shift
/// algorithm of Streitberg and Röhmel, "Exact distributions for permutation and rank tests", Statistical Software
/// Newsletter 12(1), 1986). Above ``exactUpTo`` rounds it is the normal approximation with continuity correction.
public struct SignedRank: Sendable, Hashable {
  /// Rounds up to which the distribution is counted out.
  public static let exactUpTo = 100

  /// The sum of the ranks of the rounds in which head is larger.
  public let positiveRankSum: Double
  /// Rounds that are ranked.
  public let ranked: Int
  /// Rounds with a ratio of exactly 1, left out of the ranking.
  public let equal: Int
  /// Two-sided and not corrected: twice the smaller tail, at most 1; 1 if no round is ranked.
  public let p: Double
  /// False where the normal approximation was used.
  public let isExact: Bool

  /// The least p that so many rounds allow: two of the 2^n equally likely assignments of signs.
  public static func smallestP(rounds: Int) -> Double { rounds < 1 ? 1 : exp2(1 - Double(rounds)) }

  /// The least number of rounds with which the test can reject at a level.
  /// - Precondition: the level lies within 0 ... 1.
  public static func rounds(forLevel level: Double) -> Int {
    precondition(level > 0 && level < 1, "a level lies within 0 ... 1")
    return Int((1 - log2(level)).rounded(.up))
  }

  public init(_ ratios: LogRatios) {
    // Differences that only rounding tells apart are ties.
    let differences = ratios.values.map { ($0 / LogRatios.rounding).rounded() }.filter { $0 != 0 }
    ranked = differences.count
    equal = ratios.count - ranked
    isExact = ranked <= Self.exactUpTo

    let doubled = doubledRanks(differences.map { abs($0) })
    var positive = 0
    for (rank, difference) in zip(doubled, differences) where difference > 0 { positive += rank }
    positiveRankSum = Double(positive) / 2

    let total = doubled.reduce(0, +)
    if ranked == 0 {
      p = 1
    } else if isExact {
      // By symmetry one tail is enough: sums at most as far below the middle as this one is off it.
      let below = min(positive, total - positive)
      p = min(1, 2 * signedRankDistribution(doubled)[...below].reduce(0, +))
    } else {
      let deviation = abs(Double(positive) - Double(total) / 2) / 2
      let variance = doubled.reduce(0) { $0 + Double($1) * Double($1) } / 16
      p = min(1, 2 * Normal.tail(above: max(0, deviation - 0.5) / variance.squareRoot()))
    }
  }
}

/// Twice the rank of each value among all, counted from 1: doubled, because equal values share the mean of their ranks.
func doubledRanks(_ values: [Double]) -> [Int] {
  let order = values.indices.sorted { values[$0] < values[$1] }
  var ranks = [Int](repeating: 0, count: values.count)
  var start = 0
  while start < order.count {
    var end = start + 1
    while end < order.count && values[order[end]] == values[order[start]] { end += 1 }
    // Ranks start + 1 ... end: twice their mean.
    for position in start..<end { ranks[order[position]] = start + 1 + end }
    start = end
  }
  return ranks
}

/// The probability of each sum of a random half of the ranks: every rank is in it or not, with equal probability.
/// - Returns: sums 0 ... total.
func signedRankDistribution(_ ranks: [Int]) -> [Double] {
  var distribution = [Double](repeating: 0, count: ranks.reduce(0, +) + 1)
  distribution[0] = 1
  var reached = 0
  for rank in ranks {
    reached += rank
    // Downwards, so that each rank is taken once.
    for sum in stride(from: reached, through: 0, by: -1) {
      distribution[sum] = (distribution[sum] + (sum >= rank ? distribution[sum - rank] : 0)) / 2
    }
  }
  return distribution
}
