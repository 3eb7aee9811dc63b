// Whole runs with fake models: what is on disk at the end, and what one bad trial does to the others.

import Foundation
import ResultFormat
import Testing
import Workloads

@testable import Harness

@Suite struct RunExecutionTests {
  let installation: FakeInstallation
  let folder: String

  init() throws {
    installation = try FakeInstallation()
    folder = "\(installation.folder)/run"
    try RunFolder.make(folder)
  }

  private func execution(
    _ behaviours: [String], rounds: Int, rig: String = "honest-rig", interruption: Interruption = Interruption()
  ) async throws -> RunExecution {
    let executables = try installation.executables(rig: rig)
    for behaviour in behaviours { try installation.write(fakeModel, as: "model-\(behaviour)") }
    let entries = try await ModelCatalogue(executables, guests: []).describe(executables)
    let rows = try ModelCatalogue.rows(entries, named: [])
    let processors = ProcessorSets(available: [])
    let plan = Plan.make(
      PlanRequest(
        cases: [try SelectedCase(Workload.fanOut.cases[0], of: .fanOut)], models: rows.map(\.planned), preset: .quick,
        seed: 1, rounds: rounds, warmUpSeconds: 0, windowSeconds: 0.1, processors: processors))
    let environment = await RunEnvironment.collect(label: "test", processors: processors, watch: nil)
    return RunExecution(
      environment: environment, plan: plan, rows: rows, folder: folder,
      runner: TrialRunner(executables: executables, interruption: interruption), processors: processors)
  }

  @Test func `a run goes on after a model that was killed, and all of it validates`() async throws {
    let execution = try await execution(["honest", "dies-in-the-window", "declines"], rounds: 2)
    let completion = try await execution.run { _ in }
    let states = Dictionary(grouping: completion.run.trials, by: \.model).mapValues { $0.map(\.state) }
    #expect(
      states == [
        "honest": [.ok, .ok], "dies-in-the-window": [.crashed, .crashed], "declines": [.unsupported, .unsupported],
      ])
    #expect(completion.run.isComplete)
    #expect(try RunFiles.readRun(from: folder).trials == RunFiles.readTrials(from: folder))
    #expect(try RunFiles.readTrials(from: folder).map(\.number) == Array(1...6))
    #expect(validate(runAt: folder).map(\.description) == [])
    let line = try #require(completion.selfTest.lines.first)
    #expect(line.hasPrefix("rig on fan-out/fixed-rate: "))
    #expect(line.contains("cheapest model (honest)"))
    #expect(line.hasSuffix("send lateness p99 0.1 µs at 2000 requests/s (median of 2 trials; worst 0.1 µs)"))
  }

  @Test func `a rig at fault voids its case and round for all models, also those that ran well before`() async throws {
    // The rig fails from the second trial on: it counts its trials in a file.
    let counter = "\(installation.folder)/count"
    let rig = fakeRig.replacingOccurrences(
      of: "behaviour = os.path.basename(sys.argv[0])",
      with: """
        open("\(counter)", "a").write("x")
        behaviour = "failing-rig" if len(open("\(counter)").read()) == 2 else "honest-rig"
        """)
    try installation.write(rig, as: "second-time-failing-rig")
    let execution = try await execution(
      ["honest", "model-two", "model-three"], rounds: 2, rig: "second-time-failing-rig")
    let run = try await execution.run { _ in }.run
    #expect(run.trials.map(\.state) == [.voided, .voided, .voided, .ok, .ok, .ok])
    #expect(run.trials[0].figures == nil)
    #expect(
      run.trials[0].reason
        == "fan-out/fixed-rate is void for all models in round 1, since trial 2 was: "
        + "the rig failed: the moon is in the way")
    // The third was not run at all.
    #expect(contents(of: counter)?.count == 5)
    #expect(validate(runAt: folder).map(\.description) == [])
  }

  @Test func `an interrupted run holds what was finished, and nothing of the trial under way`() async throws {
    let interruption = Interruption()
    let execution = try await execution(["honest"], rounds: 5, interruption: interruption)
    let completion = try await execution.run { event in
      if case .starting(let trial) = event, trial.number == 3 { interruption.request() }
    }
    #expect(completion.isInterrupted)
    #expect(completion.run.trials.map(\.number) == [1, 2])
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: "\(folder)/trials").sorted() == ["1", "2", "plan.json"])
    #expect(validate(runAt: folder).map(\.description) == [])
  }

  @Test func `a folder that holds a run is refused`() throws {
    try "{}".write(toFile: "\(folder)/run.json", atomically: true, encoding: .utf8)
    let error = #expect(throws: HarnessError.self) { try RunFolder.make(folder) }
    #expect(error?.kind == .usage)
    #expect(try #require(error?.description).hasPrefix("'\(folder)' holds a run already (run.json)"))
  }

  // MARK: Checks

  @Test func `a check names the model, the state and the rule with its counts`() async throws {
    let executables = try installation.executables()
    for behaviour in ["honest", "answers-one-too-few", "declines"] {
      try installation.write(fakeModel, as: "model-\(behaviour)")
    }
    let entries = try await ModelCatalogue(executables, guests: []).describe(executables)
    let runner = CheckRunner(
      runner: TrialRunner(executables: executables, interruption: Interruption()),
      processors: ProcessorSets(available: []), patience: .seconds(60))
    let rows = try ModelCatalogue.rows(entries, named: ["honest", "answers-one-too-few", "declines"])
    let results = try #require(try await runner.run(rows, [.fanOut]) { _ in })
    let checks = Workload.fanOut.checks.count
    #expect(results.count == 3 * checks)
    #expect(results.prefix(checks).allSatisfy { $0.state == .ok && $0.reason == nil && $0.standardError == nil })
    for result in results[checks..<2 * checks] {
      #expect(result.state == .wrong)
      #expect(!result.isAcceptable)
      #expect(result.findings.map(\.rule) == ["units", "balance", "balance", "balance", "balance"])
      let kept = try #require(result.standardError)
      #expect(FileManager.default.fileExists(atPath: kept))
      try FileManager.default.removeItem(atPath: kept)
    }
    #expect(
      results.suffix(checks).allSatisfy { $0.state == .unsupported && $0.isAcceptable && $0.reason == "no hands" })
  }
}

@Suite struct ModelCatalogueTests {
  let installation: FakeInstallation
  let executables: Executables

  init() throws {
    installation = try FakeInstallation()
    executables = try installation.executables()
    try installation.write(fakeModel, as: "model-b")
    try installation.write(fakeModel, as: "model-a")
  }

  @Test func `models are found beside the executable, by name, guests after them`() throws {
    try installation.write("not executable", as: "model-notes.txt")
    let guest = try installation.write(fakeModel, as: "guest.py")
    let catalogue = try ModelCatalogue(executables, guests: ["a2=\(guest)"])
    #expect(catalogue.programs.map(\.name) == ["a", "b", "a2"])
    #expect(catalogue.programs.map(\.isGuest) == [false, false, true])
  }

  @Test(arguments: [
    ("mine", "'mine' is no guest: expected NAME=PATH, as in --guest mine=./my-model"),
    ("=x", "'=x' is no guest: expected NAME=PATH, as in --guest mine=./my-model"),
    ("a b=/bin/true", "'a b' is no name for a guest: expected letters, digits, '-', '_' and '.'"),
    ("g=/no/such", "'/no/such' is no executable file: No such file or directory"),
    ("g=/tmp", "'/tmp' is a folder: --guest takes an executable file"),
  ]) func `a guest that is none is refused with what would be right`(_ guest: String, _ message: String) {
    let error = #expect(throws: HarnessError.self) { try ModelCatalogue(executables, guests: [guest]) }
    #expect(error == .usage(message))
  }

  @Test func `a name that is taken is refused`() {
    let error = #expect(throws: HarnessError.self) { try ModelCatalogue(executables, guests: ["a=/bin/true"]) }
    #expect(error?.description.hasPrefix("the name 'a' is taken by ") == true)
  }

  @Test func `a guest is a row, whatever models are named beside it`() async throws {
    let guest = try installation.write(fakeModel, as: "guest.py")
    let entries = try await ModelCatalogue(executables, guests: ["g=\(guest)"]).describe(executables)
    #expect(try ModelCatalogue.rows(entries, named: ["b"]).map(\.label) == ["b", "g"])
    #expect(try ModelCatalogue.rows(entries, named: ["g:gather"]).map(\.label) == ["g:gather"])
  }

  @Test func `rows are models and the variants asked for`() async throws {
    let entries = try await ModelCatalogue(executables, guests: []).describe(executables)
    #expect(try ModelCatalogue.rows(entries, named: []).map(\.label) == ["a", "b"])
    #expect(
      try ModelCatalogue.rows(entries, named: [], withVariants: true).map(\.label)
        == ["a", "a:gather", "b", "b:gather"])
    #expect(try ModelCatalogue.rows(entries, named: ["b:gather", "b"]).map(\.label) == ["b:gather", "b"])
    func refusal(_ names: [String]) -> String? {
      #expect(throws: HarnessError.self) { try ModelCatalogue.rows(entries, named: names) }?.description
    }
    #expect(refusal(["c"]) == "'c' is not a model: there is a, b")
    #expect(refusal(["a:x"]) == "'x' is not a variant of 'a': it has gather")
    #expect(refusal(["a", "a"]) == "'a' was given twice")
  }

  @Test(arguments: [
    ("describes-nonsense", "answered 'describe' with 'I am a model': expected a description"),
    ("hangs-silently", "did not answer 'describe' within 300 ms"),
  ]) func `a program that does not describe itself is named`(_ behaviour: String, _ text: String) async throws {
    let program = try installation.model(behaviour)
    let limit: Duration = behaviour == "hangs-silently" ? .milliseconds(300) : .seconds(120)
    let entry = try await ModelCatalogue.describe(program, executables, within: limit)
    guard case .failure(let error) = entry.description else { return #expect(Bool(false), "it described itself") }
    #expect(error == .usage("model '\(behaviour)' (\(program.path)) \(text)"))
  }

  @Test func `what a broken program says on standard error is quoted`() async throws {
    let path = try installation.write("#!/bin/sh\necho no luck today >&2\nexit 9\n", as: "broken")
    let entry = try await ModelCatalogue.describe(
      ModelProgram(name: "broken", path: path, isGuest: true), executables, within: .seconds(120))
    guard case .failure(let error) = entry.description else { return #expect(Bool(false), "it described itself") }
    #expect(
      error.description
        == "model 'broken' (\(path)) exited with status 9 before it had answered 'describe'; it said: no luck today")
  }
}
