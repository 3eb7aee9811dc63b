// The rule for counts, on rounds by hand, and which way a headline is better.

import ResultFormat
import Statistics
import Testing
import Workloads

@testable import Reports

@Suite struct ComparedCountTests {
  @Test(
    "more and fewer only beyond the ranges, the share and the least that counts",
    arguments: [
      // The same every time: three rounds will do, and any real change is found.
      ([9, 9, 9], [9, 9, 9], CountVerdict.same),
      ([9, 9, 9], [10, 10, 10], .more),
      ([10, 10, 10], [9, 9, 9], .fewer),
      ([9, 9], [10, 10], .tooFewRounds(have: 2, need: 3)),
      ([0, 0, 0], [0.0005, 0.0005, 0.0005], .same),
      ([0, 0, 0], [0.002, 0.002, 0.002], .more),
      ([100, 100, 100], [100.9, 100.9, 100.9], .same),
      // One that varies needs five, and a change beyond both ranges.
      ([9, 10, 11], [29, 30, 31], .tooFewRounds(have: 3, need: 5)),
      ([9, 10, 11, 10, 10], [13, 14, 15, 14, 14], .same),
      ([9, 10, 11, 10, 10], [14, 15, 16, 15, 15], .more),
      ([14, 15, 16, 15, 15], [9, 10, 11, 10, 10], .fewer),
      // One odd round widens the tolerance.
      ([9, 10, 11, 10, 10], [14, 15, 16, 15, 40], .same),
      ([9, 10, 11, 10, 10], [14, 15, 16, 15], .tooFewRounds(have: 4, need: 5)),
    ] as [([Double], [Double], CountVerdict)])
  func rule(base: [Double], head: [Double], expected: CountVerdict) throws {
    #expect(try #require(CountRule(base: Spread(base), head: Spread(head))).verdict == expected)
  }

  @Test("a run without the count has nothing to compare")
  func missing() { #expect(CountRule(base: Spread([]), head: Spread([1, 1, 1])) == nil) }

  @Test("counts are per operation, and only what both runs have")
  func counts() throws {
    let (base, head) = try MadeUp.pair()
    let compared = Comparison(base: base, at: "a", head: head, at: "b").workloads[0].cases[0]
    let found = Dictionary(
      grouping: compared.counts, by: \.row
    ).mapValues { Dictionary($0.map { ($0.count.key, $0) }, uniquingKeysWith: { first, _ in first }) }
    let switches = try #require(found["threads"]?["voluntarySwitchesPerOperation"])
    #expect(switches.base.median == 3 && switches.head.median == 2 && switches.verdict == .fewer)
    #expect(switches.words == "3.00 → 2.00 fewer")
    #expect(found["async-loop"]?["allocationsPerOperation"]?.verdict == .more)
    #expect(found["async-loop"]?["voluntarySwitchesPerOperation"]?.verdict == .same)
    // snake has no allocator that counts.
    #expect(found["snake"]?["allocationsPerOperation"] == nil && found["snake"]?["faultsPerOperation"] != nil)
    #expect(found["threads"]?["systemCallsPerOperation"] == nil)
  }

  @Test("system calls are compared where a run was probed for them")
  func systemCalls() throws {
    func probed(_ scatter: [Double], _ calls: Double) throws -> Run {
      var run = try MadeUp.run(scatter)
      run.plan.probeRounds = Plan.probedRounds
      run.probes = ProbeResults(
        probes: [ProbeState(name: .systemCalls)],
        trials: run.plan.probedTrials.map { planned in
          ProbedTrial(
            number: planned.number, startedAt: "2026-01-31T12:00:00Z", state: .ok,
            counts: ProbeCounts(
              systemCalls: ["read": calls - 1, "write": 1], instructions: nil, cycles: nil, cpuNanoseconds: nil))
        })
      return run
    }
    let comparison = Comparison(
      base: try probed(MadeUp.calm, 18), at: "a", head: try probed(MadeUp.calmToo, 19), at: "b")
    let found = comparison.workloads[0].cases[0].counts.filter { $0.count.key == "systemCallsPerOperation" }
    #expect(found.map(\.verdict) == [.more, .more, .more])
    #expect(found.map(\.base.median) == [18, 18, 18])
    #expect(
      comparison.regressions.contains { $0.contains("more system calls per request, 18.0 in BASE, 19.0 in HEAD") })
  }
}

@Suite struct HeadlineTests {
  private func metric(_ key: String, _ unit: Unit, _ better: Metric.Better?) -> Metric {
    Metric(key, key, unit, better: better, in: .speed) { _ in 1 }
  }

  @Test("a headline is better the way that the tables' metric is")
  func better() throws {
    let metrics = [
      metric("throughput", .rate, .higher), metric("latency.added.p99", .time, .lower),
      metric("goodput", .other("requests/s"), nil), metric("depth", .other("units"), nil),
    ]
    #expect(Headline("throughput", among: metrics)?.better == .higher)
    #expect(Headline("addedLatency", among: metrics)?.better == .lower)
    #expect(Headline("addedLatency", among: metrics)?.metric?.key == "latency.added.p99")
    // A rate of the workload's own is the better the higher; of any other measure nobody knows.
    #expect(Headline("goodput", among: metrics)?.better == .higher)
    #expect(Headline("depth", among: metrics) == nil)
    // Measured nowhere, and still a claim.
    #expect(Headline("latency", among: metrics)?.metric == nil)
  }

  @Test("every headline of every workload is a metric that has a value")
  func known() throws {
    let named = ["throughput", "cpuPerOperation", "aboveIdlePSS", "kernelMemory", "addedLatency", "latency", "goodput"]
    for name in Set(Workload.all.flatMap(\.cases).flatMap(\.headlines)).subtracting(named) {
      #expect(name.hasPrefix("latency."), "\(name)")
    }
  }

  @Test(
    "ratios near 1 show thousandths, others three digits",
    arguments: [
      (0.9874, "0.987"), (1, "1.000"), (1.0336, "1.034"), (9.9996, "10.0"), (0.0512, "0.0512"), (123.4, "123"),
      (0.9996, "1.000"), (1.0004, "1.000"),
    ])
  func factors(ratio: Double, expected: String) { #expect(factor(ratio) == expected) }

  @Test("p values", arguments: [(1, "1"), (0.5, "0.5"), (0.01234, "0.0123"), (0.00005, "<0.0001"), (0.0001, "0.0001")])
  func probabilities(p: Double, expected: String) { #expect(probability(p) == expected) }
}
