// `kill -9` of the harness at random moments of a run, and a resumption after each: whatever it was doing, the run ends
// with every trial of its plan, each of them run to its end once.

import Foundation
import Glibc
import ResultFormat
import Subprocess
import SystemPackage
import Testing
import Workloads

@testable import Harness

@Suite struct KillTests {
  /// Twenty kills, in two runs side by side so that they wait together.
  @Test(arguments: [1, 2] as [UInt64])
  func `a run that is killed ten times and resumed each time loses and doubles nothing`(
    seed: UInt64
  ) async throws {
    let installation = try installed(["honest", "other"])
    let folder = "\(installation.folder)/run"
    let hold = URL(filePath: "\(installation.folder)/hold")
    let start = [
      "run", "fan-out/fixed-rate", "--rounds", "20", "--window", "0.1", "--warm-up", "0", "--seed", "\(seed)",
      "--anyway",
      "--output", folder,
    ]
    var random = SplitMix64(seed: seed)
    var finished: [Int: Data] = [:]
    var plan: Plan?
    var resumptions = 0
    for _ in 0..<10 {
      // Either soon after the start, or some time after a trial that was finished in this session.
      let trials = Int.random(in: 0...1, using: &random)
      let delay = Duration.milliseconds(Int.random(in: 0...(trials == 0 ? 1_400 : 300), using: &random))
      let isBegun = plan != nil
      // However late the kill comes on a busy machine, the run is not at its end by then.
      try Data("\(folder)\n\(finished.count + trials + 2)\n".utf8).write(to: hold, options: .atomic)
      let status = try await killed(
        installation, isBegun ? ["run", "--anyway", "--resume", folder] : start, after: finished.count + trials,
        in: folder,
        delay: delay)
      #expect(status == .signaled(SIGKILL), "it ended by itself: \(said(installation))")

      let now = try trialFiles(folder)
      for (number, data) in finished { #expect(now[number] == data, "trial \(number) is not what it was") }
      finished = now
      if FileManager.default.fileExists(atPath: "\(folder)/trials/plan.json") {
        let stored = try RunFiles.readPlan(from: folder)
        if let plan { #expect(stored.plan == plan) }
        plan = stored.plan
        resumptions = stored.resumptions.count
      }
    }
    #expect((1..<40).contains(finished.count), "the kills were to fall into the run: \(finished.count) of 40")

    try FileManager.default.removeItem(at: hold)
    let last = try await installation.switchyard(["run", "--anyway", "--resume", folder])
    #expect(last.error.contains("resuming \(folder): \(finished.count) of the trials are finished\n"))
    let run = try RunFiles.readRun(from: folder)
    #expect(run.plan == plan)
    #expect(run.trials.map(\.number) == Array(1...40))
    #expect(run.trials.map(\.number) == run.plan.trials.map(\.number))
    // A window of 0.1 s may have gone by without an answer where the machine was taken away: that is no trial lost.
    let others = run.trials.filter { $0.state != .ok }
    #expect(others.allSatisfy { $0.reason?.contains("completed no") == true }, "\(others)")
    #expect(last.status == .exited(others.isEmpty ? 0 : 1), "\(last.error)")
    #expect(run.resumptions?.count == resumptions + 1)
    #expect(run.resumptions?.last?.finishedTrials == finished.count)
    let now = try trialFiles(folder)
    for (number, data) in finished { #expect(now[number] == data, "trial \(number) is not what it was") }
    #expect(validate(runAt: folder).map(\.description) == [])
    #expect(try leftovers(folder) == [])

    let again = try await installation.switchyard(["run", "--anyway", "--resume", folder])
    #expect(again.status == .exited(2))
    #expect(again.error.hasPrefix("switchyard: '\(folder)' is complete: all 40 trials of its plan are there"))
  }

  // MARK: -

  /// Runs until so many trials are finished and a while longer, and kills the harness.
  private func killed(
    _ installation: FakeInstallation, _ arguments: [String], after trials: Int, in folder: String, delay: Duration
  ) async throws -> TerminationStatus {
    let file = open("\(installation.folder)/stderr", O_WRONLY | O_CREAT | O_TRUNC, 0o644)
    try #require(file >= 0)
    defer { close(file) }
    return try await Subprocess.run(
      .path(FilePath("\(installation.folder)/switchyard")), arguments: .init(arguments), input: .none,
      output: .discarded, error: .fileDescriptor(.init(rawValue: file), closeAfterSpawningProcess: false),
      body: { (execution: Execution<NoInput, DiscardedOutput, FileDescriptorOutput>) in
        let pid = execution.processIdentifier.value
        // One that ends before its time stays a zombie until this returns.
        while try trialFiles(folder).count < trials, Probe(pid: pid).status().state != "Z" {
          try await Task.sleep(for: .milliseconds(2))
        }
        try await Task.sleep(for: delay)
        kill(pid, SIGKILL)
      }
    ).terminationStatus
  }

  private func said(_ installation: FakeInstallation) -> String { contents(of: "\(installation.folder)/stderr") ?? "" }

  /// Every trial.json, by number.
  private func trialFiles(_ folder: String) throws -> [Int: Data] {
    var files: [Int: Data] = [:]
    for number in (entries(of: "\(folder)/trials") ?? []).compactMap({ Int($0) }) {
      files[number] = FileManager.default.contents(atPath: "\(folder)/trials/\(number)/trial.json")
    }
    return files
  }

  /// What a killed process has left half written anywhere in the run.
  private func leftovers(_ folder: String) throws -> [String] {
    try FileManager.default.subpathsOfDirectory(atPath: folder).filter { $0.hasSuffix(".partial") }
  }
}
