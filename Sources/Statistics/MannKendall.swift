// Does a series rise or fall? Kendall's S counts the pairs that do, and is the one statistic behind the trend test and
// the interval of the Theil-Sen slope.

/// The Mann-Kendall test of "no trend", two-sided.
///
/// Source: Mann, "Nonparametric tests against trend", Econometrica 13(3), 1945; Kendall, "Rank Correlation Methods",
/// 4th ed. 1970. Exact where no two values are equal and there are at most ``exactUpTo``; otherwise the normal
/// approximation with continuity correction and, for equal values, the corrected variance (Kendall, chapter 4).
/// It supposes that rounds are independent but for the trend.
public struct MannKendall: Sendable, Hashable {
  /// Values up to which the distribution is counted out, in n⁴ / 8 steps; the approximation is good to 1 % there.
  public static let exactUpTo = 50

  /// Pairs that rise less pairs that fall.
  public let score: Int
  /// Two-sided and not corrected; 1 below 2 values.
  public let p: Double
  public let isExact: Bool

  /// - Parameter values: in the order of the rounds, finite.
  public init(_ values: [Double]) {
    precondition(values.allSatisfy(\.isFinite), "figures are finite")
    var score = 0
    for (index, a) in values.enumerated() {
      for b in values[(index + 1)...] { score += b > a ? 1 : b < a ? -1 : 0 }
    }
    self.score = score
    let n = values.count
    let ties = tieSizes(values)
    isExact = ties.isEmpty && n <= Self.exactUpTo
    if n < 2 {
      p = 1
    } else if isExact {
      let discordant = (n * (n - 1) / 2 - abs(score)) / 2
      p = min(1, 2 * discordanceDistribution(n)[...discordant].reduce(0, +))
    } else {
      let deviation = kendallVariance(count: n, ties: ties).squareRoot()
      p = deviation > 0 ? min(1, 2 * Normal.tail(above: Double(max(0, abs(score) - 1)) / deviation)) : 1
    }
  }
}

/// How many values each group of equal ones has, groups of one left out.
func tieSizes(_ values: [Double]) -> [Int] {
  Dictionary(values.map { ($0, 1) }, uniquingKeysWith: +).values.filter { $0 > 1 }
}

/// The variance of Kendall's S where one of the two series has ties.
func kendallVariance(count: Int, ties: [Int]) -> Double {
  func term(_ n: Int) -> Double { Double(n) * Double(n - 1) * Double(2 * n + 5) }
  return ties.reduce(term(count)) { $0 - term($1) } / 18
}

/// The probability of each number of discordant pairs (inversions) in a random permutation.
/// - Returns: numbers 0 ... n (n - 1) / 2.
func discordanceDistribution(_ n: Int) -> [Double] {
  var distribution = [1.0]
  for inserted in stride(from: 2, through: n, by: 1) {
    // The next value jumps over 0 ... inserted - 1 of those before it, all equally likely: a moving sum.
    var next = [Double](repeating: 0, count: distribution.count + inserted - 1)
    for (pairs, probability) in distribution.enumerated() {
      for jumped in 0..<inserted { next[pairs + jumped] += probability / Double(inserted) }
    }
    distribution = next
  }
  return distribution
}
