// Power, sample sizes and resolution against G*Power, R and closed forms.

import Glibc
import Testing

@testable import Statistics

@Suite struct NoncentralTTests {
  @Test("without noncentrality it is Student's t")
  func central() {
    for degrees in [1.0, 2, 4.5, 11, 200, 1_000] {
      for t in [-30, -2.5, 0, 0.3, 1, 4, 50] {
        let ours = NoncentralT(degreesOfFreedom: degrees, noncentrality: 0).tail(above: t)
        #expect(abs(ours - StudentT(degreesOfFreedom: degrees).tail(above: t)) < 1e-12, "\(degrees), \(t)")
      }
    }
  }

  @Test("closed forms: above 0, and mirrored")
  func closedForms() {
    for degrees in [1.0, 3, 17, 400] {
      for noncentrality in [-60.0, -3, -0.5, 0.1, 2, 9, 200] {
        let distribution = NoncentralT(degreesOfFreedom: degrees, noncentrality: noncentrality)
        #expect(abs(distribution.tail(above: 0) - Normal.cumulative(noncentrality)) < 1e-12)
        let mirrored = NoncentralT(degreesOfFreedom: degrees, noncentrality: -noncentrality)
        for t in [-7, -1, 0.5, 3, 100] {
          #expect(abs(distribution.tail(above: t) + mirrored.tail(above: -t) - 1) < 1e-12)
        }
      }
    }
  }

  /// With one degree of freedom S is half normal, and the tail above t >= 0 is a double integral over a wedge: Owen,
  /// "A special case of a bivariate non-central t-distribution", Biometrika 52, 1965. Here: values of R's pt().
  @Test(
    "values of R's pt(t, df, ncp, lower.tail = FALSE)",
    arguments: [
      ([2.0, 10, 1], 0.192_388_44), ([3.0, 3, 2.5], 0.446_279_02), ([1.5, 1, 0.3], 0.259_781_6),
      ([45.0, 9, 50], 0.730_906_527),
    ])
  func published(arguments: [Double], expected: Double) {
    let distribution = NoncentralT(degreesOfFreedom: arguments[1], noncentrality: arguments[2])
    #expect(abs(distribution.tail(above: arguments[0]) - expected) < 1e-7)
  }

  @Test("extreme arguments end quickly and stay within 0 ... 1")
  func extremes() {
    for degrees in [0.5, 1, 30, 1e7] {
      for noncentrality in [-1e200, -1e6, 0, 1e6, 1e200] {
        for t in [-1e200, -1e6, 0, 1e6, 1e200] {
          let tail = NoncentralT(degreesOfFreedom: degrees, noncentrality: noncentrality).tail(above: t)
          #expect((0...1).contains(tail), "\(degrees), \(noncentrality), \(t)")
        }
      }
    }
  }
}

@Suite struct NormalTests {
  @Test("quantiles of the normal distribution as printed in tables")
  func quantiles() {
    for (probability, expected) in [(0.975, 1.959_963_985), (0.95, 1.644_853_627), (0.995, 2.575_829_304)] {
      #expect(abs(Normal.quantile(probability) - expected) < 1e-9)
      #expect(abs(Normal.quantile(1 - probability) + expected) < 1e-9)
    }
    #expect(Normal.quantile(0.5) == 0)
    #expect(abs(Normal.tail(above: 10) / 7.619_853_024_160_527e-24 - 1) < 1e-12)
    #expect(Normal.cumulative(0) == 0.5)
  }
}

@Suite struct PowerTests {
  /// G*Power 3 manual, section "Difference between two dependent means": dz = 0.5, two-sided 5 %.
  @Test("34 pairs find half a standard deviation with power 0.8078, and 33 are not enough for 0.8")
  func gPower() {
    let analysis = PowerAnalysis(spread: 1)
    #expect(abs(analysis.power(ratio: exp(0.5), rounds: 34) - 0.807_777_5) < 1e-7)
    #expect(analysis.rounds(toFind: exp(0.5), power: 0.8) == 34)
    // R: power.t.test(n = 20, delta = 0.5, sd = 1, type = "one.sample", strict = TRUE).
    #expect(abs(analysis.power(ratio: exp(0.5), rounds: 20) - 0.564_504_4) < 1e-7)
  }

  @Test("at a spread of 6 % per trial, 10 % at 95 % power takes about 18 rounds for six claims")
  func headline() throws {
    let analysis = PowerAnalysis(spreadPerTrial: 0.06, familySize: 6)
    let rounds = try #require(analysis.rounds(toFind: 1.1))
    #expect((17...19).contains(rounds))
    // SciPy's noncentral t.
    for (n, power) in [(5, 0.143_889), (12, 0.735_448), (18, 0.947_670), (30, 0.999_122)] {
      #expect(abs(analysis.power(ratio: 1.1, rounds: n) - power) < 1e-6)
    }
    print("power of the corrected test (6 claims, 6 % per trial) to find 10 %, and the ratio found at 95 % power")
    for n in 5...30 {
      let power = (analysis.power(ratio: 1.1, rounds: n) * 1_000).rounded() / 10
      let ratio = (try #require(analysis.smallestRatio(rounds: n)) * 1_000).rounded() / 1_000
      print("  n = \(n): \(power) %, \(ratio)")
    }
  }

  @Test("power grows with rounds and ratio, and is the same for a ratio and its inverse")
  func monotone() {
    let analysis = PowerAnalysis(spread: 0.085, familySize: 6)
    for n in 2..<40 { #expect(analysis.power(ratio: 1.1, rounds: n) < analysis.power(ratio: 1.1, rounds: n + 1)) }
    for percent in 1..<30 {
      let ratio = 1 + Double(percent) / 100
      #expect(analysis.power(ratio: ratio, rounds: 12) < analysis.power(ratio: ratio + 0.01, rounds: 12))
      #expect(abs(analysis.power(ratio: ratio, rounds: 12) - analysis.power(ratio: 1 / ratio, rounds: 12)) < 1e-12)
    }
    #expect(analysis.power(ratio: 1, rounds: 12) == 0.05 / 6)
    #expect(analysis.power(ratio: 2, rounds: 1) == 0)
  }

  @Test("rounds and smallest ratio answer each other")
  func inverse() throws {
    for spread in [0.001, 0.03, 0.085, 0.5] {
      let analysis = PowerAnalysis(spread: spread, familySize: 6)
      for n in [5, 8, 12, 30, 100] {
        let ratio = try #require(analysis.smallestRatio(rounds: n))
        #expect(abs(analysis.power(ratio: ratio, rounds: n) - 0.95) < 1e-6)
        #expect(analysis.rounds(toFind: ratio * (1 + 1e-6 * spread)) == n)
      }
    }
  }

  @Test("questions without an answer get none")
  func refusals() {
    let analysis = PowerAnalysis(spread: 0.085)
    #expect(analysis.rounds(toFind: 1) == nil)
    #expect(analysis.rounds(toFind: 1 + 1e-9) == nil)
    #expect(analysis.smallestRatio(rounds: 4) == nil)
    #expect(PowerAnalysis(spread: 0).smallestRatio(rounds: 5) == 1)
    #expect(PowerAnalysis(spread: 0).rounds(toFind: 1.001) == 5)
    #expect(PowerAnalysis(spread: .leastNonzeroMagnitude).rounds(toFind: 1.001) == 5)
    #expect(PowerAnalysis(spread: 1_500).smallestRatio(rounds: 12) == nil)
    #expect(PowerAnalysis(spread: 1_500).rounds(toFind: 1.1) == nil)
  }
}

@Suite struct ResolutionTests {
  @Test("the spread is pooled over comparisons by their degrees of freedom")
  func pooled() throws {
    // Variances 1 and 4 with 2 and 1 degrees of freedom; one round alone says nothing.
    let resolution = try #require(
      Resolution(sameAgainstSame: [
        LogRatios([-1, 0, 1]), LogRatios([3 - 2.0.squareRoot(), 3 + 2.0.squareRoot()]), LogRatios([7]),
      ]))
    #expect(resolution.degreesOfFreedom == 3)
    #expect(abs(resolution.spread - 2.0.squareRoot()) < 1e-12)
    #expect(Resolution(sameAgainstSame: []) == nil)
    #expect(Resolution(sameAgainstSame: [LogRatios([0.1])]) == nil)
  }

  @Test("what it says is found is what the power analysis finds, above the rule's fewest rounds")
  func smallest() throws {
    let resolution = try #require(Resolution(spread: 0.085, degreesOfFreedom: 66))
    let ratio = try #require(resolution.smallestRatio(rounds: 12, familySize: 6))
    #expect(abs(PowerAnalysis(spread: 0.085, familySize: 6).power(ratio: ratio, rounds: 12) - 0.95) < 1e-6)
    #expect(resolution.rounds(toFind: ratio * (1 + 1e-6), familySize: 6) == 12)
    #expect(resolution.smallestRatio(rounds: 7, familySize: 6) == nil)
    #expect(resolution.rounds(toFind: 10, familySize: 6) == 8)
    #expect(resolution.smallestRatio(rounds: 12, familySize: 0) == nil)
    #expect(resolution.rounds(toFind: -1, familySize: 6) == nil)
  }

  @Test("a stored resolution that is none is refused")
  func stored() {
    #expect(Resolution(spread: -0.1, degreesOfFreedom: 5) == nil)
    #expect(Resolution(spread: .nan, degreesOfFreedom: 5) == nil)
    #expect(Resolution(spread: 1e300, degreesOfFreedom: 5) == nil)
    #expect(Resolution(spread: 0.1, degreesOfFreedom: 0) == nil)
  }
}
