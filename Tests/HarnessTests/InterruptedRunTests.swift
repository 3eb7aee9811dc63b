// What a run that was cut short looks like on disk, one state at a time, and what becomes of it; and whom a resumption
// refuses. (KillTests come to such states by chance.)

import Foundation
import Glibc
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
    environment = await RunEnvironment.collect(label: "test", processors: processors, watching: .zero)
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

@Suite struct InterruptedRunTests {
  @Test(arguments: ["whole", "torn", "empty", "missing", "of another run"])
  func `a trial without its trial.json is run again, whatever run.json is`(state: String) async throws {
    let fake = try await FakeRun()
    let before = try await fake.run()
    let kept = [1, 2, 4].map(fake.files)
    try FileManager.default.removeItem(atPath: "\(fake.folder)/trials/3/trial.json")
    try fake.write("{\"number\": 3", to: "trials/3/trial.json.99.partial")
    try fake.write("{", to: "run.json.99.partial")
    try fake.write("{", to: "trials/plan.json.99.partial")
    try fake.write("{", to: "trials/1/trial.json.99.partial")
    switch state {
    case "torn": try fake.write("{\"schemaVersion\": 2, \"trials\": [", to: "run.json")
    case "empty": try fake.write("", to: "run.json")
    case "missing": try FileManager.default.removeItem(atPath: "\(fake.folder)/run.json")
    case "of another run":
      var other = before
      other.plan.seed += 1
      other.trials = []
      try RunFiles.writeRun(other, to: fake.folder)
    default: break
    }

    let run = try await fake.resume()
    #expect(run.trials.map(\.number) == [1, 2, 3, 4])
    #expect(run.trials.allSatisfy { $0.state == .ok })
    #expect(run.plan == before.plan)
    #expect([1, 2, 4].map(fake.files) == kept)
    #expect(run.resumptions?.map(\.finishedTrials) == [3])
    #expect(try RunFiles.readRun(from: fake.folder).trials == RunFiles.readTrials(from: fake.folder))
    #expect(validate(runAt: fake.folder).map(\.description) == [])
    let files = try FileManager.default.subpathsOfDirectory(atPath: fake.folder)
    #expect(!files.contains { $0.hasSuffix(".partial") }, "\(files)")
  }

  @Test func `a run that was killed before its first trial is run from its plan`() async throws {
    let fake = try await FakeRun()
    try fake.writePlan()
    let run = try await fake.resume()
    #expect(run.plan == fake.plan)
    #expect(run.trials.map(\.number) == [1, 2, 3, 4])
    #expect(run.resumptions?.map(\.finishedTrials) == [0])
    // The plan went through JSON, and its parameters are still those of the contract.
    #expect(try Workload.fanOut.values(run.trials[0].parameters) == run.trials[0].parameters)
    #expect(validate(runAt: fake.folder).map(\.description) == [])
  }

  @Test func `a folder that was killed before its plan was written may be used again`() async throws {
    let fake = try await FakeRun()
    try FileManager.default.createDirectory(atPath: "\(fake.folder)/trials", withIntermediateDirectories: true)
    try fake.write("{", to: "trials/plan.json.99.partial")
    #expect(
      fake.refusal()
        == .usage(
          "'\(fake.folder)' is no run: it has no trials/plan.json, so that no trial was begun; "
            + "make one with 'switchyard run --output \(fake.folder)'"))
    try RunFolder.make(fake.folder)
    #expect(try await fake.run().isComplete)
  }

  @Test func `a round that was voided for a part of its models is voided for all`() async throws {
    let fake = try await FakeRun()
    _ = try await fake.run()
    // Killed between the trial at fault, the second, and the rewriting of the first.
    try fake.writeTrial(2) {
      $0.state = .voided
      $0.reason = "the moon is in the way"
    }
    try FileManager.default.removeItem(atPath: "\(fake.folder)/trials/4")
    let run = try await fake.resume()
    #expect(run.trials.map(\.state) == [.voided, .voided, .ok, .ok])
    #expect(
      run.trials[0].reason
        == "fan-out/fixed-rate is void for all models in round 1, since trial 2 was: the moon is in the way")
    #expect(validate(runAt: fake.folder).map(\.description) == [])
  }

  @Test func `a trial of a round that is void already is not run, and names the trial at fault`() async throws {
    let fake = try await FakeRun()
    try fake.writePlan()
    try fake.writeTrial(1) {
      $0.state = .voided
      $0.reason = "the moon is in the way"
    }
    let run = try await fake.resume()
    #expect(run.trials.map(\.state) == [.voided, .voided, .ok, .ok])
    #expect(
      run.trials[1].reason
        == "fan-out/fixed-rate is void for all models in round 1, since trial 1 was: the moon is in the way")
  }

  @Test func `all trials are there, and what is made of them is not: it is made`() async throws {
    let fake = try await FakeRun(rounds: 1)
    let before = try await fake.run()
    // Without its report the run is not complete, though nothing is left to run.
    var behind = before
    behind.trials.removeLast()
    try RunFiles.writeRun(behind, to: fake.folder)
    #expect(try await fake.resume().trials == RunFiles.readTrials(from: fake.folder))
    #expect(validate(runAt: fake.folder).map(\.description) == [])
    try fake.write("# Report", to: "report.md")
    #expect(fake.refusal()?.description.hasPrefix("'\(fake.folder)' is complete: all 2 trials") == true)
  }

  @Test func `a run that is still written, or resumed by another, is refused`() async throws {
    let fake = try await FakeRun()
    try fake.writePlan()
    let first = try InterruptedRun(fake.folder)
    #expect(
      fake.refusal()
        == .usage(
          "'\(fake.folder)' is being written by a switchyard that still runs: wait for its end, or stop it and resume then"
        ))
    _ = consume first
    #expect(try InterruptedRun(fake.folder).finished.isEmpty)
  }

  // MARK: Refusals

  @Test func `a folder that is no run is refused with what would be right`() async throws {
    let fake = try await FakeRun()
    #expect(
      fake.refusal(of: "/no/such")
        == .usage("'/no/such' does not exist: --resume takes the folder of an interrupted run"))
    #expect(
      fake.refusal(of: "/proc/version")
        == .usage("'/proc/version' is a file: --resume takes the folder of an interrupted run"))
    try fake.write("{}", to: "run.json")
    #expect(
      fake.refusal()
        == .usage(
          "'\(fake.folder)' cannot be gone on with: it has no trials/plan.json (published runs leave it out, and older "
            + "versions wrote none); make the run again in another folder"))
  }

  @Test func `a plan that cannot be read is refused with the place`() async throws {
    let fake = try await FakeRun()
    try fake.writePlan()
    let path = "\(fake.folder)/trials/plan.json"
    for (text, message) in [
      ("", "the file is empty"), ("{\"schemaVersion\": 2", "the file ends here, cut short"),
      ("{\"schemaVersion\": 2}", "lacks 'protocolVersion'"),
      (
        "{\"schemaVersion\": 1}",
        "schemaVersion is 1, and this switchyard goes on with 2 only: finish the run with the one that began it"
      ),
    ] {
      try fake.write(text, to: "trials/plan.json")
      let refusal = try #require(fake.refusal())
      #expect(refusal.kind == .usage)
      #expect(refusal.description.hasPrefix(path), "\(refusal)")
      #expect(refusal.description.contains(message), "\(refusal)")
    }
  }

  @Test func `a trial that is not the plan's, or cannot be read, is refused and kept`() async throws {
    let fake = try await FakeRun()
    try fake.writePlan()
    let remedy = "put the right file back, or remove \(fake.folder)/trials/2 to have it run again"
    try fake.writeTrial(2) { $0.seed += 1 }
    let other = try #require(fake.refusal()?.description)
    #expect(other.hasPrefix("trial 2 of '\(fake.folder)' is fan-out/fixed-rate, "), "\(other)")
    #expect(other.contains("seed \(fake.plan.trials[1].seed + 1), where its plan has"), "\(other)")
    #expect(other.hasSuffix(remedy), "\(other)")
    try fake.writeTrial(2) { $0.parameters["width"] = .integer(3) }
    #expect(fake.refusal()?.description.hasSuffix(remedy) == true)

    try fake.write("{\"number\"", to: "trials/2/trial.json")
    let torn = try #require(fake.refusal()?.description)
    #expect(torn.hasPrefix("trial 2 of '\(fake.folder)' cannot be read ("), "\(torn)")
    #expect(torn.hasSuffix(remedy), "\(torn)")
    #expect(fake.files(2) == Data("{\"number\"".utf8))

    try FileManager.default.removeItem(atPath: "\(fake.folder)/trials/2")
    #expect(try InterruptedRun(fake.folder).finished.isEmpty)
    try FileManager.default.createDirectory(
      atPath: "\(fake.folder)/trials/5", withIntermediateDirectories: true)
    #expect(
      fake.refusal()
        == .usage("\(fake.folder)/trials/5 is not of this run, whose plan has 4 trials: remove it"))
  }

  @Test func `another host, build, protocol or processors are refused with both values`() async throws {
    let fake = try await FakeRun()
    try fake.writePlan()
    func message(_ what: String, _ then: String, _ now: String) -> HarnessError {
      .usage(
        "'\(fake.folder)' was begun with \(what) '\(then)', and here it is '\(now)': go on where it was begun, "
          + "or make the run again in another folder")
    }
    let own = fake.environment
    var other = own
    other.kernel = "2.4.18"
    #expect(fake.refusal(on: other) == message("kernel", own.kernel, "2.4.18"))
    other = own
    other.build = "optimistic"
    #expect(fake.refusal(on: other) == message("build", "debug", "optimistic"))
    other = own
    other.processor = "Made-Up 9000"
    #expect(fake.refusal(on: other) == message("processor", own.processor, "Made-Up 9000"))
    other = own
    other.memoryBytes *= 2
    #expect(fake.refusal(on: other) == message("memory", "\(own.memoryBytes) bytes", "\(own.memoryBytes * 2) bytes"))
    #expect(
      fake.refusal(ProcessorSets(available: [0, 1]))
        == message(
          "processors of fan-out/fixed-rate", "[] for the rig, [] for the model", "[0] for the rig, [1] for the model"))

    // What differs from one start to the next is no other host.
    other = own
    other.startedAt = "2026-01-31T12:00:00Z"
    other.loadAverage = 7
    other.iterationsPerMillisecond = 3
    other.revision = "0123"
    other.warnings = ["hot"]
    other.memoryBytes += 4_096
    try InterruptedRun(fake.folder).check(other, fake.processors, fake.executables)

    try fake.writePlan { $0.protocolVersion = 0 }
    #expect(fake.refusal() == message("protocol", "0", "\(protocolVersion)"))
  }

  @Test func `another build of a program, or none, is refused by its path`() async throws {
    let fake = try await FakeRun()
    try fake.writePlan()
    let path = "\(fake.installation.folder)/model-other"
    // As long as before: its bytes decide.
    let text = fakeModel.replacingOccurrences(of: "pretends", with: "intends!")
    try text.write(toFile: path, atomically: false, encoding: .utf8)
    let refusal = try #require(fake.refusal()?.description)
    #expect(
      refusal.hasPrefix("'\(fake.folder)' was begun with another \(path) (\(text.utf8.count) bytes, "), "\(refusal)")
    #expect(refusal.hasSuffix("put the first one back, or make the run again in another folder"))
    try FileManager.default.removeItem(atPath: path)
    #expect(
      fake.refusal()?.description.hasPrefix("'\(fake.folder)' was begun with \(path), which cannot be read now (")
        == true)
  }

  @Test func `guests and rows are found again by the plan`() async throws {
    var fake = try await FakeRun()
    let path = try fake.installation.write(fakeModel, as: "guest.py")
    let entries = try await ModelCatalogue(fake.executables, guests: ["g=\(path)"]).describe(fake.executables)
    let rows = try ModelCatalogue.rows(entries, named: ["other", "g:gather"])
    fake.plan.models = rows.map(\.planned)
    try fake.writePlan { $0.programs = try! StoredProgram.all(fake.executables, rows) }
    let run = try InterruptedRun(fake.folder)
    #expect(run.guests == ["g=\(path)"])
    #expect(run.rows == ["other", "g:gather"])
    #expect(run.stored.programs.map(\.name) == ["switchyard-launch", "honest-rig", "model-other", "g"])
  }

  @Test func `warnings of the host at a resumption join those from before`() async throws {
    let fake = try await FakeRun()
    try fake.writePlan { $0.environment.warnings = ["old"] }
    var now = fake.environment
    now.startedAt = "2026-01-31T12:00:00Z"
    now.warnings = ["old", "new"]
    let execution = RunExecution(
      try InterruptedRun(fake.folder), on: now, rows: fake.rows, runner: fake.runner, processors: fake.processors)
    #expect(execution.environment.warnings == ["old", "When it was resumed at 2026-01-31T12:00:00Z: new"])
    #expect(execution.environment.startedAt == fake.environment.startedAt)
  }
}
