// The estimate that belongs to the signed-rank check: a ratio that one odd round cannot move.

import Glibc

/// The Hodges-Lehmann estimate of a ratio, with the interval that the signed-rank test inverts to.
///
/// Source: Hodges and Lehmann, "Estimates of location based on rank tests", Annals of Mathematical Statistics 34(2),
/// 1963; the interval as in Hollander, Wolfe and Chicken, "Nonparametric Statistical Methods", 3rd ed. 2014, section
/// 3.3. Ranks are discrete, so that the interval covers with at least its level, which is reported as asked for.
public struct HodgesLehmann: Sendable, Hashable {
  /// exp of the median of the means of all pairs of log-ratios, each with itself included.
  public let ratio: Double
  /// Of the ratio. Refused where even the whole range of the rounds covers with less than the level: below 6 rounds at
  /// 95 %.
  public let interval: Result<Interval, NoInterval>

  /// - Returns: nil for no rounds.
  /// - Precondition: the level lies within 0 ... 1.
  public init?(_ ratios: LogRatios, level: Double = 0.95) {
    precondition(level > 0 && level < 1, "a level lies within 0 ... 1")
    let values = ratios.values
    var means: [Double] = []
    means.reserveCapacity(values.count * (values.count + 1) / 2)
    for (index, a) in values.enumerated() {
      for b in values[index...] { means.append(a / 2 + b / 2) }
    }
    means.sort()
    guard let middle = median(means) else { return nil }
    ratio = exp(middle)

    let cut: Int
    if values.count <= SignedRank.exactUpTo {
      cut = quantileBelow(signedRankDistribution(Array(1...values.count)), tail: (1 - level) / 2)
    } else {
      let n = Double(values.count)
      let deviation = (n * (n + 1) * (2 * n + 1) / 24).squareRoot()
      // With the continuity correction of the test.
      cut = Int((n * (n + 1) / 4 - Normal.quantile((1 + level) / 2) * deviation + 0.5).rounded(.down))
    }
    interval =
      cut < 1
      ? .failure(.tooFewRounds(have: values.count, need: SignedRank.rounds(forLevel: 1 - level)))
      : .success(Interval(low: exp(means[cut - 1]), high: exp(means[means.count - cut]), level: level))
  }
}

/// How many of a statistic's smallest values, taken together, have at most the given probability: the number of order
/// statistics to leave out on each side of an interval, plus one.
/// - Parameter distribution: the probabilities of 0, 1, ....
func quantileBelow(_ distribution: [Double], tail: Double) -> Int {
  var sum = 0.0
  for (value, probability) in distribution.enumerated() {
    sum += probability
    // Exact fractions such as 1 / 32 are meant to compare equal; their sum may be off by rounding.
    if sum > tail * (1 + 1e-12) { return value }
  }
  return distribution.count
}
