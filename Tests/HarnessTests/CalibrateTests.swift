// The plan of a calibration, and a run of it with fake models.

import Foundation
import ResultFormat
import Testing

@testable import Harness
@testable import Workloads

/// Rows that nobody starts.
private func rows(_ labels: [(name: String, variant: String?)]) -> [ModelRow] {
  labels.map { name, variant in
    ModelRow(
      program: ModelProgram(name: name, path: "/bin/\(name)", isGuest: false), variant: variant,
      description: ModelDescription(model: name, idiom: "", allocator: nil, workloads: []))
  }
}

private func cases(_ names: [String]) throws -> [SelectedCase] {
  try Workload.all.flatMap { workload in
    try workload.cases.filter { names.contains($0.name) }.map { try SelectedCase($0, of: workload) }
  }
}

private func standard(rounds: Int = 12, models: Int = 4, window: Double? = nil) throws -> CalibrateRequest {
  CalibrateRequest(
    cases: try Workload.all.flatMap { workload in
      try workload.cases.filter(CalibrateRequest.isStandard).map { try SelectedCase($0, of: workload) }
    },
    models: rows((0..<models).map { ("m\($0)", nil) }), rounds: rounds, seed: 7, windowSeconds: window,
    processors: ProcessorSets(available: [0, 1]))
}

@Suite struct CalibratePlanTests {
  @Test func `four models make 200 comparisons and more, in about an hour`() throws {
    let plan = try standard().plan()
    #expect(plan.selfComparisons >= 200)
    // The presets' reports find every headline of theirs.
    for workload in Workload.all {
      for `case` in workload.cases where `case`.presets.contains(.standard) {
        for metric in `case`.headlines {
          #expect(plan.families.contains { $0.case == `case`.name && $0.metric == metric }, "\(`case`.name) \(metric)")
        }
      }
    }
    let names = Set(Workload.all.flatMap(\.cases).map(\.name))
    #expect(CalibrateRequest.furtherCases.isSubset(of: names))
    #expect(plan.trials.reduce(0) { $0 + plan.expectedSeconds(of: $1) } < 80 * 60)
  }

  @Test func `copies are rows like any other, in every case and round, and in no fixed order`() throws {
    let request = CalibrateRequest(
      cases: try cases(["fan-out/fixed-rate", "pipeline/paced"]),
      models: rows([("a", nil), ("a", "gather"), ("b", nil)]), rounds: 12, seed: 3,
      processors: ProcessorSets(available: [0, 1]))
    let plan = try request.plan()
    let slowed = "pipeline/narrow+stages=2+work=400"
    #expect(plan.cases.map(\.name) == ["fan-out/fixed-rate", "pipeline/paced", slowed])
    #expect(plan.models.map { Progress.label($0.name, $0.variant) } == request.rows.map(\.label))
    #expect(
      request.rows.map(\.label) == [
        "a", "a:gather", "b", "a-copy", "a-copy:gather", "b-copy", "a-slowed", "a-slowed:gather", "b-slowed",
      ])
    #expect(
      request.rows.map(\.program.path) == ["a", "a", "b", "a", "a", "b", "a", "a", "b"].map { "/bin/\($0)" })
    #expect(plan.originals.map { Progress.label($0.name, $0.variant) } == ["a", "a:gather", "b"])
    #expect(
      plan.copy(of: plan.originals[1], isSlowed: false).map { Progress.label($0.name, $0.variant) } == "a-copy:gather")
    #expect(plan.isCalibration && !plan.claims)
    #expect(plan.trials.map(\.number) == Array(1...12 * (6 + 6 + 9)))
    var leaders: Set<String> = []
    for round in 1...12 {
      for planned in plan.cases {
        let trials = plan.trials.filter { $0.round == round && $0.case == planned.name }
        let expected = planned.name == slowed ? plan.models : plan.models.filter { !$0.name.hasSuffix("-slowed") }
        #expect(
          Set(trials.map { Progress.label($0.model, $0.variant) })
            == Set(expected.map { Progress.label($0.name, $0.variant) }))
        #expect(trials.count == expected.count)
        // Back to back, and with one seed.
        #expect(trials.last!.number - trials[0].number == trials.count - 1)
        #expect(Set(trials.map(\.seed)).count == 1)
        leaders.insert(trials[0].model)
        for trial in trials {
          let isSlowed = trial.model.hasSuffix("-slowed")
          let work = isSlowed ? ParameterValue.integer(440) : planned.parameters["work"]
          #expect(plan.parameters(of: trial)["work"] == work)
        }
      }
    }
    #expect(leaders.isSuperset(of: ["a", "a-copy", "b", "b-copy"]))
  }

  @Test func `windows are as short as the headlines bear`() throws {
    func window(_ name: String) throws -> Double? {
      try standard(models: 1).plan().cases.first { $0.name == name }?.windowSeconds
    }
    #expect(try window("fan-out/fixed-rate") == 5.2)
    #expect(try window("fan-out/closed") == 1)
    #expect(try window("timer-storm/paced") == 5.2)
    #expect(try window("timer-storm/flat-out") == 0.3)
    #expect(try window("pipeline/paced") == 2.6)
    #expect(try window("blocking-mix/cpu") == 2.1)
    #expect(try Set(standard(window: 0.7).plan().cases.map(\.windowSeconds)) == [0.7])
    #expect(CalibrateRequest.samples(for: "latency.interactive.p50") == 200)
    #expect(CalibrateRequest.samples(for: "throughput") == nil)
  }

  @Test func `too few rounds are refused with the number that would do`() throws {
    let error = #expect(throws: HarnessError.self) { try standard(rounds: 6).plan() }
    #expect(error?.kind == .usage)
    #expect(
      error?.description
        == "'6' rounds are too few: the 48 comparisons of pipeline are corrected together, which takes at least 11 "
        + "rounds; give --rounds 11 or more")
    #expect(throws: Never.self) { try standard(rounds: 11).plan() }
  }

  @Test func `a model may not be called what a copy is called`() throws {
    let request = CalibrateRequest(
      cases: try cases(["pipeline/paced"]), models: rows([("a", nil), ("a-copy", nil)]), seed: 3,
      processors: ProcessorSets(available: [0, 1]))
    let error = #expect(throws: HarnessError.self) { try request.plan() }
    #expect(error == .usage("'a-copy' is what the copy of 'a' is called: give that model another name"))
  }
}

@Suite struct CalibrateRunTests {
  let installation: FakeInstallation
  let executables: Executables
  let folder: String
  let processors = ProcessorSets(available: [])

  init() throws {
    installation = try FakeInstallation()
    executables = try installation.executables()
    try installation.write(fakeInProcessModel, as: "model-honest")
    folder = "\(installation.folder)/run"
    try RunFolder.make(folder)
  }

  private func models() async throws -> [ModelRow] {
    try ModelCatalogue.rows(try await ModelCatalogue(executables, guests: []).describe(executables), named: [])
  }

  private func environment() async -> RunEnvironment {
    var environment = await RunEnvironment.collect(label: "test", processors: processors, watch: nil)
    environment.iterationsPerMillisecond = 99_999
    return environment
  }

  private func execution(_ interruption: Interruption = Interruption()) async throws -> RunExecution {
    let few = try SelectedCase(Workload.counting.cases[0], of: .counting)
    let request = CalibrateRequest(
      cases: [few], models: try await models(), rounds: 7, seed: 5, windowSeconds: 0.05,
      slowed: SlowedCase(few, factor: 2, changes: ["units": .integer(10)]), processors: processors)
    return RunExecution(
      environment: await environment(), plan: try request.plan(), rows: request.rows, folder: folder,
      runner: TrialRunner(executables: executables, interruption: interruption), processors: processors,
      workloads: [.counting])
  }

  @Test func `a model and its copies run side by side, and the slowed one does less`() async throws {
    let run = try await execution().run { _ in }.run
    #expect(run.isComplete && run.trials.count == 21)
    for trial in run.trials { #expect(trial.state == .ok, "\(trial.reason ?? "")") }
    let operations = Dictionary(grouping: run.trials, by: \.model).mapValues {
      Set($0.compactMap(\.figures?.operations))
    }
    #expect(operations == ["honest": [20], "honest-copy": [20], "honest-slowed": [10]])
    // What was different is what the trial says of itself, and what the model was asked.
    for trial in run.trials {
      let units: ParameterValue = .integer(trial.model == "honest-slowed" ? 10 : 20)
      #expect(trial.parameters["units"] == units)
      let request = contents(of: "\(folder)/trials/\(trial.number)/request.json") ?? ""
      #expect(request.contains("\"units\":\(units)"))
      #expect(!request.contains("honest"))
    }
    #expect(try RunFiles.readRun(from: folder).plan.copies == run.plan.copies)
    #expect(
      try RunFiles.readPlan(from: folder).programs.map(\.name).filter { $0.hasPrefix("model") } == ["model-honest"])
  }

  @Test func `a calibration that was cut short goes on with its copies`() async throws {
    let interruption = Interruption()
    let before = try await execution(interruption).run { event in
      if case .starting(let trial) = event, trial.number == 12 { interruption.request() }
    }
    #expect(before.isInterrupted && before.run.trials.count == 11)
    let interrupted = try InterruptedRun(folder)
    #expect(interrupted.finished == (try RunFiles.readTrials(from: folder)))
    #expect(interrupted.models == ["honest"] && interrupted.guestModels == [])
    try interrupted.check(await environment(), processors, executables)
    let rows = CalibrateRequest.rows(of: interrupted.stored.plan, try await models())
    #expect(rows.map(\.label) == ["honest", "honest-copy", "honest-slowed"])
    let run = try await RunExecution(
      interrupted, on: await environment(), rows: rows,
      runner: TrialRunner(executables: executables, interruption: Interruption()), processors: processors,
      workloads: [.counting]
    ).run { _ in }.run
    #expect(run.isComplete && run.trials.map(\.number) == Array(1...21))
    #expect(run.trials.filter { $0.model == "honest-slowed" }.allSatisfy { $0.figures?.operations == 10 })
  }
}
