// fan-out's ledger while it is being written.

import Synchronization
import Workloads

/// Counters that any queue may increment. Relaxed, for they order nothing: a reading at an edge need not balance, and
/// the last one is taken after the groups of all connections have been waited for.
final class Counts: Sendable {
  let requestsReceived = Atomic(0)
  let requestsAnswered = Atomic(0)
  let subRequestsSent = Atomic(0)
  let subRepliesReceived = Atomic(0)
  let unitsStarted = Atomic(0)
  let unitsFinished = Atomic(0)
  let clientConnectionsAccepted = Atomic(0)
  let clientConnectionsClosed = Atomic(0)
  let backendConnectionsOpened = Atomic(0)
  let backendConnectionsClosed = Atomic(0)

  var ledger: Ledger {
    [
      "requestsReceived": requestsReceived.value, "requestsAnswered": requestsAnswered.value,
      "subRequestsSent": subRequestsSent.value, "subRepliesReceived": subRepliesReceived.value,
      "unitsStarted": unitsStarted.value, "unitsFinished": unitsFinished.value,
      "clientConnectionsAccepted": clientConnectionsAccepted.value,
      "clientConnectionsClosed": clientConnectionsClosed.value,
      "backendConnectionsOpened": backendConnectionsOpened.value,
      "backendConnectionsClosed": backendConnectionsClosed.value,
    ]
  }
}

extension Atomic<Int> {
  borrowing func count(_ more: Int = 1) { add(more, ordering: .relaxed) }
  /// The same without a locked instruction, for a count that one queue at a time writes: what others read may be a moment
  /// old, and nothing is lost.
  borrowing func countAlone(_ more: Int = 1) { store(value &+ more, ordering: .relaxed) }
  var value: Int { load(ordering: .relaxed) }
}

extension Atomic<UInt64> {
  /// For a checksum that one queue at a time writes.
  borrowing func addAlone(_ more: UInt64) { store(load(ordering: .relaxed) &+ more, ordering: .relaxed) }
  /// As it stands in a ledger: the same bits.
  var signed: Int { Int(truncatingIfNeeded: load(ordering: .relaxed)) }
}
