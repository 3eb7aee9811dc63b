// Where a handful of values lies. A run has 3 to some dozen rounds, so that order statistics are taken as they are.

import Glibc

/// The quantile of a sample by linear interpolation between order statistics: type 7 of Hyndman and Fan, "Sample
/// quantiles in statistical packages", The American Statistician 50(4), 1996; what R and NumPy do by default.
/// - Parameter share: 0 ... 1.
/// - Returns: nil for an empty sample.
/// - Precondition: the share is within 0 ... 1, and no value is NaN.
public func quantile(_ share: Double, of values: [Double]) -> Double? {
  precondition((0...1).contains(share), "a quantile is taken at 0 to 1")
  precondition(values.allSatisfy { !$0.isNaN }, "a sample of numbers has no NaN")
  guard !values.isEmpty else { return nil }
  let sorted = values.sorted()
  let position = share * Double(sorted.count - 1)
  let below = Int(position)
  let above = min(below + 1, sorted.count - 1)
  let weight = position - Double(below)
  // Not a + (b - a) * w: that is inexact where both neighbours are equal and large.
  return weight == 0 ? sorted[below] : sorted[below] * (1 - weight) + sorted[above] * weight
}

/// The middle value, or the mean of the two; nil for an empty sample.
public func median(_ values: [Double]) -> Double? { quantile(0.5, of: values) }

/// exp of the mean of the logarithms: the mean for figures that are compared by their ratio.
/// - Returns: nil for an empty sample, or one with a value that is not positive and finite.
public func geometricMean(_ values: [Double]) -> Double? {
  guard let logarithms = logarithms(values) else { return nil }
  return exp(logarithms.reduce(0, +) / Double(logarithms.count))
}

/// nil for an empty sample, or one with a value that has no finite logarithm.
func logarithms(_ values: [Double]) -> [Double]? {
  guard !values.isEmpty, values.allSatisfy({ $0 > 0 && $0.isFinite }) else { return nil }
  return values.map { log($0) }
}
