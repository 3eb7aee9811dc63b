// How a run ends when somebody or something ends it: what is left of processes and files.

import Foundation
import Glibc
import ResultFormat
import Subprocess
import SystemPackage
import Testing

@testable import Harness

@Suite struct EndingTests {
  private let arguments = [
    "run", "fan-out/fixed-rate", "--rounds", "99", "--warm-up", "0", "--seed", "1", "--anyway", "--output",
  ]

  /// Runs until the second trial or a later one is under way (a model has said `ready`; how far the run has come by then
  /// is the scheduler's affair), then calls `body` with the process's id.
  private func interrupt(
    _ installation: FakeInstallation, _ folder: String, _ body: @escaping @Sendable (pid_t) -> Void
  )
    async throws -> Outcome
  {
    let errors = "\(installation.folder)/stderr"
    let file = open(errors, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
    try #require(file >= 0)
    defer { close(file) }
    let result = try await Subprocess.run(
      .path(FilePath("\(installation.folder)/switchyard")),
      arguments: .init(arguments + [folder, "--window", "0.5"]), input: .none, output: .discarded,
      error: .fileDescriptor(.init(rawValue: file), closeAfterSpawningProcess: false),
      body: { (execution: Execution<NoInput, DiscardedOutput, FileDescriptorOutput>) in
        while contents(of: "\(folder)/trials/2/reply.jsonl")?.contains("ready") != true {
          try await Task.sleep(for: .milliseconds(5))
        }
        body(execution.processIdentifier.value)
      })
    return Outcome(status: result.terminationStatus, output: "", error: contents(of: errors) ?? "")
  }

  /// Processes that run out of that folder, zombies left out.
  private func processes(of installation: FakeInstallation) -> [pid_t] {
    (entries(of: "/proc") ?? []).compactMap(pid_t.init).filter { pid in
      contents(of: "/proc/\(pid)/cmdline")?.contains(installation.folder) == true
        && Probe(pid: pid).status().state != "Z"
    }
  }

  @Test(arguments: [SIGINT, SIGTERM]) func `a signal ends the run in order with status 130`(_ signal: Int32)
    async throws
  {
    let installation = try installed(["honest"])
    let folder = "\(installation.folder)/run"
    let outcome = try await interrupt(installation, folder) { kill($0, signal) }
    #expect(outcome.status == .exited(130), "\(outcome.error)")
    let finished = try RunFiles.readRun(from: folder).trials.count
    #expect((1..<99).contains(finished))
    #expect(outcome.error.contains("interrupted: \(finished) of 99 trials are in \(folder)\n"))
    #expect(validate(runAt: folder).map(\.description) == [])
    #expect(processes(of: installation) == [])
  }

  @Test func `no child outlives a harness that is killed, and the run stays valid`() async throws {
    let installation = try installed(["honest"])
    let folder = "\(installation.folder)/run"
    let outcome = try await interrupt(installation, folder) { kill($0, SIGKILL) }
    #expect(outcome.status == .signaled(SIGKILL))
    // The kernel kills the children when their parent's thread is gone; wait for that, not for a time.
    while !processes(of: installation).isEmpty { try await Task.sleep(for: .milliseconds(5)) }
    #expect(validate(runAt: folder).map(\.description) == [])
    #expect((1..<99).contains(try RunFiles.readRun(from: folder).trials.count))
  }

  /// A file system of its own for `body`, which is skipped where mounting one is not allowed.
  private func onSmallDisk(_ size: String, _ installation: FakeInstallation, _ body: (String) async throws -> Void)
    async throws
  {
    let disk = "\(installation.folder)/disk"
    try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: true)
    let mounted = try await Subprocess.run(
      .name("mount"), arguments: ["-t", "tmpfs", "-o", "size=\(size)", "tmpfs", disk], output: .discarded,
      error: .string(limit: 4096))
    guard mounted.terminationStatus.isSuccess else {
      // Mounting needs root. The run's own folder could not be made small without it.
      withKnownIssue("no tmpfs could be mounted: \(mounted.standardError)") { Issue.record("skipped") }
      return
    }
    defer { _ = umount2(disk, Int32(MNT_DETACH)) }
    try await body(disk)
  }

  @Test func `a full disk ends the run with status 1, the path, and valid trials`() async throws {
    let installation = try installed(["honest"])
    try await onSmallDisk("128k", installation) { disk in
      let outcome = try await installation.switchyard(
        "run", "fan-out/fixed-rate", "--rounds", "40", "--window", "0.1", "--warm-up", "0", "--anyway", "--output",
        "\(disk)/run")
      #expect(outcome.status == .exited(1), "\(outcome.error)")
      #expect(outcome.error.contains(": No space left on device"))
      #expect(outcome.error.hasSuffix("; go on with 'switchyard run --resume \(disk)/run'\n"), "\(outcome.error)")
      #expect(validate(runAt: "\(disk)/run").map(\.description) == [])
      let count = try RunFiles.readRun(from: "\(disk)/run").trials.count
      #expect((1..<40).contains(count))
      #expect(try RunFiles.readTrials(from: "\(disk)/run").count == count)
    }
  }

  @Test func `a disk that is full at the resumption changes nothing, and once there is room the run goes on`()
    async throws
  {
    let installation = try installed(["honest"])
    try await onSmallDisk("1m", installation) { disk in
      let run = "\(disk)/run"
      let first = try await installation.switchyard(
        "run", "fan-out/fixed-rate", "--rounds", "3", "--window", "0.1", "--warm-up", "0", "--anyway", "--output", run)
      #expect(first.status == .exited(0), "\(first.error)")
      try FileManager.default.removeItem(atPath: "\(run)/trials/3")
      let before = try FileManager.default.subpathsOfDirectory(atPath: run).sorted()
      fill("\(disk)/filler")

      let full = try await installation.switchyard("run", "--anyway", "--resume", run)
      #expect(full.status == .exited(1), "\(full.error)")
      #expect(
        full.error.hasSuffix(
          "cannot write \(run)/trials/plan.json: No space left on device: free some space, or choose another folder; "
            + "go on with 'switchyard run --resume \(run)'\n"), "\(full.error)")
      #expect(try FileManager.default.subpathsOfDirectory(atPath: run).sorted() == before)

      try FileManager.default.removeItem(atPath: "\(disk)/filler")
      let outcome = try await installation.switchyard("run", "--anyway", "--resume", run)
      #expect(outcome.status == .exited(0), "\(outcome.error)")
      #expect(try RunFiles.readRun(from: run).trials.map(\.number) == [1, 2, 3])
      #expect(validate(runAt: run).map(\.description) == [])
    }
  }

  /// Writes until nothing more fits.
  private func fill(_ path: String) {
    let file = open(path, O_WRONLY | O_CREAT, 0o644)
    defer { close(file) }
    let page = [UInt8](repeating: 1, count: 4_096)
    while write(file, page, page.count) > 0 {}
  }
}
