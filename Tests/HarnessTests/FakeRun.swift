// A run of two fake models, in this process, and the states that a killed one leaves its folder in.

import Foundation
import ResultFormat
import Testing
import Workloads

@testable import Harness

/// A run of two fake models on one case of fan-out, and its folder.
struct FakeRun {
  let installation: FakeInstallation
  let executables: Executables
  let rows: [ModelRow]
  let processors = ProcessorSets(available: [])
  let environment: RunEnvironment
  var plan: Plan
  var folder: String { "\(installation.folder)/run" }

  init(rounds: Int = 2) async throws {
    installation = try FakeInstallation()
    executables = try installation.executables()
    for name in ["honest", "other"] { try installation.write(fakeModel, as: "model-\(name)") }
    rows = try ModelCatalogue.rows(
      try await ModelCatalogue(executables, guests: []).describe(executables), named: [])
    environment = await RunEnvironment.collect(label: "test", processors: processors, watch: nil)
    plan = Plan.make(
      PlanRequest(
        cases: [try SelectedCase(Workload.fanOut.cases[0], of: .fanOut)], models: rows.map(\.planned), preset: .quick,
        seed: 1, rounds: rounds, warmUpSeconds: 0, windowSeconds: 0.05, processors: processors))
    try RunFolder.make(folder)
  }

  var runner: TrialRunner { TrialRunner(executables: executables, interruption: Interruption()) }

  var execution: RunExecution {
    RunExecution(
      environment: environment, plan: plan, rows: rows, folder: folder, runner: runner, processors: processors)
  }

  func run() async throws -> Run { try await execution.run { _ in }.run }

  /// Goes on with the run on disk.
  func resume() async throws -> Run {
    let interrupted = try InterruptedRun(folder)
    try interrupted.check(environment, processors, executables)
    return try await RunExecution(interrupted, on: environment, rows: rows, runner: runner, processors: processors)
      .run { _ in }.run
  }

  /// What a resumption says instead of going on.
  func refusal(of folder: String? = nil, on environment: RunEnvironment? = nil, _ processors: ProcessorSets? = nil)
    -> HarnessError?
  {
    #expect(throws: HarnessError.self) {
      let interrupted = try InterruptedRun(folder ?? self.folder)
      try interrupted.check(environment ?? self.environment, processors ?? self.processors, executables)
    }
  }

  /// Has the plan on disk, and that of a run of which nothing else is.
  func writePlan(_ change: (inout StoredPlan) -> Void = { _ in }) throws {
    try FileManager.default.createDirectory(atPath: "\(folder)/trials", withIntermediateDirectories: true)
    var stored = StoredPlan(
      environment: environment, protocolVersion: protocolVersion, plan: plan,
      programs: try StoredProgram.all(executables, rows))
    change(&stored)
    try RunFiles.writePlan(stored, to: folder)
  }

  /// A trial of the plan that was finished without having been run.
  func writeTrial(_ number: Int, _ change: (inout Trial) -> Void = { _ in }) throws {
    let planned = plan.trials[number - 1]
    var trial = Trial(
      number: number, model: planned.model, variant: nil, workload: "fan-out", case: planned.case,
      parameters: plan.cases[0].parameters, seed: planned.seed, round: planned.round,
      startedAt: "2026-01-31T12:00:00Z", state: .crashed, reason: "tripped")
    change(&trial)
    let path = "\(folder)/trials/\(number)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try RunFiles.writeTrial(trial, to: path)
  }

  func write(_ text: String, to name: String) throws {
    try text.write(toFile: "\(folder)/\(name)", atomically: false, encoding: .utf8)
  }

  func files(_ number: Int) -> Data? { FileManager.default.contents(atPath: "\(folder)/trials/\(number)/trial.json") }
}
