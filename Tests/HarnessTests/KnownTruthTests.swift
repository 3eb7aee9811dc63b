// Served models of known latency, stall and throughput: what the fake stamped comes out of the report at the other end.
// KnownTruth.swift says what may be compared with what, and why no time of the machine's decides.

import Foundation
import ResultFormat
import Testing
import Workloads

@testable import Harness

@Suite(.serialized) struct KnownTruthTests {
  /// One sub-request per request and small frames: the fake has to keep up.
  static let small = [
    "--set", "width=1", "--set", "serviceTime=none", "--set", "requestBytes=24", "--set", "replyBytes=24",
  ]

  // MARK: Latencies

  /// 50 ms and an exponential rest of 40 ms on average: each thousandth once, in any order.
  static let tail: [Int] = {
    var order = SplitMix64(seed: 11)
    return (0..<1_000).map { 50_000 + Int(-40_000 * log(1 - (Double($0) + 0.5) / 1_000)) }.shuffled(using: &order)
  }()

  @Test func `an open loop's percentiles are those of the model's own stamps`() async throws {
    let scripts: [(name: String, delays: [Int], isComparable: Bool)] = [
      ("fixed", [60_000], true),
      ("two-point", [50_000, 50_000, 120_000, 50_000, 50_000], true),
      ("tail", Self.tail, true),
      ("short", [1_000], false),
    ]
    try await undisturbed(attempts: 2) {
      let installation = try FakeInstallation.ofOwnPrograms()
      for script in scripts { try installation.writeModel(script.name, KnownScript(delaysMicroseconds: script.delays)) }
      let known = try await KnownRun(
        installation,
        ["fan-out/fixed-rate", "--rounds", "1", "--warm-up", "0.3", "--window", "4", "--set", "rate=3000"] + Self.small
          + ["--set", "connections=1024", "--set", "backendConnections=1024"])
      guard known.overload.isEmpty else { return known.overload }
      var disturbances: [String] = []
      for script in scripts {
        let trial = try known.trial(script.name)
        let figures = try #require(trial.figures)
        let stamps = try installation.stamps(script.name)
        let truth = try #require(
          OpenLoopTruth(stamps, seed: trial.seed, rate: 3_000, warmUp: 300_000_000, window: 4_000_000_000),
          "\(script.name): the requests are not those of the schedule")
        expectAmounts(figures, truth)
        for (name, bounds) in [("all", truth.latencies()), ("added", truth.added())] {
          let summary = try #require(figures.latencies[name])
          #expect(summary.count == truth.indices.count)
          for comparison in try Comparison.all(summary, bounds, of: "\(script.name) \(name)") {
            #expect(comparison.isWithinBounds, "\(comparison)")
            print("known truth: \(comparison)")
            // What a request waits in the fake's socket while the fake is busy is in no stamp of `added`.
            guard script.isComparable && name == "all" && !comparison.isEqual else { continue }
            let disturbance = try #require(comparison.disturbance, "\(comparison)")
            disturbances.append(disturbance)
          }
          expectReported(known, script.name, name, summary)
        }
      }
      return disturbances
    }
  }

  /// Whole numbers, which no machine can shift: the schedule is the seed's, and the stamps bound the answers.
  private func expectAmounts(_ figures: Figures, _ truth: OpenLoopTruth) {
    #expect(figures.windowNanoseconds == UInt64(truth.window.count))
    func rate(_ count: Int) -> Double { Double(count) * 1e9 / Double(truth.window.count) }
    #expect(figures.offeredPerSecond == rate(truth.indices.count))
    #expect(figures.operationsPerSecond == rate(figures.operations))
    #expect(truth.operations().contains(figures.operations), "\(figures.operations) of \(truth.operations())")
  }

  /// The report says what run.json says: one round, whose figures are the medians.
  private func expectReported(_ known: KnownRun, _ model: String, _ name: String, _ summary: LatencySummary) {
    for (key, value) in [("p50", summary.p50), ("p99", summary.p99)] {
      guard let value else { continue }
      #expect((try? known.metrics(model))?["latency.\(name).\(key)"]?.median == Double(value))
      #expect(known.shows(Double(value), of: model), "\(name) \(key) \(value) in \(known.markdown)")
    }
  }

  // MARK: A stall

  /// 10,000 requests a second: in 100 ms come 1,000 of them, nearly 1 % of all, and the last of the slowest thousandth
  /// waits for 90 of the 100 ms. With 64 connections most of them cannot even be sent before the stall is over.
  @Test func `a stall of 100 ms shows in p99.9 of an open loop as the schedule says it must`() async throws {
    try await undisturbed {
      let installation = try FakeInstallation.ofOwnPrograms()
      try installation.writeModel(
        "stalls", KnownScript(delaysMicroseconds: [0], stall: .init(request: 50_000, milliseconds: 100)))
      let known = try await KnownRun(
        installation,
        ["fan-out/fixed-rate", "--rounds", "1", "--warm-up", "0.3", "--window", "10.5", "--set", "rate=10000"]
          + Self.small + ["--set", "connections=64", "--set", "backendConnections=64"])
      guard known.overload.isEmpty else { return known.overload }
      let trial = try known.trial("stalls")
      let figures = try #require(trial.figures)
      let summary = try #require(figures.latencies["all"])
      let stamps = try installation.stamps("stalls")
      let truth = try #require(
        OpenLoopTruth(stamps, seed: trial.seed, rate: 10_000, warmUp: 300_000_000, window: 10_500_000_000),
        "the requests are not those of the schedule")
      expectAmounts(figures, truth)
      #expect(summary.count == truth.indices.count)

      let stall = try #require(truth.stamps.stall)
      let arithmetic = truth.stalled().percentile(9_990, of: summary.count).atLeast
      let reported = try #require(summary.p999)
      #expect(reported >= arithmetic)
      #expect(arithmetic >= UInt64(stall.count) * 8 / 10)
      #expect(summary.max >= UInt64(stall.count))
      print(
        "known truth: a stall of \(milliseconds(UInt64(stall.count))) in an open loop: p99.9 at least "
          + "\(milliseconds(arithmetic)) by the schedule, reported \(milliseconds(reported))")
      #expect(try known.metrics("stalls")["latency.all.p999"]?.median == Double(reported))
      #expect(known.shows(Double(reported), of: "stalls"))

      let comparisons = try Comparison.all(summary, truth.latencies(), of: "stalls all")
      let comparison = try #require(comparisons.last { $0.name == "p99.9" })
      #expect(comparison.isWithinBounds, "\(comparison)")
      print("known truth: \(comparison)")
      if comparison.isEqual { return [] }
      return [try #require(comparison.disturbance, "\(comparison)")]
    }
  }

  /// The same stall of the same model: each of the 4 connections has one request under way, and none follows before the
  /// stall is over. 4 of tens of thousands of samples know of it, whatever its length.
  @Test func `a closed loop does not see the stall in p99.9`() async throws {
    try await undisturbed {
      let installation = try FakeInstallation.ofOwnPrograms()
      try installation.writeModel(
        "stalls", KnownScript(delaysMicroseconds: [0], stall: .init(request: 10_000, milliseconds: 100)))
      let known = try await KnownRun(
        installation,
        ["fan-out/closed", "--rounds", "1", "--warm-up", "0.1", "--window", "5"] + Self.small
          + ["--set", "connections=4", "--set", "backendConnections=4"])
      guard known.overload.isEmpty else { return known.overload }
      let trial = try known.trial("stalls")
      let figures = try #require(trial.figures)
      let summary = try #require(figures.latencies["all"])
      let truth = ClosedLoopTruth(try installation.stamps("stalls"))
      let window: Range<UInt64> = 100_000_000..<5_100_000_000
      guard let stall = truth.stamps.stall,
        stall.lowerBound > truth.start + window.lowerBound,
        stall.upperBound + truth.slack < truth.start + window.upperBound
      else { return ["the stall fell outside the window: \(truth.stamps.requests.count) requests in all"] }

      // Known throughput: the fake's answers, and at both edges those that the rig may have read on either side.
      let operations = truth.operations(in: window)
      #expect(figures.windowNanoseconds == UInt64(window.count))
      #expect(operations.contains(figures.operations), "\(figures.operations) of \(operations)")
      #expect(figures.operationsPerSecond == Double(figures.operations) * 1e9 / Double(window.count))
      #expect(try known.metrics("stalls")["throughput"]?.median == figures.operationsPerSecond)
      print("known truth: \(figures.operations) operations in a closed loop, of \(operations) by the stamps")

      let bounds = truth.latencies(in: window)
      #expect((bounds.atLeast.count...bounds.atMost.count).contains(summary.count))
      let comparisons = try Comparison.all(summary, bounds, of: "closed all")
      for comparison in comparisons { #expect(comparison.isInOrder, "\(comparison)") }

      #expect(truth.held.count == 4)
      #expect(summary.max >= UInt64(stall.count))
      guard summary.count > 8_000 else { return ["only \(summary.count) samples: 4 of them are too many"] }
      // What the machine itself did to the others, at the place where p99.9 lies if the 4 are taken away.
      let others = bounds.atMost.filter { $0 < UInt64(stall.count) }[summary.count - rank(9_990, of: summary.count) - 4]
      let slots = try summary.slots()
      let reported = try #require(slots.value(atPerTenThousand: 9_990))
      print(
        "known truth: the same stall in a closed loop: p99.9 \(milliseconds(reported)), the slowest of "
          + "\(summary.count) samples \(milliseconds(summary.max))")
      guard others < UInt64(stall.count) / 2 else {
        return ["the machine stalled by itself: \(milliseconds(others)) at p99.9 without the stall"]
      }
      #expect(reported < UInt64(stall.count) / 2)
      return []
    }
  }
}

/// A percentile as reported, beside what the fake's stamps allow.
struct Comparison: CustomStringConvertible {
  let subject: String
  let name: String
  let reported: UInt64
  /// By the stamps alone, and with the echo.
  let atLeast: UInt64
  let atMost: UInt64

  /// Those that the summary states.
  static func all(_ summary: LatencySummary, _ bounds: LatencyBounds, of subject: String) throws -> [Comparison] {
    let stated: [(String, Int, UInt64?)] = [
      ("p50", 5_000, summary.p50), ("p90", 9_000, summary.p90), ("p99", 9_900, summary.p99),
      ("p99.9", 9_990, summary.p999),
    ]
    let comparisons = stated.compactMap { name, share, reported in
      reported.map { reported in
        let (atLeast, atMost) = bounds.percentile(share, of: summary.count)
        return Comparison(subject: subject, name: name, reported: reported, atLeast: atLeast, atMost: atMost)
      }
    }
    try #require(comparisons.count >= 3, "\(subject): \(summary.count) samples are too few for p99")
    return comparisons
  }

  /// A histogram's slot is less than a thousandth wide.
  private var slotEnd: UInt64 { atMost + atMost / 1_000 + 1 }

  /// Whether it is what the stamps allow for certain.
  var isInOrder: Bool { (atLeast...slotEnd).contains(reported) }

  /// The same where the upper bound is the echo's, which is another message's and not the answer's own.
  var isWithinBounds: Bool { (atLeast...slotEnd + slotEnd / 50).contains(reported) }

  /// Within 2 % of the stamps.
  var isEqual: Bool { (atLeast...atLeast + atLeast / 50).contains(reported) }

  /// Why the two need not be equal: the echo says that the machine delays the answers by more than 1 %.
  var disturbance: String? {
    atMost > atLeast + atLeast / 100
      ? "\(subject) \(name): \(milliseconds(atLeast)) by the stamps, \(milliseconds(atMost)) with the echo" : nil
  }

  var description: String {
    let error = Double(reported) - Double(atLeast)
    return "\(subject) \(name): stamped \(milliseconds(atLeast)), reported \(milliseconds(reported)), "
      + String(format: "%+.3f ms (%+.2f %%)", error / 1e6, 100 * error / Double(max(1, atLeast)))
      + ", at most \(milliseconds(atMost)) by the echo"
  }
}
