// The signed-rank check and its estimate, against printed tables, R, and plain enumeration.

import Glibc
import Testing

@testable import Statistics

/// Hamilton's depression factor of nine patients before and after a tranquilliser: Hollander and Wolfe, "Nonparametric
/// Statistical Methods", table 3.1; the example of R's wilcox.test.
private let depression = zip(
  [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30],
  [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]
).map { $0 - $1 }

@Suite struct SignedRankTests {
  @Test("the textbook's example: V = 40, p = 0.0391, estimate 0.46 in (0.01, 0.786)")
  func textbook() throws {
    let test = SignedRank(LogRatios(depression))
    #expect(test.positiveRankSum == 40)
    #expect(test.p == 20.0 / 512)
    #expect(test.isExact && test.ranked == 9 && test.equal == 0)
    let estimate = try #require(HodgesLehmann(LogRatios(depression)))
    #expect(abs(log(estimate.ratio) - 0.46) < 1e-12)
    let interval = try estimate.interval.get()
    #expect(abs(log(interval.low) - 0.01) < 1e-12)
    #expect(abs(log(interval.high) - 0.786) < 1e-12)
    #expect(interval.level == 0.95)
  }

  /// Wilcoxon and Wilcox, "Some Rapid Approximate Statistical Procedures", 1964, table 2 (5 %, two-sided), as reprinted
  /// in most textbooks: the largest rank sum that rejects.
  @Test(
    "critical values equal the published table",
    arguments: [
      (6, 0), (7, 2), (8, 3), (9, 5), (10, 8), (11, 10), (12, 13), (13, 17), (14, 21), (15, 25), (17, 34), (18, 40),
      (19, 46), (20, 52), (25, 89), (30, 137), (40, 264), (50, 434),
    ])
  func criticalValues(rounds: Int, critical: Int) {
    #expect(SignedRank(LogRatios(signs(rounds, positiveRankSum: critical))).p <= 0.05)
    #expect(SignedRank(LogRatios(signs(rounds, positiveRankSum: critical + 1))).p > 0.05)
  }

  /// Differences of 1 ... n, of which the positive ones have a given rank sum.
  private func signs(_ rounds: Int, positiveRankSum: Int) -> [Double] {
    var left = positiveRankSum
    return (1...rounds).reversed().map { rank in
      guard rank <= left else { return -Double(rank) }
      left -= rank
      return Double(rank)
    }
  }

  @Test("ties and zeros: the distribution is that of all assignments of signs to the ranks as they are")
  func tiesByEnumeration() {
    var noise = Noise(seed: 21)
    for _ in 0..<200 {
      // Few different sizes, zero among them.
      let differences = (0..<(1 + noise.index(below: 9))).map { _ in Double(noise.index(below: 7) - 3) / 8 }
      let test = SignedRank(LogRatios(differences))
      let ranked = differences.filter { $0 != 0 }
      let ranks = ranked.map { value in
        let smaller = ranked.count { abs($0) < abs(value) }
        let equal = ranked.count { abs($0) == abs(value) }
        return Double(smaller) + Double(equal + 1) / 2
      }
      let observed = zip(ranks, ranked).reduce(0) { $0 + ($1.1 > 0 ? $1.0 : 0) }
      let middle = ranks.reduce(0, +) / 2
      var asExtreme = 0
      for assignment in 0..<(1 << ranked.count) {
        var sum = 0.0
        for (bit, rank) in ranks.enumerated() where assignment >> bit & 1 == 1 { sum += rank }
        if abs(sum - middle) >= abs(observed - middle) { asExtreme += 1 }
      }
      #expect(test.positiveRankSum == observed)
      #expect(test.ranked == ranked.count && test.equal == differences.count - ranked.count)
      #expect(test.p == Double(asExtreme) / Double(1 << ranked.count), "\(differences)")
    }
  }

  @Test("Student's data have a zero and a tie: nine losses of nine")
  func sleep() {
    let test = SignedRank(LogRatios(zip(sleepFirst, sleepSecond).map { $0 - $1 }))
    #expect(test.positiveRankSum == 0 && test.equal == 1 && test.ranked == 9)
    #expect(test.p == 2.0 / 512)
  }

  @Test("differences that only rounding tells apart are ties")
  func rounding() throws {
    // log(11 / 10) and log(2.2 / 2) differ in the last digit; one up, one down cancel.
    let ratios = try LogRatios(base: [10, 2.2, 0.7], head: [11, 2, 0.7 * (1 + 1e-15)])
    let test = SignedRank(ratios)
    #expect(test.positiveRankSum == 1.5 && test.ranked == 2 && test.equal == 1)
    #expect(test.p == 1)
  }

  @Test("beyond the exact range the approximation continues it")
  func approximation() {
    var noise = Noise(seed: 23)
    for _ in 0..<3 {
      let shift = 0.3 * noise.normal()
      let exact = (0..<SignedRank.exactUpTo).map { _ in shift + noise.normal() }
      let test = SignedRank(LogRatios(exact))
      #expect(test.isExact)
      // The same formula, by hand.
      let n = Double(exact.count)
      let deviation = max(0, abs(test.positiveRankSum - n * (n + 1) / 4) - 0.5)
      let p = 2 * Normal.tail(above: deviation / (n * (n + 1) * (2 * n + 1) / 24).squareRoot())
      #expect(abs(test.p - min(1, p)) < 0.002)
      // One round more, which changes little, is approximated.
      let more = SignedRank(LogRatios(exact + [1e-6]))
      #expect(!more.isExact && abs(more.p - test.p) < 0.02)
    }
  }

  @Test("nothing to rank is no evidence")
  func nothing() {
    #expect(SignedRank(LogRatios([])).p == 1)
    #expect(SignedRank(LogRatios([0, 0, 0])).p == 1)
    #expect(HodgesLehmann(LogRatios([])) == nil)
  }

  @Test("the rounds that let the test reach a level are those whose smallest p does")
  func reach() {
    #expect(SignedRank.smallestP(rounds: 5) == 0.0625)
    #expect(SignedRank.rounds(forLevel: 0.05) == 6)
    #expect(SignedRank.rounds(forLevel: 0.0625) == 5)
    for level in [0.5, 0.1, 0.05, 0.01, 0.05 / 6, 1e-4, 1e-9] {
      let rounds = SignedRank.rounds(forLevel: level)
      #expect(SignedRank.smallestP(rounds: rounds) <= level)
      #expect(SignedRank.smallestP(rounds: rounds - 1) > level)
    }
  }

  @Test("the Hodges-Lehmann ratio is refused an interval below six rounds, and one odd round cannot move it")
  func hodgesLehmann() throws {
    let five = try #require(HodgesLehmann(LogRatios([1, 2, 3, 4, 5])))
    #expect(abs(log(five.ratio) - 3) < 1e-12)
    #expect(five.interval == .failure(.tooFewRounds(have: 5, need: 6)))
    // At six, the whole range of the rounds: 1 - 2 / 64 = 97 %.
    let six = try #require(HodgesLehmann(LogRatios([1, 2, 3, 4, 5, 7])))
    let range = try six.interval.get()
    #expect(abs(log(range.low) - 1) < 1e-12 && abs(log(range.high) - 7) < 1e-12)
    let calm = [0.09, 0.1, 0.11, 0.1, 0.1, 0.095, 0.105, 0.1, 0.1]
    let odd = try #require(HodgesLehmann(LogRatios(calm + [5])))
    #expect(abs(odd.ratio / exp(0.1) - 1) < 0.01)
  }

  @Test("the Hodges-Lehmann interval excludes 1 where the check rejects", arguments: [6, 9, 14, 120])
  func inversion(rounds: Int) throws {
    var noise = Noise(seed: 29)
    var rejected = 0
    for _ in 0..<40 {
      // Around the level, where the two could differ.
      let shift = 2.5 / Double(rounds).squareRoot() * noise.normal()
      let ratios = LogRatios((0..<rounds).map { _ in shift + noise.normal() })
      let interval = try #require(HodgesLehmann(ratios)).interval.get()
      let rejects = SignedRank(ratios).p <= 0.05
      #expect(rejects == !(interval.low <= 1 && 1 <= interval.high))
      if rejects { rejected += 1 }
    }
    #expect((1..<40).contains(rejected))
  }
}
