// A host that is kept busy, as `switchyard run` meets it.

import Foundation
import Glibc
import Subprocess
import Testing

@testable import Harness

@Suite struct BusyHostTests {
  @Test func `a busy host is refused with status 1, and nothing is left behind`() async throws {
    let installation = try installed(["honest"])
    let folder = "\(installation.folder)/run"
    // It gives way to everything else, so that other tests go on; and it ends by itself should this process be killed.
    let spinner = Foundation.Process()
    spinner.executableURL = URL(filePath: "/usr/bin/env")
    let spin = "import os, time\nos.nice(19)\nend = time.monotonic() + 60\nwhile time.monotonic() < end: pass"
    spinner.arguments = ["python3", "-c", spin]
    try spinner.run()
    defer {
      kill(spinner.processIdentifier, SIGKILL)
      spinner.waitUntilExit()
    }
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
}
