// Thousands of random inputs, answered by SciPy as well.

import Glibc
import Testing

@testable import Statistics

@Suite(.enabled(if: SciPy.isInstalled, "python3 with SciPy is not installed: nothing to compare with"))
struct SciPyTests {
  /// Compares to a relative error, or an absolute one where the value is small.
  private func expectClose(
    _ ours: Double, _ theirs: Double, within tolerance: Double = 1e-9, _ what: @autoclosure () -> String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(
      abs(ours - theirs) <= tolerance * max(abs(theirs), 1e-3), "\(what()): \(ours), SciPy says \(theirs)",
      sourceLocation: sourceLocation)
  }

  @Test("the paired t test, its interval and Welch's test")
  func tTests() throws {
    var noise = Noise(seed: 1)
    let questions = (0..<1_500).map { _ in
      let n = 5 + noise.index(below: 40)
      let shift = noise.normal() * 0.1
      return [
        (0..<n).map { _ in exp(noise.normal() * 0.1) },
        (0..<n).map { _ in exp(shift + noise.normal() * 0.3) },
      ]
    }
    let answers = try SciPy.ask(
      """
      d = np.log(b) - np.log(a)
      r = stats.ttest_1samp(d, 0)
      i = r.confidence_interval(0.99)
      w = stats.ttest_ind(np.log(b), np.log(a), equal_var=False)
      answer = [r.statistic, r.pvalue, exp(i.low), exp(i.high), w.statistic, w.pvalue, w.df]
      """, questions)
    for (question, answer) in zip(questions, answers) {
      let ratios = try LogRatios(base: question[0], head: question[1])
      let test = try #require(RatioTest(ratios))
      let interval = try test.interval(level: 0.99).get()
      expectClose(try #require(test.statistic), answer[0], "t of \(question)")
      expectClose(test.p, answer[1], "p of \(question)")
      expectClose(interval.low, answer[2], "low end of \(question)")
      expectClose(interval.high, answer[3], "high end of \(question)")
      let welch = try #require(try RatioTest(independentBase: question[0], head: question[1]))
      expectClose(try #require(welch.statistic), answer[4], "Welch's t of \(question)")
      expectClose(welch.p, answer[5], "Welch's p of \(question)")
      expectClose(welch.degreesOfFreedom, answer[6], "Welch's degrees of freedom of \(question)")
    }
  }

  @Test("the exact signed-rank test, up to 50 rounds")
  func signedRanks() throws {
    var noise = Noise(seed: 2)
    let questions = (0..<1_000).map { _ in
      let shift = noise.normal() * 0.5
      return [(0..<(1 + noise.index(below: 50))).map { _ in shift + noise.normal() }]
    }
    let answers = try SciPy.ask(
      """
      a = np.array(a)
      ranks = stats.rankdata(np.abs(a))
      answer = [stats.wilcoxon(a, method='exact').pvalue, ranks[a > 0].sum(), ]
      """, questions)
    for (question, answer) in zip(questions, answers) {
      let test = SignedRank(LogRatios(question[0]))
      #expect(test.isExact && test.equal == 0)
      expectClose(test.p, answer[0], "p of \(question)")
      #expect(test.positiveRankSum == answer[1], "rank sum of \(question)")
    }
  }

  @Test("Kendall's exact test, slopes by Theil and Sen and by least squares")
  func trends() throws {
    var noise = Noise(seed: 3)
    let questions = (0..<1_000).map { _ in
      let slope = noise.normal() * 0.2
      let n = 3 + noise.index(below: 40)
      let x = (0..<n).map { Double($0) + 0.5 * noise.uniform() }
      return [x, x.map { slope * $0 + noise.normal() }]
    }
    let answers = try SciPy.ask(
      """
      r = stats.linregress(a, b)
      t = stats.t.ppf(0.975, len(a) - 2)
      answer = [stats.kendalltau(a, b, method='exact').pvalue, stats.theilslopes(b, a).slope,
                r.slope, r.intercept, r.stderr, r.slope - t * r.stderr, r.slope + t * r.stderr]
      """, questions)
    for (question, answer) in zip(questions, answers) {
      let points = zip(question[0], question[1]).map { (x: $0, y: $1) }
      let test = MannKendall(question[1])
      #expect(test.isExact)
      expectClose(test.p, answer[0], "p of \(question)")
      expectClose(try #require(theilSenSlope(points)), answer[1], "Theil-Sen slope of \(question)")
      let line = try #require(LeastSquaresLine(points))
      expectClose(line.slope, answer[2], "slope of \(question)")
      expectClose(line.intercept, answer[3], "intercept of \(question)")
      expectClose(try #require(line.standardError), answer[4], "standard error of \(question)")
      let interval = try line.slopeInterval().get()
      expectClose(interval.low, answer[5], "low end of \(question)")
      expectClose(interval.high, answer[6], "high end of \(question)")
    }
  }

  /// Both resample at random: ends lie at the same value of the sample but for a few that fall between two.
  @Test("the BCa interval of the median")
  func bootstrap() throws {
    var noise = Noise(seed: 5)
    let questions = (0..<60).map { _ in
      [(0..<(5 + 2 * noise.index(below: 10))).map { _ in noise.exponential() }]
    }
    let answers = try SciPy.ask(
      """
      rng = np.random.default_rng(1)
      i = stats.bootstrap((a,), np.median, method='BCa', n_resamples=9999, random_state=rng).confidence_interval
      answer = [i.low, i.high]
      """, questions)
    var same = 0
    for (question, answer) in zip(questions, answers) {
      let interval = try medianInterval(question[0]).get()
      let sorted = question[0].sorted()
      for (ours, theirs) in zip([interval.low, interval.high], answer) {
        if abs(ours - theirs) < 1e-9 { same += 1 }
        let index = try #require(sorted.firstIndex(of: ours))
        let neighbours = (sorted[max(index - 1, 0)] - 1e-9)...(sorted[min(index + 1, sorted.count - 1)] + 1e-9)
        #expect(neighbours.contains(theirs), "\(question): \(interval), SciPy says \(answer)")
      }
    }
    #expect(Double(same) / 120 > 0.8)
  }

  @Test("the distributions: normal, Student's t and noncentral t")
  func distributions() throws {
    var noise = Noise(seed: 4)
    let questions = (0..<3_000).map { _ in
      let degrees = 1 + noise.index(below: 60)
      return [
        [
          noise.normal() * 6, Double(degrees), noise.normal() * 5, 1e-6 + noise.uniform() * 0.999_99,
        ]
      ]
    }
    let answers = try SciPy.ask(
      """
      t, df, nc, q = a
      answer = [stats.norm.sf(t), stats.norm.ppf(q), stats.t.sf(t, df), stats.t.ppf(q, df), stats.nct.sf(t, df, nc)]
      """, questions)
    for (question, answer) in zip(questions, answers) {
      let (t, degrees, noncentrality, q) = (question[0][0], question[0][1], question[0][2], question[0][3])
      expectClose(Normal.tail(above: t), answer[0], "normal tail above \(t)")
      expectClose(Normal.quantile(q), answer[1], "normal quantile \(q)")
      let student = StudentT(degreesOfFreedom: degrees)
      expectClose(student.tail(above: t), answer[2], "tail above \(t), \(degrees) degrees of freedom")
      expectClose(student.quantile(q), answer[3], "quantile \(q), \(degrees) degrees of freedom")
      let noncentral = NoncentralT(degreesOfFreedom: degrees, noncentrality: noncentrality)
      #expect(
        abs(noncentral.tail(above: t) - answer[4]) < 1e-9,
        "tail above \(t), \(degrees) degrees of freedom, noncentrality \(noncentrality): \(noncentral.tail(above: t))")
    }
  }
}
