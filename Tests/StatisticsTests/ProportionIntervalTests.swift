// Intervals of counted probabilities and of variance ratios, against published tables and closed forms.

import Glibc
import Testing

@testable import Statistics

/// Clopper and Pearson's limits at 95 %, as tables print them, 4 decimals.
@Test(
  "limits of a probability equal published ones",
  arguments: [
    (0.0, 10.0, 0.0, 0.3085), (1.0, 10.0, 0.0025, 0.4450), (5.0, 10.0, 0.1871, 0.8129), (10.0, 10.0, 0.6915, 1.0),
    (10.0, 200.0, 0.0242, 0.0900),
  ])
func publishedLimits(count: Double, trials: Double, low: Double, high: Double) {
  let interval = proportionInterval(of: count, outOf: trials)
  #expect(abs(interval.low - low) <= 0.000_051, "\(interval)")
  #expect(abs(interval.high - high) <= 0.000_051, "\(interval)")
  #expect(interval.level == 0.95)
}

@Test("the ends of a probability's interval have half of what is left beyond them")
func exactTails() {
  // 3 of 20: the chance of 3 or more at the lower end, and of 3 or fewer at the upper one.
  let interval = proportionInterval(of: 3, outOf: 20, level: 0.9)
  func chance(_ k: Int, _ p: Double) -> Double {
    exp(logGamma(21) - logGamma(Double(k) + 1) - logGamma(Double(21 - k))) * pow(p, Double(k))
      * pow(1 - p, Double(20 - k))
  }
  #expect(abs((3...20).reduce(0) { $0 + chance($1, interval.low) } - 0.05) < 1e-10)
  #expect(abs((0...3).reduce(0) { $0 + chance($1, interval.high) } - 0.05) < 1e-10)
}

@Test("fewer independent trials at the same share widen a probability's interval")
func fewerTrials() {
  let many = proportionInterval(of: 11, outOf: 220)
  let few = proportionInterval(of: 5.6, outOf: 112)
  #expect(few.low < many.low && few.high > many.high)
}

/// Upper 5 % and 2.5 % points of F (NIST/SEMATECH e-Handbook, 1.3.6.7.3), 3 decimals.
@Test(
  "quantiles of F equal the published table",
  arguments: [
    (0.95, 1, 10, 4.965), (0.95, 5, 10, 3.326), (0.95, 10, 10, 2.978), (0.95, 20, 20, 2.124), (0.95, 1, 1, 161.448),
    (0.975, 1, 1, 647.789),
  ])
func publishedF(probability: Double, first: Int, second: Int, expected: Double) {
  #expect(abs(fQuantile(probability, first, second) - expected) <= 0.000_51)
}

@Test("F of 1 and n degrees is t's square, and of 2 and 2 a ratio of exponentials")
func closedF() {
  for degrees in [3, 11, 200] {
    let t = StudentT(degreesOfFreedom: Double(degrees)).quantile(0.975)
    #expect(abs(fQuantile(0.95, 1, degrees) / (t * t) - 1) < 1e-10)
  }
  // P(F > x) = 1 / (1 + x).
  #expect(abs(fQuantile(0.99, 2, 2) - 99) < 1e-9)
  #expect(abs(fQuantile(0.5, 2, 2) - 1) < 1e-12)
}

@Test("the interval of a variance ratio turns over with the ratio")
func turnedOver() throws {
  let ratio = try #require(VarianceRatio(6, degrees: 12, to: 2, degrees: 7))
  let inverse = try #require(VarianceRatio(2, degrees: 7, to: 6, degrees: 12))
  #expect(ratio.ratio == 3)
  let (a, b) = (ratio.interval(), inverse.interval())
  #expect(abs(a.low * b.high - 1) < 1e-12 && abs(a.high * b.low - 1) < 1e-12)
  #expect(a.low < 3 && a.high > 3)
  #expect(VarianceRatio(0, degrees: 1, to: 1, degrees: 1) == nil)
  #expect(VarianceRatio(1, degrees: 1, to: 1, degrees: 0) == nil)
}
