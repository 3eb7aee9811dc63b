// What a run that was cut short looks like on disk, one state at a time, and what becomes of it. (KillTests come to
// such states by chance.)

import Foundation
import ResultFormat
import Testing
import Workloads

@testable import Harness

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
    // Nor is it with a report of what there was before: that goes when the run goes on.
    try fake.write("# INTERRUPTED", to: "report.md")
    #expect(try await fake.resume().trials == RunFiles.readTrials(from: fake.folder))
    #expect(validate(runAt: fake.folder).map(\.description) == [])
    #expect(!FileManager.default.fileExists(atPath: "\(fake.folder)/report.md"))
    try fake.write("# Report", to: "report.md")
    #expect(fake.refusal()?.description.hasPrefix("'\(fake.folder)' is complete: all 2 trials") == true)
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
}
