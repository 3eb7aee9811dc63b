// Student's t against published tables and closed forms.

import Glibc
import Testing

@testable import Statistics

/// Upper quantiles as printed in tables of the t distribution (NIST/SEMATECH e-Handbook, 1.3.6.7.2), 3 decimals.
@Test(
  "quantiles of t equal the published table",
  arguments: [
    (1, [6.314, 12.706, 31.821, 63.657]), (2, [2.920, 4.303, 6.965, 9.925]), (3, [2.353, 3.182, 4.541, 5.841]),
    (4, [2.132, 2.776, 3.747, 4.604]), (5, [2.015, 2.571, 3.365, 4.032]), (9, [1.833, 2.262, 2.821, 3.250]),
    (11, [1.796, 2.201, 2.718, 3.106]), (17, [1.740, 2.110, 2.567, 2.898]), (29, [1.699, 2.045, 2.462, 2.756]),
    (60, [1.671, 2.000, 2.390, 2.660]), (100, [1.660, 1.984, 2.364, 2.626]),
  ])
func publishedQuantiles(degrees: Int, quantiles: [Double]) {
  let t = StudentT(degreesOfFreedom: Double(degrees))
  for (probability, expected) in zip([0.95, 0.975, 0.99, 0.995], quantiles) {
    #expect(abs(t.quantile(probability) - expected) <= 0.000_501)
    #expect(t.quantile(1 - probability) == -t.quantile(1 - (1 - probability)))
  }
}

/// For 1, 2 and 4 degrees of freedom the distribution has a closed form.
@Test("the distribution function equals its closed forms", arguments: [-40.0, -3, -1, -0.1, 0, 0.5, 1, 2.5, 7, 1e6])
func closedForms(t: Double) {
  let cauchy = 0.5 + atan2(t, 1) / .pi
  #expect(abs(StudentT(degreesOfFreedom: 1).cumulative(t) - cauchy) < 1e-14)
  let two = 0.5 + t / (2 * (2 + t * t).squareRoot())
  #expect(abs(StudentT(degreesOfFreedom: 2).cumulative(t) - two) < 1e-14)
  let s = t / (4 + t * t).squareRoot()
  let four = 0.5 + 0.75 * (s - s * s * s / 3)
  #expect(abs(StudentT(degreesOfFreedom: 4).cumulative(t) - four) < 1e-14)
}

@Test("the far tail keeps its relative accuracy")
func farTail() {
  // Cauchy: the tail above t is atan(1/t) / pi.
  let tail = StudentT(degreesOfFreedom: 1).tail(above: 1e12)
  #expect(abs(tail / (1e-12 / .pi) - 1) < 1e-12)
}

@Test("quantile and distribution function are inverse to each other")
func inverse() {
  for degrees in [1, 3.5, 12, 200, 10_000] {
    let t = StudentT(degreesOfFreedom: degrees)
    for probability in [1e-9, 0.001, 0.025, 0.3, 0.5, 0.8, 0.975, 0.999_99] {
      let back = t.cumulative(t.quantile(probability))
      #expect(abs(back / probability - 1) < 1e-10, "\(degrees) degrees, \(probability)")
    }
  }
}

@Test("the incomplete beta function equals its polynomials")
func incompleteBeta() {
  for x in [0, 0.05, 0.3, 0.5, 0.77, 0.999, 1] {
    #expect(abs(regularizedIncompleteBeta(x, 1, 1) - x) < 1e-15)
    #expect(abs(regularizedIncompleteBeta(x, 2, 1) - x * x) < 1e-15)
    #expect(abs(regularizedIncompleteBeta(x, 2, 2) - x * x * (3 - 2 * x)) < 1e-14)
  }
}
