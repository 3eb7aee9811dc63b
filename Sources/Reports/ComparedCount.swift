// Counts per operation in both runs: allocations, switches, faults, system calls. Where the program alone determines
// them they do not vary from round to round, and a test of ratios has nothing to work with; where the kernel's mood
// does, they vary by more than any time. One rule holds for both, and it looks at the rounds of both runs:
//
//   HEAD has more (or fewer) where the medians differ by more than the tolerance, which is the largest of
//   - the range of BASE's rounds and the range of HEAD's (highest less lowest) together: no round of one run then lies
//     among those of the other,
//   - 1 % of the larger median,
//   - 0.001 of an operation: below that it is the harness that is counted.
//
// The ranges need rounds: 5 of each run; 3 where they are within the rest of the tolerance, as for a count that is the
// same every time. If all that differs is chance, every division of the rounds into two runs is equally likely, and all
// of one lie beyond all of the other in 2 of (n+m choose n) divisions: 0.8 % at 5 and 5, fewer as the medians must be
// further apart than that. Drawing both runs from one published run of 12 rounds (240 counts, 40 draws each) found a
// difference in 0.02 % at 5 rounds each, in none of 9,600 at 6, and in 0.13 % of the counts that 3 rounds suffice for.

import ResultFormat
import Statistics
import Workloads

/// A count per operation that a row's timed trials have, or its probed ones.
struct StableCount: Sendable {
  /// In machine-readable output.
  let key: String
  let title: String
  /// Of all rounds that have one.
  let values: @Sendable (RowSummary, [ProbedTrial]) -> [Double]

  static let all: [StableCount] = [
    timed("allocationsPerOperation", "allocations") { $0.memory?.allocationsPerOperation },
    perOperation("voluntarySwitchesPerOperation", "voluntary switches") { $0.cpu?.voluntarySwitches },
    perOperation("involuntarySwitchesPerOperation", "involuntary switches") { $0.cpu?.involuntarySwitches },
    perOperation("faultsPerOperation", "page faults") { $0.cpu?.pageFaults },
    // Only where a run was probed for them.
    StableCount(key: "systemCallsPerOperation", title: "system calls") { _, probed in
      probed.filter { $0.state == .ok }.compactMap { $0.counts?.totalSystemCalls }
    },
  ]

  private static func timed(_ key: String, _ title: String, _ value: @escaping @Sendable (Figures) -> Double?)
    -> StableCount
  {
    StableCount(key: key, title: title) { row, _ in
      row.trials.filter { $0.state == .ok }.compactMap { $0.figures.flatMap(value) }
    }
  }

  private static func perOperation(_ key: String, _ title: String, _ reading: @escaping @Sendable (Figures) -> Int?)
    -> StableCount
  {
    timed(key, title) { figures in
      guard let count = reading(figures), figures.operations > 0 else { return nil }
      return Double(count) / Double(figures.operations)
    }
  }
}

/// What may be said of HEAD's count against BASE's.
enum CountVerdict: Sendable, Hashable {
  case more, fewer, same
  /// Rounds of the smaller run, and those that each would need.
  case tooFewRounds(have: Int, need: Int)
}

/// The rule above.
struct CountRule: Sendable {
  static let share = 0.01
  static let least = 0.001
  static let rounds = 5
  static let roundsWhereSteady = 3

  let verdict: CountVerdict
  /// What the medians may differ by.
  let tolerance: Double

  /// - Returns: nil if a run has no round.
  init?(base: Spread?, head: Spread?) {
    guard let base, let head else { return nil }
    let ranges = (base.maximum - base.minimum) + (head.maximum - head.minimum)
    let steady = max(Self.share * max(base.median, head.median), Self.least)
    tolerance = max(ranges, steady)
    let have = min(base.count, head.count)
    let need = ranges <= steady ? Self.roundsWhereSteady : Self.rounds
    let difference = head.median - base.median
    if have < need {
      verdict = .tooFewRounds(have: have, need: need)
    } else if abs(difference) <= tolerance {
      verdict = .same
    } else {
      verdict = difference > 0 ? .more : .fewer
    }
  }
}

/// One count of one model on one case, in both runs.
struct ComparedCount: Sendable {
  let count: StableCount
  /// The model, with its variant.
  let row: String
  let model: PlannedModel
  let base: Spread
  let head: Spread
  let verdict: CountVerdict
  let tolerance: Double

  /// The counts that both runs have.
  /// - Parameter probed: the rows' probed trials.
  static func all(
    _ base: RowSummary, _ head: RowSummary, probed: (base: [ProbedTrial], head: [ProbedTrial])
  ) -> [ComparedCount] {
    StableCount.all.compactMap { count in
      let b = Spread(count.values(base, probed.base).filter(\.isFinite))
      let h = Spread(count.values(head, probed.head).filter(\.isFinite))
      guard let b, let h, let rule = CountRule(base: b, head: h) else { return nil }
      return ComparedCount(
        count: count, row: head.name, model: head.model, base: b, head: h, verdict: rule.verdict,
        tolerance: rule.tolerance)
    }
  }

  /// By how much HEAD has more, as a share; infinite where BASE has none.
  var worsening: Double { base.median > 0 ? head.median / base.median - 1 : head.median > 0 ? .infinity : 0 }

  /// What a table says of it.
  var words: String {
    let b = significant(base.median)
    let h = significant(head.median)
    return switch verdict {
    case .same: "\(b) same"
    case .more: "\(b) → \(h) MORE"
    case .fewer: "\(b) → \(h) fewer"
    case .tooFewRounds(_, let need): "\(b) → \(h) needs \(need) rounds"
    }
  }
}
