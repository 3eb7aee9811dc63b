// Location and spread on values that can be checked by hand.

import Glibc
import Statistics
import Testing

@Test("quantiles interpolate between order statistics as R's type 7 does")
func quantiles() throws {
  let values = [15.0, 20, 35, 40, 50]
  #expect(quantile(0, of: values) == 15)
  #expect(quantile(1, of: values) == 50)
  #expect(quantile(0.25, of: values) == 20)
  #expect(try abs(#require(quantile(0.4, of: values)) - 29) < 1e-12)
  #expect(quantile(0.5, of: [1, 2, 3, 4]) == 2.5)
  #expect(median([3, 1, 2]) == 2)
  #expect(median([7]) == 7)
  #expect(median([]) == nil)
}

@Test("the geometric mean is that of ratios, and refuses what has no logarithm")
func geometricMeans() throws {
  #expect(try abs(#require(geometricMean([1, 4, 16])) - 4) < 1e-12)
  #expect(geometricMean([1, 0]) == nil)
  #expect(geometricMean([1, -2]) == nil)
  #expect(geometricMean([]) == nil)
}

@Test("the Theil-Sen slope is the median of those between all pairs")
func slopes() throws {
  #expect(theilSenSlope([(1, 10), (3, 20)]) == 5)
  // A line of slope 2 with one odd point, which least squares would follow.
  #expect(theilSenSlope([(1, 2), (2, 4), (3, 6), (4, 8), (5, 1_000)]) == 2)
  #expect(theilSenSlope([(1, 5), (2, 5), (1, 9)]) == -2)
  #expect(theilSenSlope([(1, 5)]) == nil)
  #expect(theilSenSlope([(1, 5), (1, 6)]) == nil)
  #expect(theilSenSlope([]) == nil)
}

@Test("the interval of a mean takes values of either sign, and five of them")
func meanIntervals() throws {
  // mean 3, s^2 = 2.5, t(4, 0.975) = 2.776445105: 3 ± 2.776445105 * sqrt(0.5)
  let interval = try meanInterval([1, 2, 3, 4, 5]).get()
  #expect(abs(interval.low - (3 - 2.776445105 * 0.5.squareRoot())) < 1e-8)
  #expect(abs(interval.high - (3 + 2.776445105 * 0.5.squareRoot())) < 1e-8)
  let around = try meanInterval([-2, -1, 0, 1, 2]).get()
  #expect(abs(around.low + around.high) < 1e-12 && around.low < 0)
  #expect(meanInterval([1, 2, 3, 4]) == .failure(.tooFewRounds(have: 4, need: 5)))
}

@Test("below five rounds a spread has no interval and says how many would do")
func tooFewRounds() throws {
  let spread = try #require(Spread([3, 1, 2, 5]))
  #expect(spread.median == 2.5)
  #expect(spread.minimum == 1)
  #expect(spread.maximum == 5)
  #expect(spread.count == 4)
  #expect(spread.relativeHalfRange == 0.8)
  #expect(spread.interval == .failure(.tooFewRounds(have: 4, need: 5)))
  #expect(NoInterval.tooFewRounds(have: 4, need: 5).description == "too few rounds for an interval: 4, and 5 would do")
  #expect(Spread([]) == nil)
}

@Test("the interval is Student's on the logarithms")
func interval() throws {
  // Logarithms -2 ... 2: mean 0, variance 2.5, standard error sqrt(0.5), t(0.975, 4) = 2.7764451.
  let spread = try #require(Spread([-2.0, -1, 0, 1, 2].map { exp($0) }))
  let interval = try spread.interval.get()
  let reach = 2.776_445_105_197_79 * 0.5.squareRoot()
  #expect(abs(log(interval.high) - reach) < 1e-12)
  #expect(abs(log(interval.low) + reach) < 1e-12)
  #expect(interval.level == 0.95)
}

@Test("equal rounds have an interval of no width")
func noSpread() throws {
  let interval = try #require(Spread([4, 4, 4, 4, 4])).interval.get()
  #expect(abs(interval.low - 4) < 1e-14 && abs(interval.high - 4) < 1e-14)
}

@Test("a figure that reaches zero has no interval of ratios")
func zero() throws {
  let spread = try #require(Spread([0, 1, 2, 3, 4]))
  #expect(spread.interval == .failure(.notPositive(0)))
  #expect(spread.median == 2)
}
