// Probed rounds on disk: beside the trials, never among them.

import FoundationEssentials
import ResultFormat
import Testing
import Workloads

private func probed() throws -> Run {
  var run = try RunFiles.readRun(from: Fixture.folder)
  run.plan.probeRounds = 1
  run.probes = ProbeResults(
    probes: [
      ProbeState(name: .systemCalls, nanosecondsPerCall: 20, nanosecondsPerCallElsewhere: 10),
      ProbeState(name: .cycles, unavailable: "no such counter"),
    ],
    trials: run.plan.probedTrials.map {
      ProbedTrial(
        number: $0.number, startedAt: "2026-01-31T12:00:00Z", state: .ok,
        counts: ProbeCounts(systemCalls: ["read": 1.5], instructions: nil, cycles: nil, cpuNanoseconds: 3))
    })
  return run
}

@Test("probed rounds are there again after they were written, and their absence is no key")
func probesRoundTrip() throws {
  let scratch = try Scratch()
  let run = try probed()
  #expect(!run.plan.probedTrials.isEmpty && run.plan.probedTrials.allSatisfy { $0.round == 1 })
  try RunFiles.writeRun(run, to: scratch.path)
  #expect(try RunFiles.readRun(from: scratch.path) == run)
  #expect(validate(runAt: scratch.path) == [])
  let plain = try RunFiles.readRun(from: Fixture.folder)
  #expect(plain.plan.probedTrials.isEmpty)
  try RunFiles.writeRun(plain, to: scratch.path)
  #expect(!String(decoding: try scratch.bytes("run.json"), as: UTF8.self).contains("probe"))
}

@Test("a run that was to be probed is complete only when it was")
func probedCompleteness() throws {
  var run = try probed()
  #expect(run.isComplete)
  run.probes = nil
  #expect(!run.isComplete)
}

@Test(
  "probed rounds that do not fit their plan are found out",
  arguments: [
    Tampering("rounds", "plan.probeRounds: 99 is no number of probed rounds") { $0.plan.probeRounds = 99 },
    Tampering("plan", "probes: the plan has none") { $0.plan.probeRounds = nil },
    Tampering("twice", "probes.trials[1]: trial 1 is there twice") { $0.probes!.trials[1].number = 1 },
    Tampering("stranger", "probes.trials[0]: trial 4711 was not to be probed") { $0.probes!.trials[0].number = 4_711 },
    Tampering("state", "probes.trials[0]: counts belong to trials that are ok") { $0.probes!.trials[0].state = .wrong },
    Tampering("count", "probes.trials[0].systemCalls.read: -1.0: expected") {
      $0.probes!.trials[0].counts!.systemCalls = ["read": -1]
    },
  ])
func probeTampering(_ tampering: Tampering) throws {
  let scratch = try Scratch()
  var run = try probed()
  tampering.change(&run)
  try RunFiles.writeRun(run, to: scratch.path)
  let problems = validate(runAt: scratch.path).map(\.description)
  #expect(problems.contains { $0.contains(tampering.expected) }, "\(problems)")
}
