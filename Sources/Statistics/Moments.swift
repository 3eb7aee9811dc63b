// Mean and variance of a few numbers, in two passes: one pass loses all digits where the mean is large.

/// The mean and the sample's variance.
struct Moments {
  let count: Int
  let mean: Double
  /// Over n - 1; 0 for a single value.
  let variance: Double

  /// - Precondition: there is a value.
  init(_ values: [Double]) {
    precondition(!values.isEmpty, "moments are those of some values")
    let n = Double(values.count)
    let mean = values.reduce(0, +) / n
    count = values.count
    self.mean = mean
    variance = n < 2 ? 0 : values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (n - 1)
  }

  /// Half of the width of Student's interval of the mean.
  /// - Precondition: there are two values.
  func reach(level: Double) -> Double {
    StudentT(degreesOfFreedom: Double(count - 1)).quantile((1 + level) / 2) * (variance / Double(count)).squareRoot()
  }
}
