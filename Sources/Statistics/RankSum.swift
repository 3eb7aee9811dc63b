// The check beside Welch's test, for two runs without common rounds: Wilcoxon's rank-sum test. It trusts only that
// under "no difference" every division of the rounds into two runs is equally likely; where it disagrees with the t
// test, a few rounds carry the whole claim.

import Glibc

/// The rank-sum test (Mann and Whitney's U) of "both come from one distribution", two-sided. It is printed and never
/// decides.
///
/// Source: Wilcoxon, "Individual comparisons by ranking methods", Biometrics Bulletin 1(6), 1945; Mann and Whitney, "On
/// a test of whether one of two random variables is stochastically larger than the other", Annals of Mathematical
/// Statistics 18(1), 1947. Declared treatment: equal figures share the mean of their ranks, and the distribution is
/// that of the ranks as they came out, ties included (Streitberg and Röhmel, see ``SignedRank``). Above ``exactUpTo``
/// rounds it is the normal approximation with the variance of the ranks as they are and continuity correction.
public struct RankSum: Sendable, Hashable {
  /// Rounds of both runs together up to which the distribution is counted out.
  public static let exactUpTo = 60

  /// The sum of head's ranks among all rounds of both.
  public let headRankSum: Double
  public let baseRounds: Int
  public let headRounds: Int
  /// Two-sided and not corrected: twice the smaller tail, at most 1; 1 if a run has no round.
  public let p: Double
  /// False where the normal approximation was used.
  public let isExact: Bool

  /// - Precondition: no figure is NaN.
  public init(base: [Double], head: [Double]) {
    precondition((base + head).allSatisfy { !$0.isNaN }, "figures of numbers have no NaN")
    let ranks = doubledRanks(head + base)
    let sum = ranks[..<head.count].reduce(0, +)
    headRankSum = Double(sum) / 2
    baseRounds = base.count
    headRounds = head.count
    isExact = ranks.count <= Self.exactUpTo
    if base.isEmpty || head.isEmpty {
      p = 1
    } else if isExact {
      let ways = rankSumWays(ranks, choosing: head.count)
      let tail = min(ways[...sum].reduce(0, +), ways[sum...].reduce(0, +))
      p = min(1, 2 * tail / ways.reduce(0, +))
    } else {
      p = Self.approximateP(sum, of: ranks, choosing: head.count)
    }
  }

  /// Mean and variance of the sum of a random choice without replacement, from the doubled ranks.
  private static func approximateP(_ sum: Int, of ranks: [Int], choosing size: Int) -> Double {
    let all = Double(ranks.count)
    let chosen = Double(size)
    let mean = Double(ranks.reduce(0, +)) / all
    let squares = ranks.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
    let variance = chosen * (all - chosen) / (all * (all - 1)) * squares / 4
    let deviation = abs(Double(sum) - chosen * mean) / 2
    guard variance > 0 else { return 1 }
    return min(1, 2 * Normal.tail(above: max(0, deviation - 0.5) / variance.squareRoot()))
  }
}

/// In how many ways so many of the ranks have each sum.
/// - Returns: by sum, from 0 to that of all ranks. Counts beyond 2^53 are rounded, by 1e-16 of themselves.
func rankSumWays(_ ranks: [Int], choosing size: Int) -> [Double] {
  let largest = ranks.reduce(0, +)
  var ways = [[Double]](repeating: [Double](repeating: 0, count: largest + 1), count: size + 1)
  ways[0][0] = 1
  for (position, rank) in ranks.enumerated() {
    // From the largest choice down, so that each rank is taken once.
    for taken in stride(from: min(position + 1, size), through: 1, by: -1) {
      for sum in rank...largest { ways[taken][sum] += ways[taken - 1][sum - rank] }
    }
  }
  return ways[size]
}
