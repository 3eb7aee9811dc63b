// What a machine can resolve: measured by comparing a model with itself, stored, and printed beside every claim.

/// The spread of log-ratios between equal things, and so the smallest ratio that is found between unlike ones.
public struct Resolution: Sendable, Hashable {
  /// The standard deviation of the log-ratio between rounds, pooled over the comparisons.
  public let spread: Double
  /// Degrees of freedom behind it. Pairs of the same few models share trials, so that this is at most the number.
  public let degreesOfFreedom: Int

  /// From comparisons of one metric and workload in which both sides are the same model.
  ///
  /// Variances are pooled about each comparison's own mean, as the t test takes them: an offset between two equal
  /// models is an error of the machine that the tests of the A/A run have to show, and no scatter.
  /// - Returns: nil unless a comparison has 2 rounds.
  public init?(sameAgainstSame comparisons: [LogRatios]) {
    let usable = comparisons.filter { $0.count >= 2 }.map { Moments($0.values) }
    guard !usable.isEmpty else { return nil }
    degreesOfFreedom = usable.reduce(0) { $0 + $1.count - 1 }
    let squares = usable.reduce(0) { $0 + $1.variance * Double($1.count - 1) }
    spread = (squares / Double(degreesOfFreedom)).squareRoot()
  }

  /// A stored resolution.
  /// - Returns: nil unless the spread is one of logarithms of doubles (0 ... 3,000) and there are degrees of freedom.
  public init?(spread: Double, degreesOfFreedom: Int) {
    guard LogRatios.spreads.contains(spread), degreesOfFreedom > 0 else { return nil }
    self.spread = spread
    self.degreesOfFreedom = degreesOfFreedom
  }

  /// The smallest ratio that a family of claims finds with so many rounds, at the rule's level and power; its inverse
  /// is found as well.
  /// - Returns: nil below the rounds that the rule asks for.
  public func smallestRatio(rounds: Int, familySize: Int, rule: DecisionRule = DecisionRule()) -> Double? {
    guard familySize > 0, rounds >= rule.fewestRounds(familySize: familySize) else { return nil }
    return PowerAnalysis(spread: spread, level: rule.level, familySize: familySize)
      .smallestRatio(rounds: rounds, power: rule.power)
  }

  /// The rounds that find a ratio in a family of claims, at the rule's level and power.
  /// - Returns: nil if no practical number does.
  public func rounds(toFind ratio: Double, familySize: Int, rule: DecisionRule = DecisionRule()) -> Int? {
    guard familySize > 0, ratio > 0, ratio.isFinite else { return nil }
    return PowerAnalysis(spread: spread, level: rule.level, familySize: familySize)
      .rounds(toFind: ratio, power: rule.power).map { max($0, rule.fewestRounds(familySize: familySize)) }
  }
}
