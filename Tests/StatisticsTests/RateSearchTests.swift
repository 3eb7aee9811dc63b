// The search against systems whose capacity is known: it has to find it within its interval, to end where there is none
// to find, and never to go on for ever.

import Glibc
import Testing

@testable import Statistics

private let settings = RateSearch.Settings(start: 1_000, lowest: 100, highest: 1_000_000)

/// Runs a search to its end.
private func search(
  _ settings: RateSearch.Settings = settings, _ outcome: (_ rate: Double, _ trial: Int) -> RateSearch.Outcome
) -> RateSearch {
  var search = RateSearch(settings)
  while let rate = search.nextRate {
    search.record(outcome(rate, search.trials.count))
    if search.trials.count > 1_000 {
      Issue.record("the search does not end")
      break
    }
  }
  return search
}

@Suite struct RateSearchTests {
  @Test(
    "a sharp capacity is found within its interval, from below and from above",
    arguments: [137.0, 999, 1_000, 12_345, 777_777])
  func sharp(capacity: Double) throws {
    let found = search { rate, _ in rate <= capacity ? .sustained : .missed }
    #expect(found.ending == .found)
    let sustained = try #require(found.sustained)
    let missed = try #require(found.missed)
    #expect(sustained <= capacity && capacity < missed)
    #expect(missed / sustained <= settings.ratio)
    let threshold = found.threshold()
    let low = try #require(threshold.low)
    let high = try #require(threshold.high)
    #expect(low <= capacity && capacity <= high)
    #expect(high / low <= settings.ratio)
    #expect(abs(log(try #require(threshold.estimate) / capacity)) <= log(settings.ratio))
    #expect(found.trials.count <= 60)
  }

  @Test("what is never sustained ends at the lowest rate, what always is at the highest")
  func oneSided() {
    let never = search { _, _ in .missed }
    #expect(never.ending == .belowLowest)
    #expect(never.trials.map(\.rate) == [1_000, 1_000, 500, 500, 250, 250, 125, 125, 100, 100])
    #expect(never.sustained == nil && never.missed == 100)
    let always = search { _, _ in .sustained }
    #expect(always.ending == .aboveHighest)
    #expect(always.sustained == 1_000_000 && always.missed == nil)
    #expect(always.trials.count == 22)
  }

  @Test("the rig's limit ends the search with what was sustained below it, never with a capacity")
  func rigLimit() throws {
    let limited = search { rate, _ in rate > 20_000 ? .rigLimit : .sustained }
    #expect(limited.ending == .rigLimit)
    let sustained = try #require(limited.sustained)
    #expect(sustained <= 20_000 && sustained > 20_000 / settings.ratio)
    #expect(limited.missed == nil)
    // Not even the lowest rate can be told.
    let blind = search { _, _ in .rigLimit }
    #expect(blind.ending == .rigLimit && blind.sustained == nil)
    // A capacity below it is found all the same.
    let below = search { rate, _ in rate > 20_000 ? .rigLimit : rate > 12_000 ? .missed : .sustained }
    #expect(below.ending == .found)
    let threshold = below.threshold()
    #expect(try #require(threshold.low) <= 12_000)
    #expect(try #require(threshold.high) >= 12_000)
  }

  @Test("void trials are made again, and too many in a row end the search")
  func voids() {
    let every = search { rate, trial in trial % 2 == 0 ? .void : rate <= 3_000 ? .sustained : .missed }
    #expect(every.ending == .found)
    #expect(every.trials.count { $0.outcome == .void } == every.trials.count { $0.outcome != .void })
    for pair in zip(every.trials, every.trials.dropFirst()) where pair.0.outcome == .void {
      #expect(pair.0.rate == pair.1.rate)
    }
    let only = search { _, _ in .void }
    #expect(only.ending == .unsettled)
    #expect(only.trials.count == settings.toleratedVoids + 1)
  }

  @Test("one wrong verdict in three does not move the bracket")
  func outvoted() {
    var trialsAt: [Double: Int] = [:]
    let disturbed = search { rate, _ in
      trialsAt[rate, default: 0] += 1
      let truth: RateSearch.Outcome = rate <= 3_000 ? .sustained : .missed
      return trialsAt[rate] == 1 ? (truth == .missed ? .sustained : .missed) : truth
    }
    #expect(disturbed.ending == .found)
    #expect((disturbed.sustained ?? 0) <= 3_000 && (disturbed.missed ?? 0) > 3_000)
  }

  @Test("the staircase climbs out of a bracket that was missed by bad luck")
  func unluckyBracket() throws {
    // The first rates above 2,000 are disturbed; the truth is 4,000.
    let unlucky = search { rate, trial in
      rate > 4_000 ? .missed : rate > 2_000 && trial < 16 ? .missed : .sustained
    }
    #expect(unlucky.ending == .found)
    #expect((unlucky.missed ?? 0) < 2_300)
    #expect(try #require(unlucky.trials.last?.rate) > 2_700)
    // The interval says that little is known.
    #expect(unlucky.threshold().high ?? .infinity >= 4_000)
  }

  @Test("no rate outside the range is ever tried", arguments: 0..<200)
  func range(seed: Int) {
    var noise = Noise(seed: UInt64(seed))
    let narrow = RateSearch.Settings(start: 600, lowest: 500, highest: 900)
    let outcomes: [RateSearch.Outcome] = [.sustained, .missed, .void, .rigLimit, .missed, .sustained]
    let random = search(narrow) { _, _ in outcomes[noise.index(below: outcomes.count)] }
    #expect(random.trials.allSatisfy { (500...900).contains($0.rate) })
    #expect(random.nextRate == nil)
  }

  @Test("what is left is told, down to nothing")
  func left() {
    var search = RateSearch(settings)
    var told: [Int] = []
    while let rate = search.nextRate {
      told.append(search.expectedTrialsLeft)
      search.record(rate <= 10_000 ? .sustained : .missed)
    }
    #expect(search.expectedTrialsLeft == 0)
    #expect(told.allSatisfy { $0 > 0 })
    #expect(told.suffix(settings.staircaseTrials) == Array((1...settings.staircaseTrials).reversed())[...])
    #expect((told.count / 2...told.count * 2).contains(told[0]))
  }

  @Test(
    "rates have four digits",
    arguments: [(11_313.708, 11_310.0), (1_234.56, 1_235), (999_960, 1_000_000), (12.3456, 12.35), (0.123456, 0.1235)])
  func digits(rate: Double, rounded: Double) { #expect(RateSearch.rounded(rate) == rounded) }
}

@Suite("the search on systems that are not sharp") struct RateSearchSimulationTests {
  /// The share of intervals that hold the rate at which half of the trials are sustained, and their median width as a
  /// ratio. A trial is sustained up to a rate of its own, normal on a logarithmic scale.
  private func coverage(spread: Double, level: Double, searches: Int) -> (covered: Double, width: Double) {
    var noise = Noise(seed: 17)
    var covered = 0
    var widths: [Double] = []
    for _ in 0..<searches {
      let truth = 10_000 * exp(0.35 * (2 * noise.uniform() - 1))
      let found = search { rate, _ in rate <= truth * exp(spread * noise.normal()) ? .sustained : .missed }
      guard found.ending == .found else { continue }
      let threshold = found.threshold(level: level)
      let low = threshold.low ?? 0
      let high = threshold.high ?? .infinity
      if low <= truth && truth <= high { covered += 1 }
      widths.append(high / max(low, 1))
    }
    return (Double(covered) / Double(searches), median(widths) ?? .infinity)
  }

  @Test(
    "the interval covers as it says, up to a trial's own spread of 10 %, and nearly so at 20 %",
    arguments: [0.001, 0.02, 0.1, 0.2])
  func covers(spread: Double) {
    let (covered, width) = coverage(spread: spread, level: 0.95, searches: 200)
    print("capacity: a trial's spread of \(spread * 100) %: 95 % intervals cover \(covered * 100) %, width \(width)")
    // At 20 % a dozen steps do not always lead away from where a lucky bracket lay.
    #expect(covered >= (spread <= 0.1 ? 0.94 : 0.88))
    // The least: a step of the staircase. The most that is of use: a factor of little more than two.
    #expect(width < (spread <= 0.02 ? 1.15 : 2.2))
  }

  @Test("the quantile that holds for many trials would cover too little")
  func manyTrialsQuantile() {
    // Chi-squared with one degree of freedom exceeds 2.27 with probability 0.132.
    #expect(coverage(spread: 0.2, level: 0.868, searches: 200).covered < 0.92)
  }
}
