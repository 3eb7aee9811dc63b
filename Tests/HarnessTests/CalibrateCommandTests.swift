// `switchyard calibrate` as a user meets it.

import Foundation
import ResultFormat
import Subprocess
import Testing

@testable import Harness

@Suite struct CalibrateCommandTests {
  @Test(arguments: [
    (["fanout"], "switchyard: 'fanout' is not a workload: there is fan-out"),
    (["fan-out/open"], "switchyard: 'fan-out/open' is not a case: there is fan-out/fixed-rate, "),
    (["--model", "nobody"], "switchyard: 'nobody' is not a model: there is honest\n"),
    (["--rounds", "0"], "Error: '0' is no number of rounds: expected 1 to 10000\n"),
    (["--window", "0.01"], "Error: '0.01' is no window: expected 0.1 to 3600 seconds\n"),
    (
      ["fan-out", "--rounds", "6"],
      "switchyard: '6' rounds are too few: the 3 comparisons of fan-out are corrected together, which takes at least 7 "
        + "rounds; give --rounds 7 or more\n"
    ),
    (
      ["--resume", "r", "--rounds", "12"],
      "Error: --resume r goes on with the plan of that calibration: leave --rounds out, or make another one without "
    ),
    (
      ["--resume", "/nowhere"],
      "switchyard: '/nowhere' does not exist: --resume takes the folder of an interrupted run\n"
    ),
  ]) func `a wrong command line ends with status 2 and quotes the value`(_ arguments: [String], _ message: String)
    async throws
  {
    let installation = try installed(["honest"])
    let result = try await installation.switchyard(["calibrate"] + arguments)
    #expect(result.status == .exited(2))
    #expect(result.output == "")
    #expect(result.error.hasPrefix(message), "\(result.error)")
  }

  @Test func `a calibration leaves its run, its report and what it resolves`() async throws {
    let installation = try installed(["honest"])
    let folder = "\(installation.folder)/out"
    let outcome = try await installation.switchyard(
      "calibrate", "fan-out/fixed-rate", "--rounds", "7", "--window", "0.1", "--seed", "5", "--anyway", "--output",
      folder)
    #expect(outcome.status == .exited(0), "\(outcome.error)")
    // The copy that is slowed, too: its model declines the case.
    #expect(
      outcome.error.contains(
        "35 trials: 1 models and their copies in 2 cases, 7 rounds (seed 5), which makes 4 comparisons of equal things; "
          + "about "), "\(outcome.error)")
    #expect(outcome.error.contains("21 of them take no time: their models decline the workload\n"))
    #expect(outcome.error.contains("done: \(folder)/calibration.json, report.md and run.json\n"))
    #expect(outcome.output.contains("equal against equal"))
    #expect(outcome.output.contains("No model ran pipeline/narrow+stages=2+work=400."))
    let resolution = try RunFiles.readCalibration(from: folder)
    #expect(resolution.rounds == 7 && resolution.models == ["honest"])
    // 20 samples have no p99, so that one of the two headlines has no value.
    #expect(resolution.figures.map(\.metric) == ["cpuPerOperation"])
    #expect(resolution.figures[0].windowSeconds == 0.1 && resolution.figures[0].degreesOfFreedom == 6)
    let report = contents(of: "\(folder)/report.md") ?? ""
    #expect(report.contains("## what this host resolves"))
    let valid = try await installation.switchyard("validate", folder)
    #expect(valid.output == "\(folder) is valid: 35 trials (complete), schema 2\n", "\(valid.error)")

    let json = try await installation.switchyard("report", folder, "--format", "json")
    let found = try #require(try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
    #expect((found["comparisons"] as? [Any])?.count == 2)
    let again = try await installation.switchyard("calibrate", "--resume", folder)
    #expect(again.status == .exited(2))
    #expect(again.error.hasPrefix("switchyard: '\(folder)' is complete: all 35 trials of its plan are there"))
  }

  @Test func `neither command goes on with the other's run`() async throws {
    let fake = try await FakeRun()
    try fake.writePlan()
    let installation = try installed(["honest"])
    let run = try await installation.switchyard("calibrate", "--anyway", "--resume", fake.folder)
    #expect(run.status == .exited(2))
    #expect(
      run.error
        == "switchyard: '\(fake.folder)' is no calibration: go on with 'switchyard run --resume \(fake.folder)'\n")
    try fake.writePlan { $0.plan.copies = [ModelCopy(name: "other", model: "honest")] }
    let calibration = try await installation.switchyard("run", "--anyway", "--resume", fake.folder)
    #expect(calibration.status == .exited(2))
    #expect(
      calibration.error
        == "switchyard: '\(fake.folder)' is a calibration: go on with 'switchyard calibrate --resume \(fake.folder)'\n")
  }
}
