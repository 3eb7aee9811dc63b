// How sure one can be of a probability that was counted, and of a ratio of two variances: both are quantiles of beta
// distributions.

import Glibc

/// The interval of a probability, from how often something happened: it covers at least as often as its level says.
///
/// Source: Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
/// Biometrika 26(4), 1934; the ends are quantiles of beta distributions, which lets both counts be fractions, as those
/// of dependent trials that are worth fewer independent ones are.
/// - Precondition: there are trials, the count lies within 0 and their number, the level within 0 ... 1.
public func proportionInterval(of count: Double, outOf trials: Double, level: Double = 0.95) -> Interval {
  precondition(trials > 0 && (0...trials).contains(count), "a count lies within its trials")
  precondition(level > 0 && level < 1, "a level lies within 0 ... 1")
  return Interval(
    low: count == 0 ? 0 : betaQuantile((1 - level) / 2, count, trials - count + 1),
    high: count == trials ? 1 : betaQuantile((1 + level) / 2, count + 1, trials - count), level: level)
}

/// Two variances of independent normal samples, by their ratio.
///
/// Source: Snedecor and Cochran, "Statistical Methods", 8th ed. 1989, chapter 6.12.
public struct VarianceRatio: Sendable, Hashable {
  /// The first over the second.
  public let ratio: Double
  /// Of the first, and of the second.
  public let firstDegrees: Int
  public let secondDegrees: Int

  /// - Returns: nil unless both variances are positive, and have degrees of freedom.
  public init?(_ first: Double, degrees firstDegrees: Int, to second: Double, degrees secondDegrees: Int) {
    guard first > 0, second > 0, first.isFinite, second.isFinite, firstDegrees > 0, secondDegrees > 0 else {
      return nil
    }
    ratio = first / second
    self.firstDegrees = firstDegrees
    self.secondDegrees = secondDegrees
  }

  /// The F interval of the ratio of the true variances.
  /// - Precondition: the level lies within 0 ... 1.
  public func interval(level: Double = 0.95) -> Interval {
    precondition(level > 0 && level < 1, "a level lies within 0 ... 1")
    let probability = (1 + level) / 2
    return Interval(
      low: ratio / fQuantile(probability, firstDegrees, secondDegrees),
      high: ratio * fQuantile(probability, secondDegrees, firstDegrees), level: level)
  }
}

/// The value that F's distribution has the given probability below.
func fQuantile(_ probability: Double, _ first: Int, _ second: Int) -> Double {
  // By the smaller tail: next to 1 a beta quantile would have no digits left to say how far from it.
  if probability > 0.5 { return 1 / fQuantile(1 - probability, second, first) }
  let share = betaQuantile(probability, Double(first) / 2, Double(second) / 2)
  return Double(second) * share / (Double(first) * (1 - share))
}

/// - Precondition: the probability lies within 0 ... 1, a and b are positive.
func betaQuantile(_ probability: Double, _ a: Double, _ b: Double) -> Double {
  var low = 0.0
  var high = 1.0
  while true {
    let middle = low + (high - low) / 2
    if middle <= low || middle >= high { return middle }
    if regularizedIncompleteBeta(middle, a, b) < probability { low = middle } else { high = middle }
  }
}
