// Where a capacity search is: one live line on a terminal, a line for each trial elsewhere; on standard error, since
// results own standard output.

import Glibc
import Harness
import ResultFormat

struct CapacityDisplay {
  private let isTerminal = isatty(STDERR_FILENO) == 1

  func show(_ event: CapacityExecution.Event) {
    switch event {
    case .starting(let model, let rate, let share, let left):
      if isTerminal { redraw("\(Self.what(model, rate, share)) · \(Progress.words(left)) left") }
    case .finished(let model, let trial):
      guard !isTerminal else { return }
      writeToStandardError(
        "\(Self.what(model, trial.rate, trial.share)) · \(trial.judgement.verdict.rawValue) · "
          + "\(trial.judgement.reason)\n")
    case .waiting(let watch):
      let text = "waiting for the host to be idle: \(watch.description)"
      if isTerminal { redraw(text) } else { writeToStandardError("\(text)\n") }
    }
  }

  /// Takes the live line away.
  func end() { if isTerminal { redraw("") } }

  private static func what(_ model: String, _ rate: Double, _ share: Double?) -> String {
    let place = share.map { " (\(Int(($0 * 100).rounded())) %)" } ?? ""
    return "\(model) · \(Int(rate.rounded())) requests/s\(place)"
  }

  /// Carriage return, erase to the end of the line, text cut to the width: a line that wraps could not be redrawn.
  private func redraw(_ text: String) {
    let width = max(20, terminalWidth(STDERR_FILENO) ?? 80)
    writeToStandardError("\r\u{1B}[K\(text.prefix(width - 1))")
  }
}
