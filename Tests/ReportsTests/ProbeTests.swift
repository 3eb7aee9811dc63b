// The table of what probed rounds counted.

import ResultFormat
import Testing

@testable import Reports

/// The fixture's run with the first two of its rounds probed.
private func probed(_ states: [ProbeState], _ calls: (PlannedTrial) -> [String: Double]?) throws -> Run {
  var run = try fixture()
  run.plan.probeRounds = 2
  run.probes = ProbeResults(
    probes: states,
    trials: run.plan.probedTrials.map { planned in
      let counts = calls(planned).map { calls in
        let cost = run.trials.first { $0.number == planned.number }?.figures?.cpu?.nanosecondsPerOperation
        return ProbeCounts(
          systemCalls: calls, instructions: planned.model == "threads" ? 1_000 * Double(planned.round) : nil,
          cycles: nil,
          cpuNanoseconds: cost.map { $0 * 1.25 })
      }
      return ProbedTrial(
        number: planned.number, startedAt: "2026-01-31T12:00:00Z", state: counts == nil ? .crashed : .ok,
        reason: counts == nil ? "tripped" : nil, counts: counts)
    })
  return run
}

@Test("counts are medians over the probed rounds, the most frequent calls first, the rest together")
func probedTable() throws {
  let rare = Dictionary(uniqueKeysWithValues: (1...9).map { ("rare\($0)", 0.01 * Double($0)) })
  let run = try probed([ProbeState(name: .systemCalls, nanosecondsPerCall: 21.44, nanosecondsPerCallElsewhere: 12)]) {
    switch $0.model {
    case "threads": ["futex": 4 * Double($0.round), "read": 1]
    case "async-loop": ["read": 3].merging(rare) { $1 }
    default: nil
    }
  }
  let summary = try #require(ProbeSummary(CaseSummary(run.plan.cases[0], of: run), of: run))
  let table = summary.table
  #expect(
    table.columns.map(\.title)
      == [
        "model", "all calls", "futex", "read", "rare9", "rare8", "rare7", "rare6", "rare5", "rare4", "others",
        "instructions",
      ])
  #expect(table.rows[0].map(\.text) == ["threads", "7.00", "6.00", "1.00", "0", "0", "0", "0", "0", "0", "0", "1,500"])
  #expect(table.rows[1].map(\.text).prefix(5) == ["async-loop", "3.45", "0", "3.00", "0.0900"])
  #expect(table.rows[1][10].text == "0.0600")
  #expect(table.rows[1][11].text == "–")
  #expect(table.rows[2].dropFirst().allSatisfy { $0.text == "–" })
  #expect(
    summary.notes == [
      "CPU/request in the probed trials over that in the same trials when they were timed: threads 1.25, async-loop 1.25."
    ])
  #expect(summary.rows[0]?.rounds == 2)
  #expect(Document(run).sections[0].tables.contains { $0.caption == table.caption })
  #expect(
    ProbeSummary.sentences(run) == [
      "System calls were counted in 2 rounds of their own, after all timed ones; no other figure comes from these.",
      "Counting costs the model 21.4 ns a system call, and every other process 12.0 ns.",
    ])
}

@Test("a probe that cannot be used says why, and leaves no table")
func refusedProbes() throws {
  var run = try probed([
    ProbeState(name: .systemCalls, unavailable: "making a BPF map failed"),
    ProbeState(name: .cycles, excludesKernel: true),
  ]) { _ in nil }
  #expect(ProbeSummary(CaseSummary(run.plan.cases[0], of: run), of: run) == nil)
  run.probes?.trials = []
  #expect(
    ProbeSummary.sentences(run) == [
      "Not counted: system calls: making a BPF map failed.",
      "Of cycles only those outside the kernel could be counted.",
    ])
  #expect(Document(run).notices.contains("Not counted: system calls: making a BPF map failed."))
}

@Test("no figure of the timed trials moves when a run was probed")
func probesApart() throws {
  var run = try probed([ProbeState(name: .systemCalls)]) { _ in ["read": 2] }
  let with = Document(run).sections[0]
  run.probes = nil
  run.plan.probeRounds = nil
  let without = Document(run).sections[0]
  #expect(with.tables.dropLast().map(\.rows) == without.tables.map(\.rows))
}
