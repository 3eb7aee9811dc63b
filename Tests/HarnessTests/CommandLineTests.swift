// The command line as a user meets it: messages and exit statuses.

import Foundation
import ResultFormat
import Subprocess
import Testing
import Workloads

@testable import Harness

@Suite struct CommandLineTests {
  @Test(arguments: [
    (["run", "fanout"], "switchyard: 'fanout' is not a workload: there is fan-out"),
    (["run", "fan-out/open"], "switchyard: 'fan-out/open' is not a case: there is fan-out/fixed-rate, "),
    (["run", "--set", "width=65"], "switchyard: '65' is not a value of width: expected 1 to 64\n"),
    (["run", "--set", "breadth=6"], "switchyard: 'breadth' is not a parameter of fan-out: it has width, "),
    (["run", "--set", "width"], "switchyard: 'width' sets nothing: expected KEY=VALUE, as in --set width=16\n"),
    (["run", "--rounds", "0"], "Error: '0' is no number of rounds: expected 1 to 10000\n"),
    (["run", "--preset", "huge"], "Error: The value 'huge' is invalid for '--preset <preset>'"),
    (["run", "--model", "nobody"], "switchyard: 'nobody' is not a model: there is honest\n"),
    (
      ["run", "--anyway", "--output", "/proc/version"],
      "switchyard: '/proc/version' is a file: --output takes a folder\n"
    ),
    (
      ["run", "--resume", "/nowhere"],
      "switchyard: '/nowhere' does not exist: --resume takes the folder of an interrupted run\n"
    ),
    (
      ["run", "--resume", "r", "--preset", "quick", "--seed", "1"],
      "Error: --resume r goes on with the plan of that run: leave --preset out, or make another run without --resume\n"
    ),
    (
      ["run", "fan-out", "--resume", "r"], "Error: --resume r goes on with the plan of that run: leave 'fan-out' out, "
    ),
    (
      ["run", "--resume", "r", "--until", "2%"],
      "Error: --resume r goes on with the plan of that run: leave --until out, "
    ),
    (["run", "--until", "2"], "switchyard: '2' is no width: expected 0.01% to 100%, as in --until 2%\n"),
    (["run", "--until", "2%", "--max-time", "30"], "switchyard: '30' is no time: expected 1s to 168h, "),
    (
      ["run", "--max-time", "30m"], "Error: --max-time 30m bounds --until: give both, as in --until 2% --max-time 30m\n"
    ),
    (
      ["run", "fan-out/fixed-rate", "--anyway", "--until", "2%", "--max-time", "9s"],
      "switchyard: '9s' is too short: the rounds that are run in any case take about 23 s; give more time, "
    ),
    (["check", "fan-in"], "switchyard: 'fan-in' is not a workload: there is fan-out"),
    (["check", "--patience", "0"], "Error: '0.0' is no patience: expected 0.1 to 3600 seconds\n"),
    (["check", "--guest", "x"], "switchyard: 'x' is no guest: expected NAME=PATH"),
    (["describe", "fan-in"], "switchyard: 'fan-in' is not a workload: there is fan-out"),
    (["report", "/nowhere"], "switchyard: cannot read /nowhere/run.json: No such file or directory"),
    (["validate", "/nowhere"], "switchyard: /nowhere/run.json: "),
    (["list", "everything"], "Error: The value 'everything' is invalid for '<subject>'"),
    (["fly"], "Error: Unexpected argument 'fly'"),
  ]) func `a wrong command line ends with status 2 and quotes the value`(_ arguments: [String], _ message: String)
    async throws
  {
    let installation = try installed(["honest"])
    let result = try await installation.switchyard(arguments)
    #expect(result.status == .exited(2))
    #expect(result.output == "")
    #expect(result.error.hasPrefix(message), "\(result.error)")
  }

  @Test(arguments: [["--help"], ["run", "--help"], ["help", "check"], []]) func `help is a result`(
    _ arguments: [String]
  ) async throws {
    let installation = try installed([])
    let result = try await installation.switchyard(arguments)
    #expect(result.status == .exited(0))
    #expect(result.output.contains("USAGE: switchyard"))
    #expect(result.error == "")
  }

  @Test func `models are listed with what they say of themselves`() async throws {
    let installation = try installed(["honest", "declines", "describes-nonsense"])
    let outcome = try await installation.switchyard("list", "models")
    #expect(outcome.status == .exited(0))
    #expect(
      outcome.output == """
        declines
          pretends
          fan-out: unsupported: no hands
        describes-nonsense
          error: model 'describes-nonsense' (\(installation.folder)/model-describes-nonsense) answered 'describe' with \
        'I am a model': expected a description
        honest
          pretends
          fan-out (variants: gather)

        """)
  }

  @Test func `workloads are listed with their cases by preset and with who supports them`() async throws {
    struct Item: Decodable {
      struct Support: Decodable {
        var model: String
        var isSupported: Bool
        var variants: [String]
        var reason: String?
      }
      var name: String
      var isServed: Bool
      var presets: [String: [String]]
      var models: [Support]
    }
    let installation = try installed(["honest", "declines", "describes-nonsense"])
    let outcome = try await installation.switchyard("list", "workloads", "--json")
    #expect(outcome.status == .exited(0))
    let items = try JSONDecoder().decode([Item].self, from: Data(outcome.output.utf8))
    #expect(items.map(\.name) == Workload.all.map(\.name))
    let fanOut = try #require(items.first)
    #expect(fanOut.presets["quick"] == ["fan-out/fixed-rate", "fan-out/closed"])
    #expect(Set(fanOut.presets.keys) == ["quick", "standard", "full"])
    #expect(fanOut.models.map(\.model) == ["declines", "describes-nonsense", "honest"])
    #expect(fanOut.models.map(\.isSupported) == [false, false, true])
    #expect(fanOut.models[0].reason == "no hands")
    #expect(fanOut.models[1].reason?.contains("expected a description") == true)
    #expect(fanOut.models[2].variants == ["gather"])
    let text = try await installation.switchyard("list", "workloads")
    #expect(text.output.contains("\n  honest: supported (variants: gather)\n"))
    #expect(text.output.contains("\n  declines: unsupported: no hands\n"))
  }

  @Test func `the doctor says of each thing how it is, and ends with status 1 where one wants a change`() async throws {
    struct Line: Decodable {
      var subject: String
      var verdict: String
      var advice: String?
    }
    let installation = try installed([])
    let outcome = try await installation.switchyard("doctor", "--json")
    let lines = try JSONDecoder().decode([Line].self, from: Data(outcome.output.utf8))
    let subjects = Set(lines.map(\.subject))
    #expect(
      subjects.isSuperset(of: [
        "processors", "load", "governor", "clock source", "timer slack", "kernel", "memory", "CPU work",
        "allocator", "recorder's sample", "kernel.threads-max", "kernel.pid_max", "vm.max_map_count", "ulimit -n",
        "MemAvailable",
      ]), "\(subjects)")
    #expect(lines.allSatisfy { ($0.verdict == "good") == ($0.advice == nil) })
    // This is a debug build.
    #expect(lines.contains { $0.subject == "build" && $0.verdict == "change" })
    #expect(outcome.status == .exited(1))
    let text = try await installation.switchyard("doctor")
    #expect(text.output.contains("build with 'swift build -c release'"))
    #expect(text.output.contains("\nok      timer slack"))
  }

  @Test func `presets are listed as JSON`() async throws {
    let installation = try installed([])
    let outcome = try await installation.switchyard("list", "presets", "--json")
    let presets = try #require(
      try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [[String: Any]])
    #expect(presets.map { $0["name"] as? String } == ["quick", "standard", "full"])
  }

  @Test func `a contract is described with every parameter, case and rule`() async throws {
    let installation = try installed([])
    let outcome = try await installation.switchyard("describe", "fan-out")
    #expect(outcome.status == .exited(0))
    for text in ["width = 8\n", "rate = 2000.0 requests/s\n", "fan-out/closed (quick, standard, full)", "left-open: "] {
      #expect(outcome.output.contains(text))
    }
  }

  @Test func `a run prints its tables on standard output and ends with status 0`() async throws {
    let installation = try installed(["honest"])
    let folder = "\(installation.folder)/out/run"
    let outcome = try await installation.switchyard(
      "run", "fan-out/fixed-rate", "--rounds", "2", "--window", "0.1", "--warm-up", "0", "--seed", "5", "--anyway",
      "--output",
      folder)
    #expect(outcome.status == .exited(0), "\(outcome.error)")
    #expect(outcome.output.contains("rig on fan-out/fixed-rate: "))
    #expect(
      outcome.error.contains("2 trials (1 cases, 1 models, 2 rounds; seed 5), about 2 s; results go to \(folder)\n"))
    #expect(outcome.error.contains("\n1/2 · fan-out/fixed-rate · honest · round 1/2 · ok · "))
    #expect(FileManager.default.fileExists(atPath: "\(folder)/report.md"))
    let again = try await installation.switchyard("run", "--anyway", "--output", folder)
    #expect(again.status == .exited(2))
    #expect(again.error.contains("'\(folder)' holds a run already"))
    let valid = try await installation.switchyard("validate", folder)
    #expect(valid.status == .exited(0), "\(valid.error)")
    #expect(valid.output == "\(folder) is valid: 2 trials (complete), schema 2\n")
    let json = try await installation.switchyard("report", folder, "--format", "json")
    #expect(json.status == .exited(0))
  }

  @Test func `a run that adds rounds says until when, and at its end what was not reached`() async throws {
    let installation = try installed(["honest"])
    let folder = "\(installation.folder)/run"
    let outcome = try await installation.switchyard(
      "run", "fan-out/fixed-rate", "--rounds", "1", "--window", "0.1", "--warm-up", "0", "--anyway", "--until", "100%",
      "--max-time",
      "1m", "--output", folder)
    #expect(outcome.status == .exited(0), "\(outcome.error)")
    #expect(
      outcome.error.contains("rounds are added until every headline's interval is within ±100 %, for at most 1 min\n"))
    // 20 samples have no p99, so that one of the two headlines has no value however many rounds there are.
    let run = try RunFiles.readRun(from: folder)
    #expect(run.plan.rounds >= 5)
    #expect(run.precision?.unreached.contains { $0.metric == "addedLatency" } == true)
    #expect(outcome.error.contains("after \(run.plan.rounds) rounds "))
    #expect(outcome.error.contains(" of 2 headline figures are not within ±100 %: \(folder)/report.md says which\n"))
    let report = contents(of: "\(folder)/report.md") ?? ""
    #expect(report.contains("NOT REACHED after \(run.plan.rounds) rounds by "))
    #expect(report.contains("addedLatency of honest on fan-out/fixed-rate: no value in "))
    let valid = try await installation.switchyard("validate", folder)
    #expect(valid.output == "\(folder) is valid: \(run.trials.count) trials (complete), schema 2\n", "\(valid.error)")
  }

  @Test func `a failed trial ends the run with status 1 and its reason on standard error`() async throws {
    let installation = try installed(["dies-in-the-window", "honest"])
    let outcome = try await installation.switchyard(
      "run", "fan-out/fixed-rate", "--rounds", "1", "--window", "0.1", "--warm-up", "0", "--anyway", "--output",
      "\(installation.folder)/run")
    #expect(outcome.status == .exited(1))
    #expect(
      outcome.error.contains(
        "model 'dies-in-the-window' failed fan-out/fixed-rate (round 1): was killed by SIGKILL (9)"))
    #expect(outcome.error.contains("1 of 2 trials failed"))
  }

  @Test func `a failed check ends with status 1, a passed one with 0`() async throws {
    let installation = try installed(["answers-one-too-few", "honest"])
    let passed = try await installation.switchyard("check", "fan-out", "--model", "honest", "--patience", "60")
    #expect(passed.status == .exited(0))
    #expect(passed.output.split(separator: "\n").count == 4)
    #expect(passed.output.hasPrefix("honest · fan-out/check-scarce · ok\n"))
    let failed = try await installation.switchyard(
      "check", "fan-out", "--model", "answers-one-too-few", "--patience", "60", "--json")
    #expect(failed.status == .exited(1))
    #expect(failed.error == "switchyard: 4 of 4 checks failed\n")
    let results = try #require(try JSONSerialization.jsonObject(with: Data(failed.output.utf8)) as? [[String: Any]])
    #expect(results.allSatisfy { $0["state"] as? String == "wrong" })
  }
}
