// The check for two runs, against printed tables, R's example, and plain enumeration.

import Glibc
import Testing

@testable import Statistics

@Suite struct RankSumTests {
  /// Permeability constants of the human chorioamnion: Hollander and Wolfe, "Nonparametric Statistical Methods", table
  /// 4.1; R: wilcox.test(x, y) says W = 35 and, by twice the one-sided 0.1272, p = 0.2544.
  @Test("the textbook's example")
  func textbook() {
    let term = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]
    let early = [1.15, 0.88, 0.90, 0.74, 1.21]
    let test = RankSum(base: early, head: term)
    // R's W is the rank sum less its least value.
    #expect(test.headRankSum - 55 == 35)
    #expect(abs(test.p - 0.2544) < 0.000_05)
    #expect(test.isExact && test.baseRounds == 5 && test.headRounds == 10)
    // Which run is which matters to the sum alone.
    let other = RankSum(base: term, head: early)
    #expect(other.headRankSum == 120 - 90)
    #expect(abs(other.p - test.p) < 1e-15)
  }

  /// The critical values of U at 5 %, two-sided, as most textbooks reprint them from Mann and Whitney: the largest U
  /// that rejects.
  @Test(
    "critical values equal the published table",
    arguments: [(4, 4, 0), (5, 5, 2), (6, 6, 5), (8, 8, 13), (10, 10, 23), (12, 12, 37), (5, 8, 6), (20, 20, 127)])
  func criticalValues(base: Int, head: Int, critical: Int) {
    #expect(test(base, head, u: critical).p <= 0.05)
    #expect(test(base, head, u: critical + 1).p > 0.05)
  }

  /// Two runs whose U, the number of pairs in which head is larger, is given.
  private func test(_ base: Int, _ head: Int, u: Int) -> RankSum {
    // Each of head's rounds lies above so many of base's; the last few as many as are left.
    var left = u
    let above = (0..<head).map { _ in
      let taken = min(left, base)
      left -= taken
      return taken
    }
    let test = RankSum(
      base: (0..<base).map { Double($0) },
      head: above.enumerated().map { Double($1) - 0.5 + Double($0) * 1e-3 })
    #expect(test.headRankSum == Double(u + head * (head + 1) / 2))
    return test
  }

  @Test("ties: the distribution is that of all divisions of the ranks as they are")
  func tiesByEnumeration() {
    var noise = Noise(seed: 51)
    for _ in 0..<150 {
      let base = (0..<(1 + noise.index(below: 6))).map { _ in Double(noise.index(below: 4)) }
      let head = (0..<(1 + noise.index(below: 6))).map { _ in Double(noise.index(below: 5)) }
      let all = head + base
      let ranks = all.map { value in
        Double(all.count { $0 < value }) + Double(all.count { $0 == value } + 1) / 2
      }
      let observed = ranks[..<head.count].reduce(0, +)
      var (below, above, divisions) = (0, 0, 0)
      for chosen in 0..<(1 << all.count) where chosen.nonzeroBitCount == head.count {
        var sum = 0.0
        for (bit, rank) in ranks.enumerated() where chosen >> bit & 1 == 1 { sum += rank }
        divisions += 1
        if sum <= observed { below += 1 }
        if sum >= observed { above += 1 }
      }
      let test = RankSum(base: base, head: head)
      #expect(test.headRankSum == observed)
      #expect(abs(test.p - min(1, 2 * Double(min(below, above)) / Double(divisions))) < 1e-12, "\(base) \(head)")
    }
  }

  @Test("beyond the exact range the approximation continues it, ties included")
  func approximation() {
    var noise = Noise(seed: 53)
    for step in [0, 0.5] {
      let base = (0..<30).map { _ in rounded(noise.normal(), to: step) }
      let head = (0..<30).map { _ in rounded(0.5 + noise.normal(), to: step) }
      let exact = RankSum(base: base, head: head)
      let more = RankSum(base: base, head: head + [0.25])
      #expect(exact.isExact && !more.isExact)
      #expect(abs(exact.p - more.p) < 0.02)
    }
  }

  private func rounded(_ value: Double, to step: Double) -> Double {
    step > 0 ? (value / step).rounded() * step : value
  }

  @Test("nothing to rank, and rounds that are all equal, are no evidence")
  func nothing() {
    #expect(RankSum(base: [], head: []).p == 1)
    #expect(RankSum(base: [1], head: []).p == 1)
    #expect(RankSum(base: [2, 2, 2], head: [2, 2]).p == 1)
    let equal = [Double](repeating: 2, count: 40)
    #expect(RankSum(base: equal, head: equal).p == 1)
  }

  @Test("the least p of a number of rounds: two of all divisions")
  func least() {
    #expect(abs(RankSum(base: [1, 2, 3], head: [4, 5, 6]).p - 0.1) < 1e-15)
    let twelve = RankSum(base: (1...12).map { Double($0) }, head: (13...24).map { Double($0) })
    #expect(abs(twelve.p * 2_704_156 - 2) < 1e-9)
  }

  @Test("SciPy says the same of a thousand pairs of runs", .enabled(if: SciPy.isInstalled))
  func sciPy() throws {
    var noise = Noise(seed: 57)
    let questions = (0..<1_000).map { _ in
      let shift = noise.normal()
      return [
        (0..<(1 + noise.index(below: 20))).map { _ in noise.normal() },
        (0..<(1 + noise.index(below: 20))).map { _ in shift + noise.normal() },
      ]
    }
    let answers = try SciPy.ask(
      """
      r = stats.mannwhitneyu(b, a, method='exact')
      answer = [r.statistic, r.pvalue]
      """, questions)
    for (question, answer) in zip(questions, answers) {
      let test = RankSum(base: question[0], head: question[1])
      let n = Double(question[1].count)
      #expect(test.headRankSum - n * (n + 1) / 2 == answer[0])
      #expect(abs(test.p - answer[1]) <= 1e-9 * max(answer[1], 1e-3), "\(question)")
    }
  }
}
