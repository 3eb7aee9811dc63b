// The standard normal distribution, and the one way in which quantiles are found here: by halving, since every tail is a
// monotone function that is cheap beside a trial of seconds.

import Glibc

/// The standard normal distribution.
public enum Normal {
  /// The probability of a value above `z`; accurate in the far tail, where 1 - cumulative(z) is not.
  public static func tail(above z: Double) -> Double { erfc(z / 2.0.squareRoot()) / 2 }

  /// The probability of a value of at most `z`.
  public static func cumulative(_ z: Double) -> Double { tail(above: -z) }

  /// The value that is exceeded with probability 1 - `probability`.
  /// - Precondition: the probability lies strictly between 0 and 1.
  public static func quantile(_ probability: Double) -> Double {
    symmetricQuantile(probability) { tail(above: $0) }
  }
}

/// The quantile of a distribution that is symmetric about 0, from the probability of lying above a value.
/// - Parameter tail: falls monotonically from 1/2 at 0 towards 0.
/// - Precondition: the probability lies strictly between 0 and 1.
func symmetricQuantile(_ probability: Double, tail: (Double) -> Double) -> Double {
  precondition(probability > 0 && probability < 1, "a quantile is taken strictly between 0 and 1")
  if probability == 0.5 { return 0 }
  let wanted = min(probability, 1 - probability)
  // Bracket, then halve until neighbouring doubles are reached.
  var low = 0.0
  var high = 1.0
  while tail(high) > wanted && high < .greatestFiniteMagnitude / 2 {
    low = high
    high *= 2
  }
  while true {
    let middle = low + (high - low) / 2
    if middle <= low || middle >= high { break }
    if tail(middle) > wanted { low = middle } else { high = middle }
  }
  return probability > 0.5 ? high : -high
}
