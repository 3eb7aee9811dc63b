// Counts of in-process workloads: one writer each, so that counting takes no locked instruction and no line of the
// cache travels between processors.

import EventLoop
import Synchronization

/// A count that one task, or all tasks of one loop, write, and that anybody may read while it grows.
///
/// Relaxed: it orders nothing; the last reading is taken after the writers have been joined. With one writer a load and
/// a store lose no count.
final class Tally: Sendable {
  private let word = Atomic(0)
  /// The rest of two lines: what other loops write lies elsewhere, and the processor fetches lines in pairs.
  private let padding = InlineArray<13, UInt64>(repeating: 0)

  @inline(__always)
  func count() { word.store(word.load(ordering: .relaxed) &+ 1, ordering: .relaxed) }

  var value: Int { word.load(ordering: .relaxed) }
}

extension Sequence<Tally> {
  var total: Int { reduce(0) { $0 + $1.value } }
}

/// Waits until so many units have come to their first line.
final class RollCall: Sendable {
  private let expected: Int
  private let arrived = Atomic(0)
  private let isComplete = AsyncSemaphore(0)

  init(_ expected: Int) { self.expected = expected }

  var count: Int { arrived.value }

  /// Each unit, once.
  func arrive() {
    // Releasing and acquiring: whoever is told that all are there sees what each did before.
    if arrived.add(1, ordering: .acquiringAndReleasing).newValue == expected { isComplete.release() }
  }

  /// The driver, once.
  func complete() async throws { try await isComplete.acquire() }
}

/// Says that the work is to end. Any task may look, often: the line that it is on is written once.
final class StopFlag: Sendable {
  // Relaxed: it orders nothing; who stops joins everybody afterwards.
  private let word = Atomic(false)

  @inline(__always)
  var isUp: Bool { word.load(ordering: .relaxed) }

  func raise() { word.store(true, ordering: .relaxed) }
}
