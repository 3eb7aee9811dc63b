// The noncentral t distribution: what Student's t statistic follows where there is a difference to be found, and so the
// distribution that power is computed from.
//
// The usual series (Lenth, "Algorithm AS 243", Applied Statistics 38(1), 1989) starts from exp(-d²/2), which is 0 beyond
// a noncentrality of 38. Instead the definition is integrated: T = (Z + d) / S, where S² is a chi-square over its
// degrees of freedom, has the tail P(T > t) = E[Φ(d - t S)]. In u = log S the integrand is analytic and decays at both
// ends, where the trapezoidal rule converges geometrically (Trefethen and Weideman, "The exponentially convergent
// trapezoidal rule", SIAM Review 56(3), 2014): some hundred points give 13 digits, at a noncentrality of 1,000 as well.

import Glibc

/// The distribution of (Z + noncentrality) / S, Z standard normal and S² an independent chi-square over its degrees of
/// freedom.
public struct NoncentralT: Sendable, Hashable {
  /// Positive and finite.
  public let degreesOfFreedom: Double
  /// The difference in units of its standard error; finite, of either sign.
  public let noncentrality: Double

  /// - Precondition: the degrees of freedom are positive and finite, the noncentrality is finite.
  public init(degreesOfFreedom: Double, noncentrality: Double) {
    precondition(degreesOfFreedom > 0 && degreesOfFreedom.isFinite, "degrees of freedom are positive")
    precondition(noncentrality.isFinite, "a noncentrality is finite")
    self.degreesOfFreedom = degreesOfFreedom
    self.noncentrality = noncentrality
  }

  /// The probability of a value above `t`, to about 1e-13 absolute; to 1e-4 where noncentrality and t are both above
  /// 1,000.
  public func tail(above t: Double) -> Double {
    let nu = degreesOfFreedom
    // Outside of these bounds S has less than 1e-19 of its mass: the density's logarithm is at most nu (u + 1/2) above
    // its maximum on the left, and S is concentrated about 1 within multiples of 1 / sqrt(nu).
    let concentrated = 1 - 9.5 / nu.squareRoot()
    let left = max(-45 / nu - 0.5, concentrated > 0 ? log(concentrated) : -.infinity)
    let right = log1p(9.5 / nu.squareRoot())
    // The normal's part is settled where all of S leaves it beyond 9 standard deviations.
    let slack = [left, right].map { noncentrality - t * exp($0) }
    if slack.allSatisfy({ $0 > 9 }) { return 1 }
    if slack.allSatisfy({ $0 < -9 }) { return 0 }
    // Under half of the integrand's narrowest feature: the density's width 1 / sqrt(2 nu), or that of the normal's
    // step, which lies at exp(u) = d / t and is 1 / d wide.
    let widest = 0.4 / (2 * nu + noncentrality * noncentrality + 4).squareRoot()
    let steps = Int(max(1, min(200_000, ((right - left) / widest).rounded(.up))))
    let step = (right - left) / Double(steps)
    // Weights are relative to the density at S = 1, and divided by their sum: its constant would be a difference of
    // large logarithms.
    var sum = 0.0
    var weights = 0.0
    for index in 0...steps {
      let u = left + Double(index) * step
      let weight = exp(nu * (u - expm1(2 * u) / 2))
      weights += weight
      sum += weight * Normal.cumulative(noncentrality - t * exp(u))
    }
    return sum / weights
  }
}
