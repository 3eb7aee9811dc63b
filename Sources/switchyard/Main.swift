// switchyard: which concurrency model should this Swift program use? One file per subcommand; the work is in Harness
// and Reports, and here are flags, wording and exit statuses.

import ArgumentParser
import Glibc
import Harness

struct Switchyard: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "switchyard",
    abstract: "Runs the same workloads in several concurrency models, proves that each did the work, and tabulates.",
    discussion: """
      Exit status: 0 all well; 1 a trial or check failed; 2 the command line or an input file is wrong; 130 interrupted.
      """,
    subcommands: [
      List.self, Describe.self, RunWorkloads.self, CheckModels.self, Report.self, Validate.self, Doctor.self,
      Compare.self, Calibrate.self, Capacity.self,
    ])
}

/// The exit statuses of the command line.
enum Status {
  static let failed: Int32 = 1
  static let usage: Int32 = 2
  static let interrupted: Int32 = 130
}

@main
enum Main {
  static func main() async {
    do {
      let command = try Switchyard.parseAsRoot()
      if var asynchronous = command as? any AsyncParsableCommand {
        try await asynchronous.run()
      } else {
        var synchronous = command
        try synchronous.run()
      }
    } catch let error as HarnessError {
      complain(error.description)
      exit(error.kind == .usage ? Status.usage : Status.failed)
    } catch let code as ExitCode {
      exit(code.rawValue)
    } catch {
      // Help comes this way too, with status 0. Whatever else the parser refuses is the command line's fault.
      let isHelp = Switchyard.exitCode(for: error) == .success
      let message = Switchyard.fullMessage(for: error)
      if isHelp {
        print(message)
        exit(0)
      }
      writeToStandardError(message + "\n")
      exit(Status.usage)
    }
  }
}

/// Diagnostics go to standard error, results to standard output.
func complain(_ message: String) { writeToStandardError("switchyard: \(message)\n") }

/// Unbuffered, as a diagnostic should be; a standard error that is closed has no reader to miss it.
func writeToStandardError(_ text: String) {
  var bytes = Array(text.utf8)[...]
  while !bytes.isEmpty {
    let count = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    if count < 0 && errno == EINTR { continue }
    guard count > 0 else { return }
    bytes = bytes.dropFirst(count)
  }
}

/// Whether colour may be used on that descriptor: on a terminal, and unless NO_COLOR is set (no-color.org).
func allowsColour(_ descriptor: Int32) -> Bool {
  let isSet = getenv("NO_COLOR").map { $0.pointee != 0 } ?? false
  return isatty(descriptor) == 1 && !isSet
}

/// The width of the terminal at that descriptor, in columns; nil where it is none.
func terminalWidth(_ descriptor: Int32) -> Int? {
  guard isatty(descriptor) == 1 else { return nil }
  var size = winsize()
  guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
  return Int(size.ws_col)
}
