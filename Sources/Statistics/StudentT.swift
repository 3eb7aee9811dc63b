// Student's t distribution, for intervals of a mean whose spread is itself estimated from few rounds. The tail is an
// incomplete beta function, and its continued fraction (NIST DLMF 8.17.22, evaluated by Lentz's method as in Press et
// al., "Numerical Recipes", 5.2 and 6.4) is good to about 1e-14 for the degrees of freedom that occur here.

import Glibc

/// Student's t distribution.
public struct StudentT: Sendable, Hashable {
  /// Positive and finite.
  public let degreesOfFreedom: Double

  /// - Precondition: the degrees of freedom are positive and finite.
  public init(degreesOfFreedom: Double) {
    precondition(degreesOfFreedom > 0 && degreesOfFreedom.isFinite, "degrees of freedom are positive")
    self.degreesOfFreedom = degreesOfFreedom
  }

  /// The probability of a value above `t`; accurate in the far tail, where 1 - cumulative(t) is not.
  public func tail(above t: Double) -> Double {
    let half =
      regularizedIncompleteBeta(
        degreesOfFreedom / (degreesOfFreedom + t * t), degreesOfFreedom / 2, 0.5) / 2
    return t >= 0 ? half : 1 - half
  }

  /// The probability of a value of at most `t`.
  public func cumulative(_ t: Double) -> Double { tail(above: -t) }

  /// The value that is exceeded with probability 1 - `probability`.
  /// - Precondition: the probability lies strictly between 0 and 1.
  public func quantile(_ probability: Double) -> Double {
    symmetricQuantile(probability) { tail(above: $0) }
  }
}

/// I_x(a, b), the share of the beta distribution's mass below x.
/// - Precondition: x is within 0 ... 1, a and b are positive.
func regularizedIncompleteBeta(_ x: Double, _ a: Double, _ b: Double) -> Double {
  precondition((0...1).contains(x) && a > 0 && b > 0, "the incomplete beta function is taken at 0 to 1")
  if x == 0 || x == 1 { return x }
  // The fraction converges quickly below the mean; above it the mirrored function is taken.
  if x > (a + 1) / (a + b + 2) { return 1 - regularizedIncompleteBeta(1 - x, b, a) }
  let factor = exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * log(x) + b * log1p(-x)) / a

  // Numerators 1, d1, d2, ... over denominators that are all 1.
  let tiny = 1e-300
  var c = 1.0
  var d = 1 - (a + b) * x / (a + 1)
  d = 1 / (abs(d) < tiny ? tiny : d)
  var fraction = d
  for step in 1...10_000 {
    let m = Double(step)
    let even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
    let odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
    var change = 1.0
    for term in [even, odd] {
      d = 1 + term * d
      d = 1 / (abs(d) < tiny ? tiny : d)
      c = 1 + term / c
      if abs(c) < tiny { c = tiny }
      change = c * d
      fraction *= change
    }
    if abs(change - 1) < 1e-16 { break }
  }
  return factor * fraction
}

/// The reentrant variant: plain lgamma writes a global sign.
func logGamma(_ x: Double) -> Double {
  var sign: Int32 = 0
  return lgamma_r(x, &sign)
}
