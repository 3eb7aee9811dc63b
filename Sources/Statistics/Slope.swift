// A line through a few points, and the interval of a mean: what a run says about marginal costs.

/// The slope of a line through points by Theil (1950) and Sen, "Estimates of the regression coefficient based on
/// Kendall's tau", Journal of the American Statistical Association 63(324), 1968: the median of the slopes between all
/// pairs, so that one odd point among several cannot tilt it.
/// - Returns: nil unless there are two different x.
/// - Precondition: all numbers are finite.
public func theilSenSlope(_ points: [(x: Double, y: Double)]) -> Double? {
  median(pairSlopes(points))
}

/// The interval of the Theil-Sen slope that Kendall's test inverts to: Sen (1968), section 6; Hollander, Wolfe and
/// Chicken, "Nonparametric Statistical Methods", 3rd ed. 2014, section 9.3. Exact where all x differ and there are at
/// most ``MannKendall/exactUpTo`` points, otherwise from the normal approximation with Sen's variance for tied x.
/// - Returns: refused where even the whole range of slopes covers with less than the level: below 5 points at 95 %.
/// - Precondition: all numbers are finite, the level lies within 0 ... 1.
public func theilSenInterval(
  _ points: [(x: Double, y: Double)], level: Double = 0.95
) -> Result<Interval, NoInterval> {
  precondition(level > 0 && level < 1, "a level lies within 0 ... 1")
  let slopes = pairSlopes(points).sorted()
  let ties = tieSizes(points.map(\.x))
  let cut: Int
  if ties.isEmpty && points.count <= MannKendall.exactUpTo {
    cut = quantileBelow(discordanceDistribution(points.count), tail: (1 - level) / 2)
  } else {
    let reach = Normal.quantile((1 + level) / 2) * kendallVariance(count: points.count, ties: ties).squareRoot()
    cut = Int(((Double(slopes.count) - reach) / 2).rounded(.down))
  }
  guard cut >= 1, cut <= slopes.count - cut + 1 else {
    return .failure(.tooFewPoints(have: points.count))
  }
  return .success(Interval(low: slopes[cut - 1], high: slopes[slopes.count - cut], level: level))
}

/// The slopes between all pairs of points with different x.
private func pairSlopes(_ points: [(x: Double, y: Double)]) -> [Double] {
  precondition(points.allSatisfy { $0.x.isFinite && $0.y.isFinite }, "a line goes through finite points")
  var slopes: [Double] = []
  for (index, a) in points.enumerated() {
    for b in points[(index + 1)...] where a.x != b.x { slopes.append((b.y - a.y) / (b.x - a.x)) }
  }
  return slopes
}

/// The line of least squares, for errors that are independent, equally large and near normal.
///
/// Source: Draper and Smith, "Applied Regression Analysis", 3rd ed. 1998, chapter 1.
public struct LeastSquaresLine: Sendable, Hashable {
  /// y per x.
  public let slope: Double
  /// y at x = 0.
  public let intercept: Double
  /// Of the slope; 0 where the points lie on the line, nil for 2 points, which always do.
  public let standardError: Double?
  public let points: Int

  /// - Returns: nil unless there are two different x.
  /// - Precondition: all numbers are finite, and not so large that their squares are not.
  public init?(_ points: [(x: Double, y: Double)]) {
    precondition(points.allSatisfy { $0.x.isFinite && $0.y.isFinite }, "a line goes through finite points")
    guard let first = points.first, points.contains(where: { $0.x != first.x }) else { return nil }
    let n = Double(points.count)
    let meanX = points.reduce(0) { $0 + $1.x } / n
    let meanY = points.reduce(0) { $0 + $1.y } / n
    let squares = points.reduce(0) { $0 + ($1.x - meanX) * ($1.x - meanX) }
    // Different x may still be too close for their squares.
    guard squares > 0 else { return nil }
    let slope = points.reduce(0) { $0 + ($1.x - meanX) * ($1.y - meanY) } / squares
    self.slope = slope
    intercept = meanY - slope * meanX
    self.points = points.count
    let residuals = points.reduce(0.0) { sum, point in
      let residual = point.y - meanY - slope * (point.x - meanX)
      return sum + residual * residual
    }
    standardError = points.count > 2 ? (residuals / (n - 2) / squares).squareRoot() : nil
  }

  /// Student's interval of the slope, with n - 2 degrees of freedom.
  /// - Returns: refused below 3 points.
  public func slopeInterval(level: Double = 0.95) -> Result<Interval, NoInterval> {
    guard let standardError else { return .failure(.tooFewPoints(have: points)) }
    let reach = StudentT(degreesOfFreedom: Double(points - 2)).quantile((1 + level) / 2) * standardError
    return .success(Interval(low: slope - reach, high: slope + reach, level: level))
  }
}

/// Student's interval of the mean of values that may be of either sign; those of ratios are ``Spread``'s.
/// - Parameter values: one per round, finite.
public func meanInterval(_ values: [Double], level: Double = 0.95) -> Result<Interval, NoInterval> {
  precondition(values.allSatisfy(\.isFinite), "figures are finite")
  guard values.count >= Spread.roundsForInterval else {
    return .failure(.tooFewRounds(have: values.count, need: Spread.roundsForInterval))
  }
  let moments = Moments(values)
  let reach = moments.reach(level: level)
  return .success(Interval(low: moments.mean - reach, high: moments.mean + reach, level: level))
}
