// From p values to words: the correction on worked examples, and every verdict by the reason that it is given for.

import Glibc
import Testing

@testable import Statistics

@Suite struct HolmTests {
  @Test("worked examples")
  func examples() {
    // R: p.adjust(c(0.01, 0.02, 0.03, 0.04), "holm").
    expectEqual(holmAdjusted([0.01, 0.02, 0.03, 0.04]), [0.04, 0.06, 0.06, 0.06])
    // 4 * 0.005, 3 * 0.01, 2 * 0.03, and 0.04 no smaller than the one before it.
    expectEqual(holmAdjusted([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    expectEqual(holmAdjusted([0.5, 0.6]), [1, 1])
    expectEqual(holmAdjusted([0.03]), [0.03])
    #expect(holmAdjusted([]) == [])
  }

  private func expectEqual(_ ours: [Double], _ expected: [Double]) {
    #expect(ours.count == expected.count && zip(ours, expected).allSatisfy { abs($0 - $1) < 1e-15 }, "\(ours)")
  }

  @Test("adjusted values reject what the step-down procedure rejects, at every level")
  func stepDown() {
    var noise = Noise(seed: 31)
    for _ in 0..<300 {
      let p = (0..<(1 + noise.index(below: 12))).map { _ in pow(noise.uniform(), 4) }
      let adjusted = holmAdjusted(p)
      for level in [0.01, 0.05, 0.2] {
        // Holm's own words: go through p from the smallest, stop at the first above level / (those left).
        var rejected: Set<Int> = []
        for (position, index) in p.indices.sorted(by: { p[$0] < p[$1] }).enumerated() {
          guard p[index] <= level / Double(p.count - position) else { break }
          rejected.insert(index)
        }
        #expect(Set(p.indices.filter { adjusted[$0] <= level }) == rejected, "\(p) at \(level)")
      }
      for (raw, corrected) in zip(p, adjusted) {
        #expect(raw <= corrected && corrected <= min(1, raw * Double(p.count)) * (1 + 1e-12))
      }
    }
  }
}

@Suite struct ClaimTests {
  /// Log-ratios around a mean with a given spread, the same every time: a symmetric pattern, scaled.
  private func rounds(_ count: Int, mean: Double, spread: Double) -> LogRatios {
    let pattern = (0..<count).map { Double($0) - Double(count - 1) / 2 }
    let scale = spread / Moments(pattern).variance.squareRoot()
    return LogRatios(pattern.map { mean + scale * $0 })
  }

  private func judge(
    _ ratios: LogRatios?, better: Better = .lower, familySize: Int = 6, rule: DecisionRule = DecisionRule()
  ) throws -> Claim<Int> {
    let family = ClaimFamily<Int>((0..<familySize).map { ($0, better) }, rule: rule)
    let evidence: [Int: ClaimFamily<Int>.Evidence] = ratios.map { [0: .init($0)] } ?? [:]
    return try #require(family.judge(evidence).first)
  }

  @Test("a difference is faster or slower by the metric's own direction")
  func directions() throws {
    let up = rounds(12, mean: 0.2, spread: 0.085)
    let down = rounds(12, mean: -0.2, spread: 0.085)
    #expect(try judge(up, better: .higher).verdict == .faster)
    #expect(try judge(up, better: .lower).verdict == .slower)
    #expect(try judge(down, better: .higher).verdict == .slower)
    #expect(try judge(down, better: .lower).verdict == .faster)
  }

  @Test("a significant claim stands, also with fewer rounds than the smallest ratio asks for")
  func fewButClear() throws {
    let claim = try judge(rounds(12, mean: 0.2, spread: 0.085))
    #expect(claim.roundsNeeded == 19)
    #expect(claim.verdict == .slower && claim.adjustedP <= 0.05)
    #expect(claim.testName == "paired t test on log-ratios within rounds, corrected by Holm for 6 claims")
  }

  @Test("without a difference, rounds enough make no claim, and too few say how many would do")
  func noClaim() throws {
    #expect(try judge(rounds(19, mean: 0.01, spread: 0.085)).verdict == .noClaim)
    #expect(try judge(rounds(18, mean: 0.01, spread: 0.085)).verdict == .tooFewRounds(have: 18, need: 19))
    // A single claim needs less, a larger family more.
    #expect(try judge(rounds(13, mean: 0.01, spread: 0.085), familySize: 1).verdict == .noClaim)
    #expect(try judge(rounds(19, mean: 0.01, spread: 0.085), familySize: 60).verdict != .noClaim)
    // Who asks for 50 % needs few.
    #expect(try judge(rounds(8, mean: 0.01, spread: 0.085), rule: DecisionRule(smallestRatio: 1.5)).verdict == .noClaim)
  }

  @Test("below the rule's fewest rounds nothing is claimed, however clear it looks")
  func floor() throws {
    let rule = DecisionRule()
    #expect(rule.fewestRounds(familySize: 1) == 6)
    #expect(rule.fewestRounds(familySize: 6) == 8)
    #expect(rule.fewestRounds(familySize: 100) == 12)
    let clear = rounds(7, mean: 1, spread: 0.001)
    let claim = try judge(clear)
    #expect(claim.verdict == .tooFewRounds(have: 7, need: 8))
    #expect(claim.adjustedP == 1)
    #expect(try #require(claim.test).p < 1e-9)
    #expect(try judge(rounds(8, mean: 1, spread: 0.001)).verdict == .slower)
    // Three rounds of the quick preset claim nothing, one or none neither.
    #expect(try judge(rounds(3, mean: 1, spread: 0.001)).verdict == .tooFewRounds(have: 3, need: 8))
    #expect(try judge(LogRatios([1])).verdict == .tooFewRounds(have: 1, need: 8))
    #expect(try judge(nil).verdict == .tooFewRounds(have: 0, need: 8))
  }

  @Test("rounds that agree exactly can make a claim, and equal ones make none")
  func withoutSpread() throws {
    #expect(try judge(LogRatios(Array(repeating: 0.5, count: 12))).verdict == .slower)
    #expect(try judge(LogRatios(Array(repeating: 0, count: 12))).verdict == .noClaim)
  }

  @Test("a spread that no number of rounds overcomes is said to be one")
  func hopeless() throws {
    let claim = try judge(rounds(12, mean: 0, spread: 100))
    #expect(claim.verdict == .tooFewRounds(have: 12, need: nil))
    #expect(claim.verdict.description == "too few rounds: 12, and no practical number would do")
  }

  @Test("claims that were declared count, measured or not; what was not declared does not")
  func declared() throws {
    let ratios = rounds(12, mean: 0.075, spread: 0.085)
    let p = try #require(RatioTest(ratios)).p
    #expect(p < 0.05 && 6 * p > 0.05)
    let alone = ClaimFamily<String>([("a", .lower)])
    #expect(alone.judge(["a": .init(ratios)])[0].verdict == .slower)
    let six = ClaimFamily<String>(["a", "b", "c", "d", "e", "f"].map { ($0, .lower) })
    let claims = six.judge(["a": .init(ratios), "undeclared": .init(rounds(12, mean: 1, spread: 0.01))])
    #expect(claims.map(\.id) == ["a", "b", "c", "d", "e", "f"])
    #expect(claims[0].verdict != .slower)
    #expect(abs(claims[0].adjustedP - 6 * p) < 1e-12)
    #expect(claims[1].test == nil && claims[1].check == nil)
    // Declared twice is declared once.
    let twice = ClaimFamily<String>([("a", .lower), ("a", .lower)])
    #expect(twice.judge(["a": .init(ratios)]).map(\.familySize) == [1])
    #expect(ClaimFamily<String>([]).judge([:]).isEmpty)
  }

  @Test("the family is corrected by Holm, and the check stands beside the test")
  func family() throws {
    var noise = Noise(seed: 37)
    let evidence = (0..<5).map { index in
      LogRatios((0..<14).map { _ in 0.03 * Double(index) + 0.08 * noise.normal() })
    }
    let family = ClaimFamily<Int>((0..<5).map { ($0, .higher) })
    let claims = family.judge(
      Dictionary(uniqueKeysWithValues: evidence.enumerated().map { ($0, .init($1)) }))
    let p = try evidence.map { try #require(RatioTest($0)).p }
    #expect(claims.map(\.adjustedP) == holmAdjusted(p))
    #expect(claims.map(\.check) == evidence.map { Optional(SignedRank($0)) })
    for claim in claims { #expect((claim.verdict == .faster) == (claim.adjustedP <= 0.05)) }
    #expect(Set(claims.map { $0.verdict == .faster }).count == 2)
  }

  @Test("two runs without common rounds are judged by Welch's test, without a check")
  func independentRuns() throws {
    var noise = Noise(seed: 41)
    let base = (0..<12).map { _ in 100 * exp(0.05 * noise.normal()) }
    let head = (0..<15).map { _ in 140 * exp(0.05 * noise.normal()) }
    let family = ClaimFamily<Int>([(0, .lower)])
    let evidence = try ClaimFamily<Int>.Evidence(independentBase: base, head: head)
    let claim = try #require(family.judge([0: evidence]).first)
    #expect(claim.verdict == .slower)
    #expect(claim.check == nil)
    #expect(claim.testName == "Welch's t test on logarithms")
  }

  @Test("verdicts in words")
  func words() {
    #expect(Verdict.faster.description == "faster")
    #expect(Verdict.slower.description == "slower")
    #expect(Verdict.noClaim.description == "no claim")
    #expect(Verdict.tooFewRounds(have: 3, need: 18).description == "too few rounds: 3, and 18 would do")
  }
}
