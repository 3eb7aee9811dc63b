// switchyard validate: is this folder a run that can be trusted?

import ArgumentParser
import Harness
import ResultFormat

struct Validate: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "validate", abstract: "Checks that a run's folder holds a valid run.")

  @Argument(help: ArgumentHelp("The run's folder.", valueName: "dir"))
  var directory: String

  func run() throws {
    let problems = ResultFormat.validate(runAt: directory)
    guard problems.isEmpty else {
      for problem in problems { complain(problem.description) }
      throw ExitCode(Status.usage)
    }
    let run: Run
    do {
      run = try RunFiles.readRun(from: directory)
    } catch {
      throw HarnessError.usage(error.description)
    }
    let completeness = run.isComplete ? "complete" : "interrupted: \(run.plan.trials.count) were planned"
    print("\(directory) is valid: \(run.trials.count) trials (\(completeness)), schema \(run.schemaVersion)")
  }
}
