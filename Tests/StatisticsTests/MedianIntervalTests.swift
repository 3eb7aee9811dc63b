// The median's interval where its ends are known: by the bootstrap's exact distribution, and by how often it covers.

import Glibc
import Testing

@testable import Statistics

@Suite struct MedianIntervalTests {
  @Test("refused below five rounds, where no interval of the sample's own values could cover with its level")
  func refused() {
    for n in 0..<5 {
      #expect(
        medianInterval((0..<n).map { Double($0) }) == .failure(.tooFewRounds(have: n, need: 5)))
    }
  }

  /// A resampled median of an odd number of values is at most the k-th smallest where at least half of the draws are:
  /// a binomial tail (Efron, "The Jackknife, the Bootstrap and Other Resampling Plans", 1982, section 10.1). In a
  /// symmetric sample bias and acceleration vanish, so that the interval ends at the resamples' own percentiles.
  @Test("in a symmetric sample the ends are the percentiles of the exact bootstrap", arguments: [5, 7, 11, 15, 21])
  func exactEnds(n: Int) throws {
    let values = (0..<n).map { Double($0 - n / 2) }
    let interval = try medianInterval(values, seed: 3).get()
    #expect(abs(interval.low + interval.high) <= 1)
    // The share of resampled medians at or below each end holds the 2.5 %, up to what 9,999 resamples can tell.
    let atLow = exactShare(ofMediansUpTo: values.count { $0 <= interval.low }, of: n)
    let belowLow = exactShare(ofMediansUpTo: values.count { $0 < interval.low }, of: n)
    #expect(belowLow < 0.025 + 0.006 && atLow > 0.025 - 0.006, "\(n): \(belowLow) ... \(atLow)")
  }

  private func exactShare(ofMediansUpTo k: Int, of n: Int) -> Double {
    let q = Double(k) / Double(n)
    guard q > 0 && q < 1 else { return q }
    return ((n + 1) / 2...n).reduce(0.0) { sum, draws in
      let ways = logGamma(Double(n + 1)) - logGamma(Double(draws + 1)) - logGamma(Double(n - draws + 1))
      return sum + exp(ways + Double(draws) * log(q) + Double(n - draws) * log1p(-q))
    }
  }

  @Test("the same seed gives the same interval, and the order of the rounds does not matter")
  func seeded() throws {
    let values = [3.1, 2.7, 9.4, 3.3, 2.9, 4.0, 3.2, 3.6]
    let interval = try medianInterval(values, seed: 5).get()
    #expect(try medianInterval(values, seed: 5).get() == interval)
    #expect(try medianInterval(values.reversed(), seed: 5).get() == interval)
    #expect(interval.level == 0.95)
    // Scaling by a power of two is exact, and so scales the ends.
    let scaled = try medianInterval(values.map { 4 * $0 }, seed: 5).get()
    #expect(scaled.low == 4 * interval.low && scaled.high == 4 * interval.high)
    #expect(interval.low <= 3.25 && 3.25 <= interval.high)
  }

  @Test("a wider level is a wider interval, and one odd round does not reach the median's interval")
  func levels() throws {
    let values = [10.0, 10.2, 9.9, 10.1, 10.3, 9.8, 10.05, 10.15, 9.95, 10.25, 400]
    let narrow = try medianInterval(values, level: 0.5).get()
    let wide = try medianInterval(values, level: 0.95).get()
    #expect(wide.low < narrow.low && narrow.high < wide.high)
    #expect(wide.high < 11)
  }

  @Test("equal rounds have an interval of no width")
  func equal() throws {
    let interval = try medianInterval([7, 7, 7, 7, 7]).get()
    #expect(interval.low == 7 && interval.high == 7)
  }

  @Test("coverage: about 95 % from a dozen rounds on, three quarters at three")
  func coverage() {
    for (n, least, most) in [(3, 0.66, 0.8), (5, 0.88, 0.97), (12, 0.91, 0.98)] {
      var noise = Noise(seed: 43)
      let samples = 600
      var covered = 0
      for seed in 0..<samples {
        // Exponential figures: the median is log 2.
        let values = (0..<n).map { _ in noise.exponential() }
        let interval = bcaMedian(values, level: 0.95, seed: UInt64(seed), resamples: 399)
        if interval.low <= log(2.0) && log(2.0) <= interval.high { covered += 1 }
      }
      let share = Double(covered) / Double(samples)
      print("coverage of the median's 95 % interval at n = \(n): \(share)")
      #expect(share > least && share < most, "n = \(n)")
    }
  }
}
