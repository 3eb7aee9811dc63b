// The rule that decides, on the data that Student published it with, and on rounds that it has to refuse.

import Glibc
import Testing

@testable import Statistics

/// Additional hours of sleep under two drugs, ten patients: Cushny and Peebles (1905) as used by Student, "The probable
/// error of a mean", 1908; the data set `sleep` of R, whose t.test and wilcox.test gave the figures below.
let sleepFirst = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
let sleepSecond = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]

@Suite struct RatioTestTests {
  @Test("the paired test on Student's own data")
  func sleepPaired() throws {
    let test = try #require(RatioTest(LogRatios(zip(sleepFirst, sleepSecond).map { $0 - $1 })))
    #expect(test.design == .pairedWithinRounds)
    #expect(test.rounds == 10 && test.degreesOfFreedom == 9)
    #expect(abs(test.meanLogRatio - -1.58) < 1e-12)
    #expect(abs(test.ratio - exp(-1.58)) < 1e-12)
    #expect(try abs(#require(test.statistic) - -4.0621) < 0.000_05)
    #expect(abs(test.p - 0.002_833) < 0.000_000_5)
    let interval = try test.interval().get()
    #expect(abs(log(interval.low) - -2.459_885_8) < 1e-7)
    #expect(abs(log(interval.high) - -0.700_114_2) < 1e-7)
  }

  @Test("Welch's test on the same data")
  func sleepIndependent() throws {
    let test = try #require(
      try RatioTest(independentBase: sleepSecond.map { exp($0) }, head: sleepFirst.map { exp($0) }))
    #expect(test.design == .independentRuns)
    #expect(try abs(#require(test.statistic) - -1.8608) < 0.000_05)
    #expect(abs(test.degreesOfFreedom - 17.776) < 0.000_5)
    #expect(abs(test.p - 0.079_39) < 0.000_005)
  }

  @Test("the interval excludes 1 exactly where the test rejects")
  func intervalAgrees() throws {
    var noise = Noise(seed: 11)
    var rejected = 0
    for _ in 0..<400 {
      let shift = 0.05 * noise.normal()
      let test = try #require(RatioTest(LogRatios((0..<8).map { _ in shift + 0.06 * noise.normal() })))
      let interval = try test.interval(level: 0.95).get()
      #expect((test.p <= 0.05) == !(interval.low < 1 && 1 < interval.high))
      if test.p <= 0.05 { rejected += 1 }
    }
    #expect(rejected > 50 && rejected < 350)
  }

  @Test("swapping base and head turns the ratio over and leaves p")
  func antisymmetric() throws {
    let base = [3.0, 5, 4, 8, 6, 5.5]
    let head = [4.0, 5.5, 4.1, 7.9, 8, 6]
    let one = try LogRatios(base: base, head: head)
    let other = try LogRatios(base: head, head: base)
    let there = try #require(RatioTest(one))
    let back = try #require(RatioTest(other))
    #expect(abs(there.ratio * back.ratio - 1) < 1e-12)
    #expect(abs(there.p - back.p) < 1e-12)
    // Nor does the unit matter.
    let scaled = try LogRatios(base: base.map { $0 * 1e-9 }, head: head.map { $0 * 1e-9 })
    #expect(try abs(#require(RatioTest(scaled)).p - there.p) < 1e-9)
  }

  @Test("a disturbance of a whole round cancels")
  func pairing() throws {
    let base = [10.0, 11, 10.5, 9.8, 10.2, 10.9]
    let head = [11.0, 12.2, 11.4, 10.9, 11.1, 12]
    let host = [1, 3, 0.5, 8, 1, 2.5]
    let calm = try LogRatios(base: base, head: head)
    let disturbed = try LogRatios(base: zip(base, host).map { $0 * $1 }, head: zip(head, host).map { $0 * $1 })
    let p = try [calm, disturbed].map { try #require(RatioTest($0)).p }
    #expect(abs(p[0] - p[1]) < 1e-9)
  }

  @Test("rounds that agree exactly have the p of the randomisation test, never 0")
  func withoutSpread() throws {
    // 0.1 and 0.3 have no exact representation: their ratios differ in the last digit.
    let base = (1...12).map { 0.1 * Double($0) }
    let up = try LogRatios(base: base, head: base.map { 3 * $0 })
    let test = try #require(RatioTest(up))
    #expect(test.p == exp2(-11))
    #expect(test.spread == 0 && test.statistic == nil)
    #expect(abs(test.ratio - 3) < 1e-12)
    let equal = try LogRatios(base: base, head: base)
    let same = try #require(RatioTest(equal))
    #expect(same.p == 1 && same.ratio == 1)
    // 2 of the 20 ways to choose 3 of 6.
    let independent = try #require(try RatioTest(independentBase: [2, 2, 2], head: [3, 3, 3]))
    #expect(abs(independent.p - 0.1) < 1e-12)
  }

  @Test("one round is no test, and below five there is no interval")
  func tooFew() throws {
    #expect(RatioTest(LogRatios([])) == nil)
    #expect(RatioTest(LogRatios([0.1])) == nil)
    #expect(try RatioTest(independentBase: [1, 2], head: [3]) == nil)
    let test = try #require(RatioTest(LogRatios([0.1, 0.2, 0.3, 0.1])))
    #expect(test.interval() == .failure(.tooFewRounds(have: 4, need: 5)))
  }

  @Test("rounds are matched by number, and those without a partner are named")
  func matching() throws {
    let ratios = try LogRatios(base: [0: 1, 1: 2, 2: 4, 5: 1], head: [1: 4, 2: 4, 3: 9])
    #expect(ratios.rounds == [1, 2])
    #expect(abs(ratios.values[0] - log(2.0)) < 1e-15)
    #expect(ratios.values[1] == 0)
    #expect(ratios.unpaired == [0, 3, 5])
    #expect(ratios.count == 2)
  }

  @Test("a figure without a logarithm is refused by round and value", arguments: [0, -1, .infinity])
  func notPositive(value: Double) throws {
    let problem = NoComparison.notPositive(round: 7, value: value)
    #expect(throws: problem) { try LogRatios(base: [3: 1, 7: 1], head: [3: 2, 7: value]) }
    #expect(throws: problem) { try LogRatios(base: [3: 1, 7: value], head: [3: 2, 7: 1]) }
    #expect(throws: NoComparison.notPositive(round: 1, value: value)) {
      try RatioTest(independentBase: [1, value], head: [1, 2])
    }
    #expect(problem.description.contains("\(value)") && problem.description.contains("round 7"))
  }

  @Test("figures at the ends of what a double holds still have a ratio")
  func extremes() throws {
    let ratios = try LogRatios(
      base: [.leastNonzeroMagnitude, .greatestFiniteMagnitude],
      head: [.greatestFiniteMagnitude, .leastNonzeroMagnitude])
    #expect(ratios.values.allSatisfy { $0.isFinite })
    let claim = try #require(ClaimFamily<Int>([(0, .lower)]).judge([0: .init(ratios)]).first)
    #expect(claim.verdict == .tooFewRounds(have: 2, need: nil))
    #expect(try #require(RatioTest(ratios)).p > 0)
  }
}
