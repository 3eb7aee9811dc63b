// A host that is kept busy, as `switchyard run` and a capacity search meet it.

import Foundation
import Glibc
import ResultFormat
import Subprocess
import Testing

@testable import Harness

@Suite struct BusyHostTests {
  @Test func `a busy host is refused with status 1, and nothing is left behind`() async throws {
    let installation = try installed(["honest"])
    let folder = "\(installation.folder)/run"
    let spinner = try Spinner()
    defer { spinner.stop() }
    let outcome = try await installation.switchyard("run", "fan-out/fixed-rate", "--output", folder)
    #expect(outcome.status == .exited(1), "\(outcome.error)")
    #expect(outcome.output == "")
    let said = outcome.error.split(separator: "\n")
    #expect(said.count == 2, "\(outcome.error)")
    #expect(said.first?.hasPrefix("switchyard: waiting for the host to be idle: other programs use ") == true)
    #expect(said.last?.hasPrefix("switchyard: the host is busy: other programs use ") == true)
    #expect(said.last?.hasSuffix("or measure nevertheless with --anyway: the tables will say so") == true)
    #expect(!FileManager.default.fileExists(atPath: folder))
  }

  @Test func `after a trial that was void the host is waited for while others use it`() async throws {
    var fake = try await FakeSearch(["honest"], rig: "#!/bin/sh\nexit 3\n")
    fake.plan.toleratesBusyHost = false
    fake.plan.toleratedVoids = 1
    let spinner = try Spinner()
    defer { spinner.stop() }
    var events: [String] = []
    let result = try await fake.run { event in
      switch event {
      case .starting: events.append("starting")
      case .finished(_, let trial): events.append(trial.judgement.verdict.rawValue)
      case .waiting(let watch): events.append(watch.isBusy ? "waiting" : "idle")
      }
    }
    #expect(result.models[0].ending == .unsettled)
    #expect(events == ["starting", "void", "waiting", "starting", "void"])
  }
}

/// Keeps a processor busy. It gives way to everything else, so that other tests go on; and it ends by itself should this
/// process be killed.
private struct Spinner {
  private let process = Foundation.Process()

  init() throws {
    process.executableURL = URL(filePath: "/usr/bin/env")
    let spin = "import os, time\nos.nice(19)\nend = time.monotonic() + 60\nwhile time.monotonic() < end: pass"
    process.arguments = ["python3", "-c", spin]
    try process.run()
  }

  func stop() {
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }
}
