// One live line on a terminal, plain lines elsewhere; always on standard error, since results own standard output.

import Glibc
import Harness
import ResultFormat
import Synchronization

final class ProgressDisplay: Sendable {
  private let progress: Mutex<Progress>
  private let isTerminal: Bool

  init(_ progress: Progress) {
    self.progress = Mutex(progress)
    isTerminal = isatty(STDERR_FILENO) == 1
  }

  /// - Parameter skipped: trials of a plan that take no time.
  func show(_ event: RunExecution.Event, skipping skipped: (Plan) -> Set<Int>) {
    let now = Self.now
    switch event {
    case .extended(let plan):
      progress.withLock { $0.extend(plan, skipping: skipped(plan)) }
    case .probing(let trial, let finished, let count):
      let line =
        "probes \(finished + 1)/\(count) · \(trial.case) · \(Progress.label(trial.model, trial.variant)) · "
        + "round \(trial.round)"
      if isTerminal { redraw(line) } else { writeToStandardError(line + "\n") }
    case .starting(let trial):
      let line = progress.withLock { progress in
        progress.start(trial, at: now)
        return progress.line(at: now)
      }
      if isTerminal { redraw(line) }
    case .finished(let trial):
      let line = progress.withLock { progress in
        progress.finish()
        return progress.line(trial, at: now)
      }
      let hasFailed = trial.state != .ok && trial.state != .unsupported
      if isTerminal {
        if hasFailed {
          redraw("")
          writeToStandardError("\(trial.state.rawValue): \(trial.reason ?? "")\n")
        }
      } else {
        writeToStandardError(line + "\n")
        if hasFailed { writeToStandardError("  \(trial.reason ?? "")\n") }
      }
    }
  }

  /// Takes the live line away.
  func end() { if isTerminal { redraw("") } }

  /// Carriage return, erase to the end of the line, text cut to the width: a line that wraps could not be redrawn.
  private func redraw(_ text: String) {
    let width = max(20, terminalWidth(STDERR_FILENO) ?? 80)
    writeToStandardError("\r\u{1B}[K\(text.prefix(width - 1))")
  }

  private static var now: Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}

extension RunExecution {
  /// Runs with the live line.
  /// - Parameter command: what goes on with the run in a folder, as in `switchyard run --resume`.
  /// - Throws: ``HarnessError``, which says how to go on where that is possible.
  func runShowingProgress(resumeWith command: String) async throws(HarnessError) -> Completion {
    let display = ProgressDisplay(Progress(plan, skipping: skipped(of: plan), finished: finished))
    do throws(HarnessError) {
      let completion = try await run { event in display.show(event, skipping: skipped) }
      display.end()
      return completion
    } catch {
      display.end()
      guard error.kind == .host, RunFolder.holdsPlan(folder) else { throw error }
      throw error.then("go on with '\(command) \(folder)'")
    }
  }
}
