// Trials in which the model drives itself and owns the window: each way to misbehave is caught and named, and none
// becomes a number.

import Foundation
import ResultFormat
import Testing

@testable import Harness
@testable import Workloads

@Suite struct InProcessTrialTests {
  let installation: FakeInstallation
  let folder: String

  init() throws {
    installation = try FakeInstallation()
    folder = "\(installation.folder)/trials/1"
  }

  private func order(_ behaviour: String, state: Int = 0) throws -> TrialOrder {
    let path = try installation.write(fakeInProcessModel, as: behaviour)
    return .counting(ModelProgram(name: behaviour, path: path, isGuest: true), state: state)
  }

  private func run(_ order: TrialOrder, interruption: Interruption = Interruption()) async throws -> Trial? {
    let runner = TrialRunner(executables: Executables(folder: installation.folder), interruption: interruption)
    let result = try await runner.run(order, folder: folder)
    let planned = PlannedTrial(
      number: 1, round: 2, case: "counting/few", model: order.model.name, variant: nil, seed: order.seed)
    return Trial(planned, of: order, startedAt: "2026-01-31T12:00:00Z", result)
  }

  @Test func `an honest model gets figures between its own edges`() async throws {
    let trial = try #require(try await run(try order("honest", state: 64 << 20)))
    #expect(trial.state == .ok, "\(trial.reason ?? "")")
    let figures = try #require(trial.figures)
    #expect(figures.operations == 20)
    #expect(figures.windowNanoseconds >= 150_000_000)
    #expect(figures.operationsPerSecond == 20 * 1e9 / Double(figures.windowNanoseconds))
    #expect(figures.latencies["all"]?.count == 20)
    #expect(figures.measures == [Measure("spread", unit: "ratio", 1.5)])
    #expect(figures.rig == nil && figures.offeredPerSecond == nil)
    #expect(try #require(figures.cpu?.peakThreadsSampled) >= 1)
    let memory = try #require(figures.memory)
    #expect(try #require(memory.steadyPSSBytes) - #require(memory.idlePSSBytes) >= (64 << 20) - shareableBytes)
    #expect(try #require(memory.peakRSSBytes) >= 64 << 20)
    #expect(memory.kernelBytes != nil && memory.kernelGrowthBytes != nil)
    #expect(trial.counters == ["jokes": 1])
    #expect(trial.rigLedger == nil)
    #expect(trial.ledger?["iterationsPerMillisecond"] == 123_456)
    #expect(trial.ledger?["workers"] == 1)
    #expect(entries(of: folder)?.sorted() == ["reply.jsonl", "request.json", "stderr"])
    let request = try #require(contents(of: "\(folder)/request.json"))
    #expect(request.contains("\"windowNanoseconds\":150000000"))
    #expect(!request.contains("backendPort"))
  }

  @Test func `what its window lost to others is recorded`() async throws {
    // Where a loaded machine reads the opening edge so late that no tick of the kernel lies between it and the closing
    // one, nothing is known of the window: a longer one then tells.
    var order = try order("honest")
    var seen: HostFigures?
    for seconds in [1, 2, 4, 8, 16] where seen == nil {
      order.window = .seconds(seconds)
      seen = try await run(order)?.host
    }
    let host = try #require(seen)
    #expect(host.othersProcessors >= 0 && host.othersProcessors <= 1_024)
  }

  @Test func `it gets all processors, and as many workers`() async throws {
    var order = try order("honest")
    let available = ProcessorSets.available()
    order.processors = ProcessorSets(available: available)
    let trial = try #require(try await run(order))
    #expect(trial.ledger?["workers"] == available.count)
  }

  @Test(arguments: [
    ("loses-a-unit", "units: counted 19, expected 20"),
    ("closes-first", "protocol: answered edge 'open' with 'close'"),
    ("opens-too-soon", "protocol: said 'edge' where 'ready' was due"),
    ("turns-time-back", "protocol: its edges are in disorder"),
    ("counts-backwards", "protocol: 'result' has -3 operations"),
    ("leaves-operations-out", "protocol: 'result' came without operations"),
    ("leaves-the-ledger-out", "protocol: 'result' came without a ledger"),
    ("garbles-latencies", "protocol: 'result' has latencies 'all' that are none: [3] is no entry"),
    ("repeats-a-measure", "protocol: 'result' has the measure 'spread' twice"),
    ("measures-less-than-nothing", "protocol: 'result' has the measure 'spread' twice, or of -1.0"),
    ("goes-on-talking", "protocol: printed '{\"reply\": \"edge\""),
  ]) func `a model that breaks a rule is wrong, and the rule is named`(_ behaviour: String, _ text: String)
    async throws
  {
    let trial = try #require(try await run(try order(behaviour)))
    #expect(trial.state == .wrong)
    let reason = try #require(trial.reason)
    #expect(reason.hasPrefix("model '\(behaviour)' failed counting/few (round 2): \(text)"), "\(reason)")
    #expect(trial.findings.first?.rule == String(text.prefix { $0 != ":" }))
    #expect(trial.figures == nil)
  }

  @Test(arguments: [
    ("hangs-at-begin", "gave no opening edge within 320 ms"),
    ("hangs-in-the-window", "gave no closing edge within 450 ms"), ("hangs-at-drain", "gave no 'result' within 300 ms"),
  ]) func `a model that hangs is stopped and named`(_ behaviour: String, _ text: String) async throws {
    var order = try order(behaviour)
    if behaviour == "hangs-at-drain" {
      order.deadlines.drain = .milliseconds(300)
    } else {
      order.deadlines.work = .milliseconds(300)
    }
    let trial = try #require(try await run(order))
    // A loaded machine may be late with the opening edge already.
    #expect(trial.state == .timeout)
    #expect(trial.findings.isEmpty)
    #expect(trial.reason?.contains(text) == true || trial.reason?.contains("gave no opening edge") == true)
  }

  @Test func `a model that dies in its window has crashed`() async throws {
    let trial = try #require(try await run(try order("dies-in-the-window")))
    #expect(trial.state == .crashed)
    #expect(trial.reason?.contains("was killed by SIGKILL (9)") == true)
  }

  @Test func `a model that completes nothing has no figures`() async throws {
    let trial = try #require(try await run(try order("counts-no-operations")))
    #expect(trial.state == .timeout)
    #expect(trial.reason?.contains("completed no unit counted within the window") == true)
  }

  @Test func `a limit is kept with the number that was reached`() async throws {
    let trial = try #require(try await run(try order("reaches-a-limit")))
    #expect(trial.state == .limit)
    #expect(trial.reached == 17)
    #expect(trial.reason?.contains("gave up: too many threads (reached 17)") == true)
  }

  @Test func `an interruption ends the trial at once and leaves no trial`() async throws {
    var order = try order("honest")
    order.window = .seconds(3600)
    let interruption = Interruption()
    let folder = folder
    async let trial = run(order, interruption: interruption)
    while contents(of: "\(folder)/reply.jsonl")?.contains("edge") != true {
      try await Task.sleep(for: .milliseconds(5))
    }
    interruption.request()
    #expect(try await trial == nil)
  }
}

@Suite struct InProcessCheckTests {
  private func check(_ behaviour: String, patience: Duration = .seconds(20)) async throws -> [String: CheckResult] {
    let installation = try FakeInstallation()
    try installation.write(fakeInProcessModel, as: "model-\(behaviour)")
    let executables = Executables(folder: installation.folder)
    let rows = try ModelCatalogue.rows(
      try await ModelCatalogue(executables, guests: []).describe(executables), named: [])
    let runner = CheckRunner(
      runner: TrialRunner(executables: executables, interruption: Interruption()),
      processors: ProcessorSets(available: []), patience: patience)
    let results = try #require(try await runner.run(rows, [.counting]) { _ in })
    for result in results {
      if let path = result.standardError { try? FileManager.default.removeItem(atPath: String(path.dropLast(7))) }
    }
    return Dictionary(uniqueKeysWithValues: results.map { ($0.check, $0) })
  }

  /// Checks with more and more patience: what a model that hangs is told apart from needs time on a host that stalls.
  private func check(_ behaviour: String, until isSeen: ([String: CheckResult]) -> Bool) async throws
    -> [String: CheckResult]
  {
    for patience in [0.3, 3, 12] {
      let results = try await check(behaviour, patience: .seconds(patience))
      if isSeen(results) { return results }
    }
    return try await check(behaviour, patience: .seconds(40))
  }

  @Test func `an honest model passes, gated or not`() async throws {
    let results = try await check("honest")
    #expect(results.mapValues(\.state) == ["counting/check-plain": .ok, "counting/check-gated": .ok])
  }

  @Test func `a standstill in a gated check is a finding of rule gate`() async throws {
    // The gated check waits in vain for as long as it takes to tell that from a host that stands still.
    let results = try await check(
      "hangs-at-gates",
      until: {
        $0["counting/check-plain"]?.state == .ok && $0["counting/check-gated"]?.findings.map(\.rule) == ["gate"]
      })
    #expect(results["counting/check-plain"]?.state == .ok)
    let gated = try #require(results["counting/check-gated"])
    #expect(gated.state == .timeout)
    #expect(gated.findings.map(\.rule) == ["gate"])
    #expect(gated.reason?.contains("gate: the trial came to a standstill; the rule: no unit is done before") == true)
  }

  @Test func `a hang without gates breaks no rule`() async throws {
    let results = try await check(
      "hangs-at-begin", until: { $0["counting/check-gated"]?.findings.map(\.rule) == ["gate"] })
    #expect(results["counting/check-plain"]?.state == .timeout)
    #expect(results["counting/check-plain"]?.findings.isEmpty == true)
    #expect(results["counting/check-gated"]?.findings.map(\.rule) == ["gate"])
  }

  @Test(arguments: ["loses-its-processors", "loses-its-samples"])
  func `a window of which the host may have taken the most is followed by a long one`(_ behaviour: String) async throws
  {
    let results = try await check(behaviour)
    #expect(results.mapValues(\.state) == ["counting/check-plain": .ok, "counting/check-gated": .ok])
  }

  @Test func `what no host can have done is not asked again`() async throws {
    let results = try await check("loses-a-unit-at-first")
    #expect(results.mapValues(\.state) == ["counting/check-plain": .wrong, "counting/check-gated": .wrong])
  }

  @Test func `fewer operations than the check asks for are a finding`() async throws {
    let results = try await check("counts-one-operation")
    let plain = try #require(results["counting/check-plain"])
    #expect(plain.state == .wrong)
    #expect(plain.findings.map(\.rule) == ["window"])
    #expect(plain.reason?.contains("counted 1 operations in the window, this check takes at least 20") == true)
  }
}

@Suite struct InProcessRunTests {
  @Test func `a run of both kinds of cases plans their windows and times, and skips what is declined`() async throws {
    let installation = try FakeInstallation()
    for behaviour in ["honest", "declines", "reaches-a-limit"] {
      try installation.write(fakeInProcessModel, as: "model-\(behaviour)")
    }
    let executables = try installation.executables()
    let rows = try ModelCatalogue.rows(
      try await ModelCatalogue(executables, guests: []).describe(executables), named: [])
    let processors = ProcessorSets(available: ProcessorSets.available())
    let cases =
      try Workload.counting.cases.map { try SelectedCase($0, of: .counting) }
      + [try SelectedCase(Workload.fanOut.cases[0], of: .fanOut)]
    var request = PlanRequest(
      cases: cases, models: rows.map(\.planned), preset: .quick, seed: 1, rounds: 2, processors: processors)
    let natural = Plan.make(request)
    #expect(natural.cases.map(\.windowSeconds) == [2, 2, 6])
    #expect(
      natural.cases.map(\.workers) == [processors.all.count, processors.all.count, max(1, processors.all.count - 1)])
    #expect(natural.cases[0].rigProcessors == [] && natural.cases[0].modelProcessors == processors.all)

    request.warmUpSeconds = 0
    request.windowSeconds = 0.05
    let folder = "\(installation.folder)/run"
    try RunFolder.make(folder)
    var environment = await RunEnvironment.collect(label: "test", processors: processors, watch: nil)
    environment.iterationsPerMillisecond = 99_999
    let execution = RunExecution(
      environment: environment, plan: Plan.make(request), rows: rows, folder: folder,
      runner: TrialRunner(executables: executables, interruption: Interruption()), processors: processors,
      workloads: [.counting, .fanOut])
    // Of 18 trials the models decline 4 of counting (one model) and all 6 of fan-out, which none of them lists.
    #expect(execution.skipped(of: execution.plan).count == 10)
    let each = execution.plan.expectedSeconds(of: execution.plan.trials.first { $0.case == "counting/few" }!)
    #expect(abs(execution.expectedSeconds - 8 * each) < 1e-9)

    let run = try await execution.run { _ in }.run
    let states = Dictionary(grouping: run.trials.filter { $0.workload == "counting" }, by: \.model)
      .mapValues { Set($0.map(\.state)) }
    for trial in run.trials where trial.model == "honest" && trial.workload == "counting" {
      #expect(trial.state == .ok, "\(trial.reason ?? "")")
    }
    #expect(states == ["honest": [.ok], "declines": [.unsupported], "reaches-a-limit": [.limit]])
    #expect(run.trials.filter { $0.model == "reaches-a-limit" && $0.state == .limit }.allSatisfy { $0.reached == 17 })
    #expect(run.trials.filter { $0.state == .ok }.allSatisfy { $0.ledger?["iterationsPerMillisecond"] == 99_999 })
    let read = try RunFiles.readRun(from: folder)
    #expect(read.schemaVersion == 2)
    #expect(read.trials.map(\.state) == run.trials.map(\.state))
    #expect(try RunFiles.readTrials(from: folder) == read.trials)
  }
}
