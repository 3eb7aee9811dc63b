// A line through a few points, and the interval of a mean: what a run says about marginal costs.

/// The slope of a line through points by Theil (1950) and Sen, "Estimates of the regression coefficient based on
/// Kendall's tau", Journal of the American Statistical Association 63(324), 1968: the median of the slopes between all
/// pairs, so that one odd point among several cannot tilt it.
/// - Returns: nil unless there are two different x.
/// - Precondition: all numbers are finite.
public func theilSenSlope(_ points: [(x: Double, y: Double)]) -> Double? {
  precondition(points.allSatisfy { $0.x.isFinite && $0.y.isFinite }, "a line goes through finite points")
  var slopes: [Double] = []
  for (index, a) in points.enumerated() {
    for b in points[(index + 1)...] where a.x != b.x { slopes.append((b.y - a.y) / (b.x - a.x)) }
  }
  return median(slopes)
}

/// Student's interval of the mean of values that may be of either sign; those of ratios are ``Spread``'s.
/// - Parameter values: one per round, finite.
public func meanInterval(_ values: [Double], level: Double = 0.95) -> Result<Interval, NoInterval> {
  precondition(values.allSatisfy(\.isFinite), "figures are finite")
  guard values.count >= Spread.roundsForInterval else {
    return .failure(.tooFewRounds(have: values.count, need: Spread.roundsForInterval))
  }
  let n = Double(values.count)
  let mean = values.reduce(0, +) / n
  let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (n - 1)
  let reach = StudentT(degreesOfFreedom: n - 1).quantile((1 + level) / 2) * (variance / n).squareRoot()
  return .success(Interval(low: mean - reach, high: mean + reach, level: level))
}
