// How many rounds find a difference, and which difference a number of rounds finds: the exact power of the paired t
// test, from the noncentral t distribution (Cohen, "Statistical Power Analysis for the Behavioral Sciences", 2nd ed.
// 1988, chapter 2; Johnson, Kotz and Balakrishnan, "Continuous Univariate Distributions" 2, 2nd ed. 1995, chapter 31).

import Glibc

/// The power of the two-sided paired t test on log-ratios.
public struct PowerAnalysis: Sendable, Hashable {
  /// More rounds than anybody runs: the search for a number of them ends here.
  public static let mostRounds = 1_000_000

  /// The standard deviation of log(head / base) from round to round; 0.085 is 8.5 %.
  public let spread: Double
  /// The level of one test of the family: 0.05 / 6 for the first of six claims under Holm's correction.
  public let level: Double

  /// - Parameters:
  ///   - spread: the standard deviation of the log-ratio between rounds.
  ///   - level: of the whole family.
  ///   - familySize: claims declared. Holm's correction begins with level / familySize, and so does this: the power is
  ///     that of a claim that stands alone in its family.
  /// - Precondition: the spread is one of logarithms of doubles (0 ... 3,000), the level within 0 ... 1, the family not
  ///   empty.
  public init(spread: Double, level: Double = 0.05, familySize: Int = 1) {
    precondition(LogRatios.spreads.contains(spread), "this is no spread of log-ratios")
    precondition(level > 0 && level < 1 && familySize > 0, "a family has claims and a level")
    self.spread = spread
    self.level = level / Double(familySize)
  }

  /// For models whose trials each vary by a share of their figure, independently: 0.06 for 6 %. The difference of two
  /// logarithms has twice the variance of one.
  public init(spreadPerTrial: Double, level: Double = 0.05, familySize: Int = 1) {
    self.init(spread: spreadPerTrial * 2.0.squareRoot(), level: level, familySize: familySize)
  }

  /// The probability that a true ratio is found.
  /// - Parameter ratio: head / base; 1.1 and 1 / 1.1 are equally hard.
  /// - Returns: 0 below 2 rounds, where there is no test; the level for a ratio of 1.
  /// - Precondition: the ratio is positive and finite.
  public func power(ratio: Double, rounds: Int) -> Double {
    precondition(ratio > 0 && ratio.isFinite, "a ratio is positive")
    return power(effect: abs(log(ratio)), rounds: rounds)
  }

  private func power(effect: Double, rounds: Int) -> Double {
    guard rounds >= 2 else { return 0 }
    if effect == 0 { return level }
    guard spread > LogRatios.rounding else { return 1 }
    let degrees = Double(rounds - 1)
    let critical = StudentT(degreesOfFreedom: degrees).quantile(1 - level / 2)
    let noncentrality = effect / spread * Double(rounds).squareRoot()
    return NoncentralT(degreesOfFreedom: degrees, noncentrality: noncentrality).tail(above: critical)
      + NoncentralT(degreesOfFreedom: degrees, noncentrality: -noncentrality).tail(above: critical)
  }

  /// The least number of rounds that finds a true ratio with the given probability.
  /// - Returns: at least ``Spread/roundsForInterval``, since a claim is shown with its interval; nil if ``mostRounds``
  ///   would not do, as for a ratio of 1.
  /// - Precondition: the ratio is positive, the power between the level and 1.
  public func rounds(toFind ratio: Double, power: Double = 0.95) -> Int? {
    precondition(ratio > 0 && ratio.isFinite, "a ratio is positive")
    precondition(power > level && power < 1, "power lies between the level and 1")
    let effect = abs(log(ratio))
    guard effect > 0 else { return nil }
    // Power grows with the rounds: bracket, then halve.
    var low = Spread.roundsForInterval - 1
    var high = Spread.roundsForInterval
    while self.power(effect: effect, rounds: high) < power {
      guard high < Self.mostRounds else { return nil }
      low = high
      high = min(2 * high, Self.mostRounds)
    }
    while high - low > 1 {
      let middle = (low + high) / 2
      if self.power(effect: effect, rounds: middle) < power { low = middle } else { high = middle }
    }
    return high
  }

  /// The smallest ratio above 1 that is found with the given probability; its inverse is found as well.
  /// - Returns: nil below ``Spread/roundsForInterval``, or if the ratio would be more than a double holds.
  /// - Precondition: the power lies between the level and 1.
  public func smallestRatio(rounds: Int, power: Double = 0.95) -> Double? {
    precondition(power > level && power < 1, "power lies between the level and 1")
    guard rounds >= Spread.roundsForInterval else { return nil }
    guard spread > LogRatios.rounding else { return 1 }
    var low = 0.0
    var high = spread
    while self.power(effect: high, rounds: rounds) < power { high *= 2 }
    // A ratio is printed with four digits at most.
    while high - low > 1e-9 * high {
      let middle = (low + high) / 2
      if self.power(effect: middle, rounds: rounds) < power { low = middle } else { high = middle }
    }
    return exp(high).isFinite ? exp(high) : nil
  }
}
