// An in-process model whose figures are made up: the harness files them, the report summarises them, and what comes out
// is computed here once more, by sorting. Nothing is measured, so that everything is exact.

import Foundation
import ResultFormat
import Testing
import Workloads

@testable import Harness

@Suite struct KnownFiguresTests {
  /// What the fake is told to say in one trial.
  struct Told: Encodable {
    var operations: Int
    var window: UInt64
    var latencies: [[UInt64]]
    var usage: [String: Int]

    /// Each value in nanoseconds, ascending.
    var samples: [UInt64] { latencies.flatMap { Array(repeating: $0[0], count: Int($0[1])) } }
  }

  /// Values of which no two share a slot of the histogram: every step that 11 binary digits make, over 20 doublings from
  /// 2 microseconds to 2 seconds. So the next rank above or below is another value.
  static func values(shiftedBy shift: UInt64) -> [UInt64] {
    (1...20 as ClosedRange<UInt64>).flatMap { doubling in
      (1_024..<2_048 as Range<UInt64>).map { $0 << (doubling + shift) }
    }
  }

  /// Five rounds whose middle one is none of the first and no mean: times 4, 1, 16, 2, 1, and windows of other lengths.
  /// In the first each value was seen once, so that both neighbours of a percentile's rank are other values; in the
  /// others five times, so that there are enough for p99.9.
  static let rounds: [Told] = zip([2, 0, 4, 1, 0], [4, 2, 1, 8, 5]).enumerated().map { index, round in
    let (shift, seconds) = round
    let times: UInt64 = index == 0 ? 1 : 5
    let operations = 20_480 * Int(times)
    return Told(
      operations: operations, window: UInt64(seconds) * 1_000_000_000,
      latencies: values(shiftedBy: UInt64(shift)).map { [$0, times] },
      usage: [
        "userNanoseconds": operations * 400 * (shift + 1), "systemNanoseconds": operations * 100,
        "voluntarySwitches": operations * 3 / 4, "involuntarySwitches": operations / 4,
        "minorFaults": operations / 8, "majorFaults": operations / 8, "heapAllocations": operations * (shift + 2),
        "heapAllocatedBytes": 1_000_000 + shift,
      ])
  }

  /// The highest value of the slot that holds this one: 11 binary digits are kept.
  private func slotEnd(_ value: UInt64) -> UInt64 {
    let lost = UInt64(max(0, 64 - value.leadingZeroBitCount - 11))
    return ((value >> lost) + 1) << lost - 1
  }

  /// nil where fewer than 100 samples lie beyond.
  private func expected(_ perTenThousand: Int, _ samples: [UInt64]) -> UInt64? {
    guard samples.count - rank(perTenThousand, of: samples.count) >= 100 else { return nil }
    return slotEnd(samples[rank(perTenThousand, of: samples.count) - 1])
  }

  @Test func `what a model says of itself comes out of the report`() async throws {
    let installation = try FakeInstallation.ofOwnPrograms()
    let file = "\(installation.folder)/figures.json"
    try JSONEncoder().encode(Self.rounds).write(to: URL(filePath: file))
    try installation.writeModel("known", running: "known_figures.py", file)
    let known = try await KnownRun(
      installation,
      ["timer-storm/paced", "--rounds", "5", "--warm-up", "0", "--window", "0.1", "--set", "cancelShare=0"])
    #expect(known.run.trials.map(\.round) == [1, 2, 3, 4, 5])
    for (trial, told) in zip(known.run.trials, Self.rounds) { try expectTrial(trial, told) }

    let metrics = try known.metrics("known")
    for (key, share) in [("p50", 5_000), ("p99", 9_900), ("p999", 9_990)] {
      let values = Self.rounds.compactMap { expected(share, $0.samples) }.map { Double($0) }
      #expect(values.count == (key == "p999" ? 4 : 5))
      let figure = try #require(metrics["latency.all.\(key)"])
      try expectFigure(figure, values)
      #expect(known.shows(figure.median, of: "known"))
    }
    try expectFigure(metrics["throughput"], Self.rounds.map { Double($0.operations) * 1e9 / Double($0.window) })
    try expectFigure(
      metrics["cpuPerOperation"],
      Self.rounds.map { Double($0.usage["userNanoseconds"]! + $0.usage["systemNanoseconds"]!) / Double($0.operations) })
    try expectFigure(metrics["switchesPerOperation"], [1, 1, 1, 1, 1])
    try expectFigure(metrics["faultsPerOperation"], [0.25, 0.25, 0.25, 0.25, 0.25])
    try expectFigure(metrics["allocationsPerOperation"], [4, 2, 6, 3, 2])
  }

  private func expectTrial(_ trial: Trial, _ told: Told) throws {
    let figures = try #require(trial.figures)
    #expect(figures.operations == told.operations)
    #expect(figures.windowNanoseconds == told.window)
    #expect(figures.memory?.heapAllocatedBytes == told.usage["heapAllocatedBytes"])
    #expect(figures.cpu?.systemNanosecondsPerOperation == 100)
    let summary = try #require(figures.latencies["all"])
    let samples = told.samples
    #expect(summary.count == samples.count)
    #expect(summary.p50 == expected(5_000, samples))
    #expect(summary.p90 == expected(9_000, samples))
    #expect(summary.p99 == expected(9_900, samples))
    #expect(summary.p999 == expected(9_990, samples))
    #expect(summary.p9999 == nil)
    #expect(summary.max == slotEnd(samples.last!))
    #expect(try summary.slots().recorded == told.latencies.map { [slotEnd($0[0]), $0[1]] })
    // Within half of a slot's width.
    let mean = samples.reduce(0) { $0 + Double($1) } / Double(samples.count)
    #expect(abs(summary.mean - mean) <= mean / 1_024)
  }

  /// The median over rounds and the ends. Its interval is tested on published values elsewhere: with five rounds both ends
  /// are rounds, and beyond the two next to the median.
  private func expectFigure(_ figure: KnownReport.Figure?, _ values: [Double]) throws {
    let figure = try #require(figure)
    let sorted = values.sorted()
    #expect(figure.values == values)
    #expect(figure.minimum == sorted[0] && figure.maximum == sorted[values.count - 1])
    guard values.count == 5 else { return }
    #expect(figure.median == sorted[2])
    let interval = try #require(figure.interval)
    #expect(interval.count == 2 && sorted[0...1].contains(interval[0]) && sorted[3...4].contains(interval[1]))
  }
}
