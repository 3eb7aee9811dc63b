// Lines through points: published examples, and what has none.

import Statistics
import Testing

@Suite struct SlopeTests {
  /// Anscombe, "Graphs in statistical analysis", The American Statistician 27(1), 1973: four sets that look nothing
  /// alike and share one line.
  @Test("Anscombe's four sets share slope, intercept and standard error")
  func anscombe() throws {
    let x = [10.0, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5]
    let sets: [([Double], [Double])] = [
      (x, [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68]),
      (x, [9.14, 8.14, 8.74, 8.77, 9.26, 8.10, 6.13, 3.10, 9.13, 7.26, 4.74]),
      (x, [7.46, 6.77, 12.74, 7.11, 7.81, 8.84, 6.08, 5.39, 8.15, 6.42, 5.73]),
      ([8, 8, 8, 8, 8, 8, 8, 19, 8, 8, 8], [6.58, 5.76, 7.71, 8.84, 8.47, 7.04, 5.25, 12.50, 5.56, 7.91, 6.89]),
    ]
    for (x, y) in sets {
      let line = try #require(LeastSquaresLine(zip(x, y).map { (x: $0, y: $1) }))
      #expect(abs(line.slope - 0.5) < 0.000_5)
      #expect(abs(line.intercept - 3) < 0.005)
      #expect(try abs(#require(line.standardError) - 0.118) < 0.000_5)
    }
    // R: confint(lm(y1 ~ x1, anscombe)).
    let interval = try #require(LeastSquaresLine(zip(sets[0].0, sets[0].1).map { (x: $0, y: $1) })).slopeInterval()
    #expect(try abs(interval.get().low - 0.233_370) < 0.000_001)
    #expect(try abs(interval.get().high - 0.766_812) < 0.000_001)
  }

  /// Rainfall ratios of five years of cloud seeding (Smith 1967): Hollander and Wolfe, "Nonparametric Statistical
  /// Methods", example 9.1; by hand from the ten slopes.
  @Test("the Theil-Sen interval is that of the textbook's cloud seeding")
  func cloudSeeding() throws {
    let points = [1.26, 1.27, 1.12, 1.16, 1.03].enumerated().map { (x: Double($0 + 1), y: $1) }
    #expect(try abs(#require(theilSenSlope(points)) - -0.056_25) < 1e-12)
    // Second and ninth slope of ten, as in the book: Kendall's K reaches 8 with 0.042 on either side.
    let book = try theilSenInterval(points, level: 0.9).get()
    #expect(abs(book.low - -0.13) < 1e-12 && abs(book.high - 0.01) < 1e-12)
    // At 95 % all ten are needed.
    let whole = try theilSenInterval(points).get()
    #expect(abs(whole.low - -0.15) < 1e-12 && abs(whole.high - 0.04) < 1e-12)
  }

  @Test("points on a line have its slope, with no error")
  func exact() throws {
    let points = (0..<8).map { (x: Double($0), y: 3 + 2 * Double($0)) }
    let line = try #require(LeastSquaresLine(points))
    #expect(abs(line.slope - 2) < 1e-12 && abs(line.intercept - 3) < 1e-12)
    #expect(try #require(line.standardError) < 1e-12)
    let interval = try theilSenInterval(points).get()
    #expect(interval.low == 2 && interval.high == 2)
  }

  @Test("an odd point moves least squares and not Theil-Sen")
  func odd() throws {
    let points = (0..<9).map { index -> (x: Double, y: Double) in (Double(index), index == 8 ? 500 : 2 * Double(index))
    }
    #expect(theilSenSlope(points) == 2)
    #expect(try #require(LeastSquaresLine(points)).slope > 20)
    #expect(try theilSenInterval(points).get().low == 2)
  }

  @Test("tied x are used by their differences alone")
  func tied() throws {
    let points = (0..<40).map { index -> (x: Double, y: Double) in
      let x = Double(index / 4)
      return (x, 3 * x + Double(index % 4) / 100)
    }
    let interval = try theilSenInterval(points).get()
    #expect(interval.low <= 3 && 3 <= interval.high && interval.high - interval.low < 0.1)
  }

  @Test("what has no line, or too few points for an interval, is refused")
  func refused() throws {
    #expect(LeastSquaresLine([]) == nil)
    #expect(LeastSquaresLine([(x: 1, y: 2)]) == nil)
    #expect(LeastSquaresLine([(x: 1, y: 2), (x: 1, y: 3)]) == nil)
    #expect(LeastSquaresLine([(x: 0, y: 2), (x: 1e-200, y: 3)]) == nil)
    let two = try #require(LeastSquaresLine([(x: 1, y: 2), (x: 2, y: 4)]))
    #expect(two.slope == 2 && two.standardError == nil)
    #expect(two.slopeInterval() == .failure(.tooFewPoints(have: 2)))
    #expect(theilSenInterval([]) == .failure(.tooFewPoints(have: 0)))
    #expect(theilSenInterval([(x: 1, y: 1), (x: 1, y: 2), (x: 1, y: 3)]) == .failure(.tooFewPoints(have: 3)))
    #expect(theilSenInterval((0..<4).map { (x: Double($0), y: 1.0) }) == .failure(.tooFewPoints(have: 4)))
    #expect(
      "\(NoInterval.tooFewPoints(have: 4))" == "too few points for the interval of a slope: 4; measure at more sizes")
  }

  @Test("an interval's width is a share where it is one of ratios")
  func width() throws {
    let interval = try #require(Spread([1, 1.1, 0.9, 1.05, 1])).interval.get()
    let width = try #require(interval.relativeHalfWidth)
    let middle = (interval.low * interval.high).squareRoot()
    #expect(abs(middle * (1 + width) - interval.high) < 1e-12)
    #expect(try meanInterval([-1, 0, 1, 2, 3]).get().relativeHalfWidth == nil)
  }
}
