// The test that decides. It is declared here, once, before any data: Student's paired t test on the logarithms of the
// ratios within rounds. Nothing else decides; the signed-rank test (``SignedRank``) is printed beside it.
//
// Why t and not ranks: with a family of six, ranks cannot reject at all below 8 rounds, and lose power above. What the t
// test's level needs of data that are not normal is symmetry and independence, and the plan provides both: within a
// round the models run in random order, so that under "no difference" a log-ratio is as likely as its opposite, and
// what lasts from round to round cancels in it.

import Glibc

/// Student's t test of "the ratio is 1", two-sided.
///
/// Source: Student, "The probable error of a mean", Biometrika 6(1), 1908; for two runs without common rounds Welch,
/// "The generalization of Student's problem when several different population variances are involved", Biometrika
/// 34(1-2), 1947.
public struct RatioTest: Sendable, Hashable {
  /// Which figures belong together.
  public enum Design: Sendable, Hashable, CustomStringConvertible {
    /// Both were measured in the same rounds: the decision rule of a run.
    case pairedWithinRounds
    /// Two runs at different times: their rounds have nothing in common, and pairing them would pretend to.
    case independentRuns

    /// The test's name, as a claim cites it.
    public var description: String {
      switch self {
      case .pairedWithinRounds: "paired t test on log-ratios within rounds"
      case .independentRuns: "Welch's t test on logarithms"
      }
    }
  }

  public let design: Design
  /// Rounds compared; those of the smaller run where runs are independent.
  public let rounds: Int
  /// The mean of log(head / base).
  public let meanLogRatio: Double
  /// The standard deviation of log(head / base) from round to round: what more rounds divide by their square root.
  public let spread: Double
  /// The standard error of `meanLogRatio`.
  public let standardError: Double
  public let degreesOfFreedom: Double
  /// Two-sided and not corrected for other tests.
  ///
  /// Rounds that all agree exactly leave no variance for t. What is known then is that none of the equally likely
  /// relabellings is more extreme: p is that of the randomisation test, 2 in 2^n for pairs, never 0; and 1 where the
  /// rounds agree on "equal".
  public let p: Double

  /// The geometric mean of head / base.
  public var ratio: Double { exp(meanLogRatio) }

  /// t; nil where the rounds do not vary.
  public var statistic: Double? { standardError > 0 ? meanLogRatio / standardError : nil }

  /// The paired test: the decision rule.
  /// - Returns: nil below 2 rounds.
  public init?(_ ratios: LogRatios) {
    guard ratios.count >= 2 else { return nil }
    let moments = Moments(ratios.values)
    self.init(
      design: .pairedWithinRounds, rounds: ratios.count, mean: moments.mean, variance: moments.variance,
      squaredError: moments.variance / Double(ratios.count), degreesOfFreedom: Double(ratios.count - 1),
      withoutSpread: exp2(1 - Double(ratios.count)))
  }

  /// Welch's test: for figures of two runs.
  /// - Returns: nil below 2 rounds of either.
  /// - Throws: ``NoComparison`` for the first figure that has no logarithm.
  public init?(independentBase base: [Double], head: [Double]) throws(NoComparison) {
    for values in [base, head] {
      for (round, value) in values.enumerated() where !(value > 0 && value.isFinite) {
        throw .notPositive(round: round, value: value)
      }
    }
    guard base.count >= 2, head.count >= 2 else { return nil }
    let b = Moments(base.map { log($0) })
    let h = Moments(head.map { log($0) })
    let errors = [b, h].map { $0.variance / Double($0.count) }
    let squaredError = errors[0] + errors[1]
    let denominator =
      errors[0] * errors[0] / Double(b.count - 1) + errors[1] * errors[1] / Double(h.count - 1)
    let arrangements =
      logGamma(Double(b.count + h.count + 1)) - logGamma(Double(b.count + 1)) - logGamma(Double(h.count + 1))
    self.init(
      design: .independentRuns, rounds: min(b.count, h.count), mean: h.mean - b.mean,
      variance: b.variance + h.variance, squaredError: squaredError,
      degreesOfFreedom: denominator > 0
        ? squaredError * squaredError / denominator : Double(b.count + h.count - 2),
      withoutSpread: min(1, 2 * exp(-arrangements)))
  }

  private init(
    design: Design, rounds: Int, mean: Double, variance: Double, squaredError: Double, degreesOfFreedom: Double,
    withoutSpread: Double
  ) {
    let spread = variance.squareRoot()
    let varies = spread > LogRatios.rounding
    self.design = design
    self.rounds = rounds
    meanLogRatio = abs(mean) > LogRatios.rounding ? mean : 0
    self.spread = varies ? spread : 0
    standardError = varies ? squaredError.squareRoot() : 0
    self.degreesOfFreedom = degreesOfFreedom
    if varies {
      p = min(1, 2 * StudentT(degreesOfFreedom: degreesOfFreedom).tail(above: abs(mean) / standardError))
    } else {
      p = meanLogRatio == 0 ? 1 : withoutSpread
    }
  }

  /// The t interval of the ratio: it excludes 1 exactly where the uncorrected test rejects at 1 - level, so that it may
  /// exclude 1 where a corrected claim is not made. Of no width where the rounds agree exactly.
  /// - Returns: refused below 5 rounds.
  /// - Precondition: the level lies within 0 ... 1.
  public func interval(level: Double = 0.95) -> Result<Interval, NoInterval> {
    guard rounds >= Spread.roundsForInterval else {
      return .failure(.tooFewRounds(have: rounds, need: Spread.roundsForInterval))
    }
    let reach = StudentT(degreesOfFreedom: degreesOfFreedom).quantile((1 + level) / 2) * standardError
    return .success(Interval(low: exp(meanLogRatio - reach), high: exp(meanLogRatio + reach), level: level))
  }
}
