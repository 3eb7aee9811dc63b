// What went wrong with a series of rounds: a drift, a step, odd rounds. All of it is reported and none of it removed:
// the rule was declared before the data, and a round that is dropped for its value is a claim made by hand.

/// What the rounds of one figure show beyond scatter.
public struct Disturbances: Sendable, Hashable {
  /// A monotone trend over the rounds.
  public struct Drift: Sendable, Hashable {
    public let test: MannKendall
    /// The Theil-Sen slope: the figure's unit per round.
    public let slopePerRound: Double
    /// What the slope adds up to from the first round to the last, over the absolute median; nil where that is 0.
    public let relativeChange: Double?
  }

  /// A change of level between two rounds.
  public struct Step: Sendable, Hashable {
    public let test: Pettitt
    /// The median after the step over the one before; nil unless both are positive.
    public let ratio: Double?
  }

  /// One odd round.
  public struct Outlier: Sendable, Hashable {
    /// Index into the values.
    public let index: Int
    public let value: Double
    /// The modified z score, above 0 for large values.
    public let score: Double
  }

  /// nil unless the Mann-Kendall test rejects "no trend".
  public let drift: Drift?
  /// nil unless Pettitt's test rejects "no step". A drift looks like a step to it, and a step like a drift to the
  /// other: both may be reported.
  public let step: Step?
  public let outliers: [Outlier]

  public var isEmpty: Bool { drift == nil && step == nil && outliers.isEmpty }

  /// - Parameters:
  ///   - values: one per round, in the order of the rounds, finite.
  ///   - level: of each of the two tests; not corrected, since this is a warning and no claim.
  /// - Precondition: all values are finite.
  public init(_ values: [Double], level: Double = 0.01) {
    let trend = MannKendall(values)
    if trend.p <= level, let slope = theilSenSlope(values.enumerated().map { (Double($0), $1) }) {
      let middle = abs(median(values) ?? 0)
      drift = Drift(
        test: trend, slopePerRound: slope,
        relativeChange: middle > 0 ? slope * Double(values.count - 1) / middle : nil)
    } else {
      drift = nil
    }
    if let test = Pettitt(values), test.p <= level {
      let before = median(Array(values[..<test.firstAfter])) ?? 0
      let after = median(Array(values[test.firstAfter...])) ?? 0
      step = Step(test: test, ratio: before > 0 && after > 0 ? after / before : nil)
    } else {
      step = nil
    }
    outliers = Self.outliers(in: values)
  }

  /// Values that lie too far from the median, in units of the median distance from it (MAD); on logarithms where all
  /// values are positive, since figures vary by factors. Where more than half of the values are equal that median is 0,
  /// and the mean distance takes its place, with the plain cutoff.
  ///
  /// Source: Iglewicz and Hoaglin, "How to Detect and Handle Outliers", ASQC 1993: the score and its least cutoff,
  /// 3.5. With a dozen rounds the MAD itself scatters so much that 3.5 finds an outlier in one of nine normal series.
  /// The cutoff is therefore no less than what the largest of n scores exceeds in 5 % of the series at most, taking the
  /// score as Student's t with the share of the n - 1 degrees of freedom that the MAD makes use of, 37 % (Rousseeuw and
  /// Croux, "Alternatives to the median absolute deviation", Journal of the American Statistical Association 88(424),
  /// 1993): 18 at 5 rounds, 5.8 at 12, 4.2 at 30.
  /// - Returns: in the order of the values; none below 5, where a median of distances says nothing.
  public static func outliers(in values: [Double]) -> [Outlier] {
    precondition(values.allSatisfy(\.isFinite), "figures are finite")
    let scale = logarithms(values) ?? values
    let n = Double(values.count)
    guard values.count >= Spread.roundsForInterval, let middle = median(scale) else { return [] }
    let distances = scale.map { abs($0 - middle) }
    // Distances that are rounding errors are none.
    let rounding = LogRatios.rounding * max(1, abs(middle))
    // 0.6745 of a normal distribution's standard deviation is its MAD; the mean distance is sqrt(2 / pi) of it.
    var deviation = (median(distances) ?? 0) / 0.6745
    var cutoff = 3.5
    if deviation > rounding {
      cutoff = max(cutoff, StudentT(degreesOfFreedom: 0.37 * (n - 1)).quantile(1 - 0.05 / (2 * n)))
    } else {
      deviation = distances.reduce(0, +) / n * (.pi / 2).squareRoot()
    }
    guard deviation > rounding else { return [] }
    return scale.indices.compactMap { index in
      let score = (scale[index] - middle) / deviation
      return abs(score) > cutoff ? Outlier(index: index, value: values[index], score: score) : nil
    }
  }
}
