// The comparisons of KnownTruthTests.swift have to be able to fail. Here is a trial without a machine: requests, stamps
// and readings are computed, and a rig that records them wrongly is found out each time.

import ResultFormat
import Testing
import Workloads

@testable import Harness

/// What a rig does wrong.
enum RigFlaw: CaseIterable {
  case none
  /// Latency from the moment at which a request was sent: coordinated omission.
  case countsFromSending
  /// Requests that are more than 5 ms late are never sent: coordinated omission, too.
  case skipsWhatIsLate
  case dropsSlowestPercent
  case recordsWarmUp
  /// By a thirtieth.
  case tooLong, tooShort
}

/// A fake that answers after 0.1 ms, one request after another, and stands still once; 64 connections.
struct ComputedTrial {
  static let (warmUp, window): (UInt64, UInt64) = (300_000_000, 10_500_000_000)
  static let rate = 10_000.0
  static let stallNanoseconds: UInt64 = 100_000_000

  private(set) var requests: [StampedRequest] = []
  private(set) var stall: Range<UInt64> = 0..<1
  /// Of requests of the window, as that rig has it.
  private(set) var recorded: RecordedCounts = []

  init(_ flaw: RigFlaw, seed: UInt64) {
    let start: UInt64 = 5_000_000_000
    // When each connection was read, or made; they take turns.
    var free = [UInt64](repeating: start, count: 64)
    var serverFree = start
    var latencies: [UInt64] = []
    for due in poissonArrivals(seed: seed, rate: Self.rate, before: Self.warmUp + Self.window) {
      let id = requests.count + 1
      let (connection, intended) = (id % free.count, start + due)
      let sent = max(intended, free[connection])
      if flaw == .skipsWhatIsLate, sent > intended + 5_000_000 { continue }
      let received = max(sent + 30_000, serverFree)
      let replied = received + 60_000
      var answered = replied + 5_000
      if id == 50_000 {
        stall = replied..<replied + Self.stallNanoseconds
        answered += Self.stallNanoseconds
      }
      serverFree = answered
      let read = answered + 40_000
      free[connection] = read
      requests.append(
        StampedRequest(
          id: id, connection: connection, received: received, asked: received, replied: replied, answered: answered))
      guard due >= Self.warmUp || flaw == .recordsWarmUp else { continue }
      var latency = read - (flaw == .countsFromSending ? sent : intended)
      if flaw == .tooLong { latency += latency / 30 }
      if flaw == .tooShort { latency -= latency / 30 }
      latencies.append(latency)
    }
    latencies.sort()
    if flaw == .dropsSlowestPercent { latencies.removeLast(latencies.count / 100) }
    recorded = latencies.map { [$0, 1] }
  }
}

@Suite struct FlawedRigTests {
  /// What the comparison finds, in words.
  private func found(_ flaw: RigFlaw) throws -> [String] {
    let trial = ComputedTrial(flaw, seed: 3)
    let stamps = Stamps(trial.requests, stall: trial.stall)
    guard
      let truth = OpenLoopTruth(
        stamps, seed: 3, rate: ComputedTrial.rate, warmUp: ComputedTrial.warmUp, window: ComputedTrial.window)
    else { return ["schedule"] }
    let summary = try LatencySummary(recorded: trial.recorded)
    var found: [String] = []
    if summary.count != truth.indices.count { found.append("count") }
    for comparison in try Comparison.all(summary, truth.latencies(), of: "computed") {
      if !comparison.isWithinBounds { found.append("\(comparison.name) out of bounds") }
      if comparison.name == "p99.9" {
        #expect(comparison.disturbance == nil)
        if !comparison.isEqual { found.append("\(comparison.name) differs") }
        let arithmetic = truth.stalled().percentile(9_990, of: summary.count).atLeast
        if flaw == .none { #expect(arithmetic > 80_000_000 && arithmetic < 100_000_000) }
        if comparison.reported < arithmetic { found.append("stall") }
      }
    }
    return found
  }

  @Test func `a rig that records what there was is found to agree with the stamps`() throws {
    #expect(try found(.none) == [])
  }

  @Test(arguments: [
    (RigFlaw.countsFromSending, "stall"), (.skipsWhatIsLate, "schedule"), (.dropsSlowestPercent, "count"),
    (.dropsSlowestPercent, "stall"), (.recordsWarmUp, "count"), (.tooLong, "p99.9 differs"),
    (.tooShort, "p99.9 out of bounds"),
  ]) func `a rig that records something else is found out`(_ flaw: RigFlaw, _ finding: String) throws {
    let found = try found(flaw)
    #expect(found.contains(finding), "\(found)")
  }
}
