// The rate at which half of the trials pass, on trials whose likelihoods can be found by hand.

import Testing

@testable import Statistics

private func trials(_ outcomes: [(Double, String)]) -> [(rate: Double, passes: Bool)] {
  outcomes.flatMap { rate, marks in marks.map { (rate: rate, passes: $0 == "+") } }
}

@Suite struct PassingThresholdTests {
  private let sharp = trials((1...10).map { (Double($0), $0 <= 5 ? "+" : "-") })

  @Test("between the highest pass and the lowest failure, from the third pass above to the third failure below")
  func separated() {
    let threshold = PassingThreshold(sharp)
    #expect(threshold.estimate == 30.0.squareRoot())
    // A rate above k failures costs 2 k ln 2: 2.77 for two is below 3.84, 4.16 for three is not.
    #expect(threshold.low == 3)
    #expect(threshold.high == 8)
    #expect(threshold.level == 0.95)
  }

  @Test("the level decides how many it takes", arguments: [(0.7, 5.0, 6.0), (0.8, 4, 7), (0.95, 3, 8), (0.97, 2, 9)])
  func levels(level: Double, low: Double, high: Double) {
    // ln 2 times 2 is exceeded by chi-squared with one degree of freedom with probability 0.24, times 4 with 0.096,
    // times 6 with 0.041, times 8 with 0.019.
    let threshold = PassingThreshold(sharp, level: level)
    #expect(threshold.low == low)
    #expect(threshold.high == high)
  }

  @Test("order is of no account, and repeated trials count each")
  func repeated() {
    let mixed = trials([(4, "---"), (2, "+++"), (1, "++"), (8, "--")])
    let threshold = PassingThreshold(mixed)
    #expect(threshold.estimate == 8.0.squareRoot())
    #expect(threshold.low == 2)
    #expect(threshold.high == 4)
    #expect(PassingThreshold(mixed.reversed()) == threshold)
  }

  @Test("where passes and failures overlap, neighbours are pooled")
  func pooled() {
    // Shares 1, 1/2 and 0: the fit is one half from 2 to 3, since a pass at 3 stands against a failure at 2.
    let threshold = PassingThreshold(trials([(1, "++++"), (2, "-"), (3, "+"), (4, "----")]))
    #expect(threshold.estimate == 6.0.squareRoot())
    #expect(threshold.low == 1)
    #expect(threshold.high == 4)
    // Shares 3/4, 2/5 after pooling 1/3 with 1/2: one half is crossed between 1 and 2.
    let crossed = PassingThreshold(trials([(1, "+++-"), (2, "+--"), (3, "+-")]))
    #expect(crossed.estimate == 2.0.squareRoot())
  }

  @Test("where all trials lie on one side there is no estimate, and no end on the other")
  func oneSided() {
    let passes = PassingThreshold(trials([(1, "+"), (2, "+"), (3, "+"), (4, "+")]))
    #expect(passes.estimate == nil)
    #expect(passes.low == 2)
    #expect(passes.high == nil)
    let failures = PassingThreshold(trials([(1, "-"), (2, "-"), (3, "-"), (4, "-")]))
    #expect(failures.estimate == nil)
    #expect(failures.low == nil)
    #expect(failures.high == 3)
    let nothing = PassingThreshold([])
    #expect(nothing.estimate == nil && nothing.low == nil && nothing.high == nil)
  }

  @Test("the estimate lies within the interval, whatever the trials were")
  func estimateWithin() {
    var noise = Noise(seed: 3)
    for _ in 0..<2_000 {
      let random = (0..<(1 + noise.index(below: 20))).map { _ in
        (rate: Double(1 + noise.index(below: 8)), passes: noise.uniform() < 0.5)
      }
      let threshold = PassingThreshold(random)
      if let estimate = threshold.estimate {
        #expect((threshold.low ?? 0) <= estimate && estimate <= threshold.high ?? .infinity, "\(random)")
      }
    }
  }
}
