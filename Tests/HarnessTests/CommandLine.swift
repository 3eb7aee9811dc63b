// The command line in a folder of its own, with fakes beside it.

import Foundation
import Subprocess
import SystemPackage

@testable import Harness

/// An installation with the command line itself in it.
func installed(rig: String = fakeRig, _ behaviours: [String]) throws -> FakeInstallation {
  let installation = try FakeInstallation()
  try installation.place(Built.path("switchyard"), as: "switchyard")
  try installation.write(rig, as: "switchyard-rig")
  for behaviour in behaviours { try installation.write(fakeModel, as: "model-\(behaviour)") }
  return installation
}

struct Outcome {
  var status: TerminationStatus
  var output: String
  var error: String
}

extension FakeInstallation {
  func switchyard(_ arguments: String...) async throws -> Outcome { try await switchyard(arguments) }

  func switchyard(_ arguments: [String]) async throws -> Outcome {
    let result = try await Subprocess.run(
      .path(FilePath("\(folder)/switchyard")), arguments: .init(arguments), output: .string(limit: 1 << 22),
      error: .string(limit: 1 << 22))
    return Outcome(status: result.terminationStatus, output: result.standardOutput, error: result.standardError)
  }
}
