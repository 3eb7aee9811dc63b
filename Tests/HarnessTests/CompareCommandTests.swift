// `switchyard compare` as a user meets it: statuses, streams, and what is said of runs that cannot be compared.

import Foundation
import ResultFormat
import Subprocess
import Testing

@testable import Harness

/// The format's own made-up run, with so many rounds, in a folder of the installation.
private func place(
  _ name: String, in installation: FakeInstallation, rounds: Int = 12, change: (inout Run) -> Void = { _ in }
) throws -> String {
  let golden = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "ResultFormatTests/Golden")
  var run = try RunFiles.readRun(from: golden.path)
  let planned = run.plan.trials
  let trials = run.trials
  run.plan.rounds = rounds
  run.plan.trials = []
  run.trials = []
  for round in 1...rounds {
    for (planned, trial) in zip(planned, trials) where planned.round == (round - 1) % 3 + 1 {
      var (planned, trial) = (planned, trial)
      (planned.round, trial.round) = (round, round)
      planned.number = run.plan.trials.count + 1
      trial.number = planned.number
      run.plan.trials.append(planned)
      run.trials.append(trial)
    }
  }
  change(&run)
  let folder = "\(installation.folder)/\(name)"
  try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  try RunFiles.writeRun(run, to: folder)
  return folder
}

/// Another run of the same thing, its CPU time multiplied.
private func again(_ run: inout Run, times factor: Double = 1) {
  run.environment.startedAt = "2026-02-01T12:00:00Z"
  for index in run.trials.indices where run.trials[index].model == "threads" {
    run.trials[index].figures?.cpu?.userNanosecondsPerOperation *= factor
    run.trials[index].figures?.cpu?.systemNanosecondsPerOperation *= factor
  }
}

@Suite struct CompareCommandTests {
  @Test func `a regression is told, and ends with status 1 only where that was asked for`() async throws {
    let installation = try installed([])
    let base = try place("base", in: installation)
    let head = try place("head", in: installation) { again(&$0, times: 1.25) }
    let told = try await installation.switchyard("compare", base, head)
    #expect(told.status == .exited(0), "\(told.error)")
    #expect(told.output.hasPrefix("Switchyard: HEAD against BASE\n"))
    #expect(told.output.contains("1 slower"))
    #expect(told.error.contains(" of 8 claims cannot be told with so few rounds"))
    let gated = try await installation.switchyard("compare", base, head, "--fail-on-regression")
    #expect(gated.status == .exited(1))
    #expect(gated.output == told.output)
    #expect(
      gated.error.contains("switchyard: regression: threads on fan-out/fixed-rate: slower, CPU/request is 1.250 times"))
    let mild = try await installation.switchyard("compare", base, head, "--fail-on-regression", "--threshold", "30%")
    #expect(mild.status == .exited(0), "\(mild.error)")
    let strict = try await installation.switchyard("compare", base, head, "--fail-on-regression", "--threshold", "20%")
    #expect(strict.status == .exited(1))
    // The other way round it is an improvement.
    let better = try await installation.switchyard("compare", head, base, "--fail-on-regression")
    #expect(better.status == .exited(0), "\(better.error)")
    #expect(better.output.contains("1 faster, 0 slower"))
  }

  @Test func `two runs of the same thing pass the gate`() async throws {
    let installation = try installed([])
    let base = try place("base", in: installation)
    let head = try place("head", in: installation) { again(&$0) }
    let outcome = try await installation.switchyard("compare", base, head, "--fail-on-regression")
    #expect(outcome.status == .exited(0), "\(outcome.error)")
    #expect(outcome.output.contains("0 faster, 0 slower") && outcome.output.contains("No regression was found."))
  }

  @Test func `JSON and Markdown are written where they are asked for`() async throws {
    struct Answer: Decodable {
      struct Side: Decodable { var folder: String }
      var base: Side
      var regressions: [String]
    }
    let installation = try installed([])
    let base = try place("base", in: installation)
    let head = try place("head", in: installation) { again(&$0, times: 1.25) }
    let json = try await installation.switchyard("compare", base, head, "--json")
    let answer = try JSONDecoder().decode(Answer.self, from: Data(json.output.utf8))
    #expect(answer.base.folder == base && answer.regressions.count == 1)
    let path = "\(installation.folder)/comparison.md"
    let markdown = try await installation.switchyard("compare", base, head, "--markdown", "--output", path)
    #expect(markdown.status == .exited(0) && markdown.output == "")
    #expect(contents(of: path)?.hasPrefix("# Switchyard: HEAD against BASE\n") == true)
    let both = try await installation.switchyard("compare", base, head, "--markdown", "--json")
    #expect(both.status == .exited(2))
    #expect(both.error.hasPrefix("Error: --json and --markdown are two formats: give one of them\n"))
    let nowhere = try await installation.switchyard("compare", base, head, "--output", "/nowhere/comparison.txt")
    #expect(nowhere.status == .exited(1))
    #expect(nowhere.error.contains("cannot write /nowhere/comparison.txt"))
  }

  @Test func `runs that are not the same measurement are refused, and compared anyway where asked for`() async throws {
    let installation = try installed([])
    let base = try place("base", in: installation)
    let head = try place("head", in: installation) { run in
      again(&run)
      run.plan.warmUpSeconds = 3
    }
    let refused = try await installation.switchyard("compare", base, head)
    #expect(refused.status == .exited(2))
    #expect(refused.output == "")
    #expect(refused.error.hasPrefix("switchyard: warm-up: 1 s in BASE, 3 s in HEAD\nswitchyard: '\(base)' and "))
    #expect(refused.error.contains("or compare --anyway\n"))
    let anyway = try await installation.switchyard("compare", base, head, "--anyway")
    #expect(anyway.status == .exited(0), "\(anyway.error)")
    #expect(anyway.output.contains("!! NOT THE SAME MEASUREMENT, compared anyway: warm-up: 1 s in BASE, 3 s in HEAD."))
  }

  @Test func `what is no pair of runs ends with status 2 and names the value and the remedy`() async throws {
    let installation = try installed([])
    let base = try place("base", in: installation)
    let copy = try place("copy", in: installation)
    let other = try place("other", in: installation) { run in
      run.plan.pairs = nil
      for index in run.plan.models.indices { run.plan.models[index].name += "-2" }
      for index in run.plan.trials.indices { run.plan.trials[index].model += "-2" }
      for index in run.trials.indices { run.trials[index].model += "-2" }
    }
    let edited = try place("edited", in: installation) { $0.trials[0].figures?.operationsPerSecond *= 2 }
    let torn = "\(installation.folder)/torn"
    try FileManager.default.createDirectory(atPath: torn, withIntermediateDirectories: true)
    try "{\"schemaVersion\": 2,".write(toFile: "\(torn)/run.json", atomically: false, encoding: .utf8)
    let link = "\(installation.folder)/link"
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: base)

    let expected: [([String], String)] = [
      (
        [base, "/nowhere"],
        "switchyard: cannot read /nowhere/run.json: No such file or directory: is this a run's folder?"
      ),
      (["/nowhere", base], "switchyard: cannot read /nowhere/run.json: "),
      ([base, base], "switchyard: '\(base)' and '\(base)' are one folder ("),
      ([base, link], "switchyard: '\(base)' and '\(link)' are one folder ("),
      ([base, "\(base)/run.json"], "switchyard: '\(base)' and '\(base)/run.json' are one folder ("),
      ([base, copy], "switchyard: a copy of one run: "),
      ([base, torn], "switchyard: \(torn)/run.json: line 1, column "),
      (
        [base, edited],
        "switchyard: '\(edited)' holds no valid run, make it again: \(edited)/run.json: trial 1 (threads, "
      ),
      ([base, other], "switchyard: the runs have no case and model in common: \(base) has fan-out/fixed-rate, "),
      ([base, copy, "--threshold", "5"], "switchyard: '5' is no size of a regression: expected 0.1% to 900%, "),
      ([base, copy, "--threshold", "0%"], "switchyard: '0%' is no size of a regression: "),
      ([base, copy, "--threshold", "nan%"], "switchyard: 'nan%' is no size of a regression: "),
      ([base], "Error: Missing expected argument '<head>'"),
    ]
    for (arguments, message) in expected {
      let outcome = try await installation.switchyard(["compare"] + arguments)
      #expect(outcome.status == .exited(2), "\(arguments)")
      #expect(outcome.output == "", "\(arguments)")
      #expect(outcome.error.hasPrefix(message), "\(arguments): \(outcome.error)")
    }
  }
}
