// What a gate stops at: what the corrected test calls slower, a count that grew, and a model that no longer does what
// it did. The last has no figures at all, and would pass every other gate.

import ResultFormat
import Statistics

extension Comparison {
  /// Every regression in a sentence, in the order of the tables; empty where there is none.
  public var regressions: [String] {
    workloads.flatMap(\.cases).flatMap { compared in
      failures(compared) + slower(compared) + more(compared)
    }
  }

  /// Claims that more rounds might have decided.
  public var undecided: Int {
    workloads.flatMap(\.cases).flatMap(\.figures).count { figure in
      if case .tooFewRounds = figure.verdict { true } else { false }
    }
  }

  /// Claims that were declared.
  public var claims: Int { workloads.reduce(0) { $0 + $1.familySize } }

  private func isEnough(_ worsening: Double) -> Bool { threshold.map { worsening > $0 } ?? true }

  private func slower(_ compared: ComparedCase) -> [String] {
    compared.figures.compactMap { figure in
      guard figure.verdict == .slower, let worsening = figure.worsening, isEnough(worsening), let test = figure.test
      else { return nil }
      return "\(oneLine(figure.row)) on \(compared.name): slower, \(figure.headline.title) is \(factor(test.ratio)) "
        + "times that of BASE (\(test.design), p \(probability(figure.adjustedP)) after Holm's correction for "
        + "\(figure.familySize))"
    }
  }

  private func more(_ compared: ComparedCase) -> [String] {
    compared.counts.compactMap { found in
      guard found.verdict == .more, isEnough(found.worsening) else { return nil }
      return "\(oneLine(found.row)) on \(compared.name): more \(found.count.title) per \(compared.head.noun), "
        + "\(significant(found.base.median)) in BASE, \(significant(found.head.median)) in HEAD (tolerance "
        + "\(significant(found.tolerance)))"
    }
  }

  private func failures(_ compared: ComparedCase) -> [String] {
    compared.rows.compactMap { base, head in
      // Voided trials are the rig's or the host's fault.
      func failed(_ row: RowSummary) -> Bool { row.trials.contains { $0.state != .ok && $0.state != .voided } }
      // A model that failed now and then in BASE may not therefore fail altogether, or be absent, in HEAD.
      let isLost = head.count(.ok) == 0 && (head.trials.isEmpty || head.trials.contains { $0.state != .voided })
      guard base.count(.ok) > 0, isLost || (failed(head) && !failed(base)) else { return nil }
      return "\(oneLine(head.name)) on \(compared.name): \(head.state) in HEAD, \(base.state) in BASE"
    }
  }
}
