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

  func run() throws {
    let run: Run
    do {
      run = try RunFiles.readRun(from: directory)
    } catch {
      throw HarnessError.usage(error.description)
    }
    guard let output else {
      let text = render(
        run, as: format, colour: allowsColour(STDOUT_FILENO), width: terminalWidth(STDOUT_FILENO))
      return print(text, terminator: text.hasSuffix("\n") ? "" : "\n")
    }
    do {
      try RunFiles.writeText(render(run, as: format, colour: false, width: nil), to: output)
    } catch {
      throw HarnessError.host(error.description)
    }
  }
}
