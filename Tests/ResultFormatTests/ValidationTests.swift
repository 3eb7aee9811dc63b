// Whatever is changed in a good run by hand is found, and named once.

import FoundationEssentials
import ResultFormat
import Testing
import Workloads

struct Tampering: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let expected: String
  let change: @Sendable (inout Run) -> Void

  init(_ name: String, _ expected: String, _ change: @escaping @Sendable (inout Run) -> Void) {
    testDescription = name
    self.expected = expected
    self.change = change
  }
}

private let tamperings: [Tampering] = [
  Tampering("throughput", "operationsPerSecond: 5000.0: 12000 operations in") {
    $0.trials[0].figures!.operationsPerSecond = 5_000
  },
  Tampering("percentile", "latencies.all.p99: 7: by its histogram it is") {
    $0.trials[0].figures!.latencies["all"]!.p99 = 7
  },
  Tampering("percentile too far out", "fewer than 100 samples lie beyond it") {
    $0.trials[0].figures!.latencies["all"]!.p9999 = 7
  },
  Tampering("count", "count: 3: its histogram has 12000 samples") {
    $0.trials[0].figures!.latencies["all"]!.count = 3
  },
  Tampering("mean", "latencies.all.mean: 1.0: by its histogram it is") {
    $0.trials[0].figures!.latencies["all"]!.mean = 1
  },
  Tampering("maximum", "sendLateness.max: 1: by its histogram it is") {
    $0.trials[0].figures!.rig!.sendLateness.max = 1
  },
  Tampering("histogram", "latencies.added.histogram: histogram 'x' is not base64") {
    $0.trials[0].figures!.latencies["added"]!.histogram = "x"
  },
  Tampering("ledger", "by its ledgers it is 'wrong': units: counted 1 started") {
    $0.trials[0].ledger!["unitsStarted"] = 1
  },
  Tampering("no ledger", "its state is 'ok' without the rig's ledger") { $0.trials[0].rigLedger = nil },
  Tampering("negative count", "counters.wakeups: -1 is negative") { $0.trials[1].counters!["wakeups"] = -1 },
  Tampering("no reason", "its state is 'crashed' and no reason is given") { $0.trials[2].reason = nil },
  Tampering("no finding", "its state is 'wrong' and no finding says which rule") { $0.trials[14].findings = [] },
  Tampering("reason", "its state is 'ok', yet it has a reason to fail: 'x'") { $0.trials[0].reason = "x" },
  Tampering("parameter", "parameters.width: '3': in the case it is '8'") {
    $0.trials[0].parameters["width"] = .integer(3)
  },
  Tampering("illegal parameter", "'0' is not a value of width: expected 1 to 64") {
    $0.plan.cases[0].parameters["width"] = .integer(0)
  },
  Tampering("missing parameter", "lacks rate: a result states every parameter") {
    $0.plan.cases[0].parameters["rate"] = nil
  },
  Tampering("unknown workload", "'fan-in' is not a workload") { $0.plan.cases[0].workload = "fan-in" },
  Tampering("calibration", "iterationsPerMillisecond: 0 is no speed") {
    $0.environment.iterationsPerMillisecond = 0
  },
  Tampering("no rig", "rig: missing: the rig drives fan-out") { $0.trials[0].figures!.rig = nil },
  Tampering("limit", "reached: its state is 'crashed': only 'limit' reaches one") { $0.trials[2].reached = 7 },
  Tampering("window", "plan.cases[0].windowSeconds: -1.0") { $0.plan.cases[0].windowSeconds = -1 },
  Tampering("unplanned", "it is not planned: plan.trials has no number 99") { $0.trials[0].number = 99 },
  Tampering("another trial", "planned as round 1, fan-out/fixed-rate, threads") { $0.trials[0].seed = 1 },
  Tampering("doubled", "the number 1 is there twice") { $0.trials.append($0.trials[0]) },
  Tampering("doubled cell", "round 1 has 'threads' on fan-out/fixed-rate twice") {
    $0.plan.trials[1].model = "threads"
  },
  Tampering("unplanned model", "its model 'nio' is not one of the plan's") { $0.plan.trials[0].model = "nio" },
  Tampering("round", "round is 4: expected 1 to 3") { $0.plan.trials[0].round = 4 },
  Tampering("preset", "'fast' is no preset: there is quick, standard, full") { $0.plan.preset = "fast" },
  Tampering("warning", "lacks 'rig-saturated': the rig's busyShare is 0.91") { $0.trials[4].warnings = [] },
  Tampering("share", "rig.busyShare: 1.5 is no share") { $0.trials[0].figures!.rig!.busyShare = 1.5 },
  Tampering("negative", "cpu.userNanosecondsPerOperation: -1.0: expected a finite number") {
    $0.trials[0].figures!.cpu!.userNanosecondsPerOperation = -1
  },
  Tampering("negative memory", "memory.steadyPSSBytes: -4: expected a number that is not negative") {
    $0.trials[0].figures!.memory!.steadyPSSBytes = -4
  },
  Tampering("voided round", "yet trial 1 voids its case and round for all models") {
    $0.trials[0].state = .voided
    $0.trials[0].figures = nil
    $0.trials[0].reason = "the rig"
  },
  Tampering("time", "startedAt 'yesterday' is no time") { $0.trials[0].startedAt = "yesterday" },
  Tampering("build", "'fast' is no build: expected release or debug") { $0.environment.build = "fast" },
  Tampering("family", "its case 'fan-out/odd' is not one of the plan's") { $0.plan.families[0].case = "fan-out/odd" },
  Tampering("family of another workload", "workload is 'pipeline': the case's is 'fan-out'") {
    $0.plan.families[0].workload = "pipeline"
  },
  Tampering("family twice", "plan.families[1]: cpuPerOperation on fan-out/fixed-rate is there twice") {
    $0.plan.families[1] = $0.plan.families[0]
  },
  Tampering("metric", "'speed' is no headline of fan-out: expected one of addedLatency, cpuPerOperation") {
    $0.plan.families[0].metric = "speed"
  },
  Tampering("unknown row", "plan.pairs[0]: its row 'threads (gather)' is not one of the plan's") {
    $0.plan.pairs![0].base.variant = "gather"
  },
  Tampering("pair of one", "plan.pairs[0]: compares 'threads' with itself") {
    $0.plan.pairs![0].head = $0.plan.pairs![0].base
  },
  Tampering("pair twice", "plan.pairs[1]: compares 'async-loop' and 'threads' a second time") {
    let first = $0.plan.pairs![0]
    $0.plan.pairs![1] = ClaimPair(base: first.head, head: first.base)
  },
]

@Test("a run that was changed by hand is found out", arguments: tamperings)
func tampering(_ tampering: Tampering) throws {
  let scratch = try Scratch()
  var run = try RunFiles.readRun(from: Fixture.folder)
  tampering.change(&run)
  try RunFiles.writeRun(run, to: scratch.path)
  let problems = validate(runAt: scratch.path).map(\.description)
  #expect(problems.contains { $0.contains(tampering.expected) }, "\(problems)")
  #expect(problems.allSatisfy { $0.hasPrefix("\(scratch.path)/run.json: ") && !$0.contains("\n") })
}

@Test("an interrupted run is valid: what was run is there, and nothing else")
func interrupted() throws {
  let scratch = try Scratch()
  var run = try RunFiles.readRun(from: Fixture.folder)
  run.trials.removeLast(7)
  #expect(!run.isComplete)
  try RunFiles.writeRun(run, to: scratch.path)
  #expect(validate(runAt: scratch.path) == [])
}

@Test("run.json and the trials' own files must agree")
func trialsAgree() throws {
  let scratch = try Scratch()
  var run = try RunFiles.readRun(from: Fixture.folder)
  run.trials.removeLast(15)
  for trial in run.trials {
    try scratch.makeFolder("trials/\(trial.number)")
    try RunFiles.writeTrial(trial, to: "\(scratch.path)/trials/\(trial.number)")
  }
  try RunFiles.writeRun(run, to: scratch.path)
  #expect(validate(runAt: scratch.path) == [])

  try FileManager.default.removeItem(atPath: "\(scratch.path)/trials/1")
  run.trials[1].figures!.cpu!.pageFaults += 1
  let dropped = run.trials.removeLast()
  try RunFiles.writeRun(run, to: scratch.path)
  let problems = validate(runAt: scratch.path).map(\.description)
  #expect(problems.count == 3, "\(problems)")
  #expect(problems[0].contains("trials/1/trial.json is missing"))
  #expect(problems[1].contains("trials/2/trial.json says otherwise"))
  #expect(
    problems[2].contains("trial \(dropped.number) ") && problems[2].contains("it is in trials/, but not in run.json"))
}
