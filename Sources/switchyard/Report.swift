// switchyard report: the tables of a run, from its run.json alone.

import ArgumentParser
import Glibc
import Harness
import Reports
import ResultFormat

extension ReportFormat: ExpressibleByArgument {}

struct Report: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report", abstract: "Prints the tables of a run.")

  @Argument(help: ArgumentHelp("The run's folder.", valueName: "dir"))
  var directory: String

  @Option(help: "What to print.")
  var format: ReportFormat = .terminal

  @Option(help: ArgumentHelp("Write to this file instead of standard output.", valueName: "path"))
  var output: String?

  @Option(
    help: ArgumentHelp(
      "The A/A run whose resolution is printed; the newest of the same host beside the run if not given.",
      valueName: "dir"))
  var calibration: String?

  func run() throws {
    let run: Run
    let resolution: HostResolution?
    do {
      run = try RunFiles.readRun(from: directory)
      if let calibration {
        resolution = try RunFiles.readCalibration(from: calibration)
      } else {
        resolution = RunFiles.calibration(near: directory, of: run.environment)
      }
    } catch {
      throw HarnessError.usage(error.description)
    }
    if let resolution, resolution.host != HostIdentity(run.environment) {
      throw HarnessError.usage(
        "\(calibration ?? ""): measured on another host (\(resolution.host.processor), \(resolution.host.processors) "
          + "processors, kernel \(resolution.host.kernel)): run 'switchyard calibrate' on this run's, or leave --calibration out"
      )
    }
    guard let output else {
      let text = render(
        run, as: format, calibration: resolution, colour: allowsColour(STDOUT_FILENO),
        width: terminalWidth(STDOUT_FILENO))
      return print(text, terminator: text.hasSuffix("\n") ? "" : "\n")
    }
    do {
      try RunFiles.writeText(
        render(run, as: format, calibration: resolution, colour: false, width: nil), to: output)
    } catch {
      throw HarnessError.host(error.description)
    }
  }
}
