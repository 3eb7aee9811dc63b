// fan-out's ledger while it is being written.

import Synchronization
import Workloads

/// Counters that any thread may increment. Relaxed, for they order nothing: a reading at an edge need not balance, and
/// the last one is taken after every thread has been joined.
final class Counts: Sendable {
  let requestsReceived = Atomic(0)
  let requestsAnswered = Atomic(0)
  let subRequestsSent = Atomic(0)
  let subRepliesReceived = Atomic(0)
  let unitsStarted = Atomic(0)
  let unitsFinished = Atomic(0)
  let clients = ConnectionCounts()
  let backendConnectionsOpened = Atomic(0)
  let backendConnectionsClosed = Atomic(0)

  var ledger: Ledger {
    [
      "requestsReceived": requestsReceived.value, "requestsAnswered": requestsAnswered.value,
      "subRequestsSent": subRequestsSent.value, "subRepliesReceived": subRepliesReceived.value,
      "unitsStarted": unitsStarted.value, "unitsFinished": unitsFinished.value,
      "clientConnectionsAccepted": clients.accepted.value,
      "clientConnectionsClosed": clients.closed.value,
      "backendConnectionsOpened": backendConnectionsOpened.value,
      "backendConnectionsClosed": backendConnectionsClosed.value,
    ]
  }
}

extension Atomic<Int> {
  borrowing func count(_ more: Int = 1) { add(more, ordering: .relaxed) }
  var value: Int { load(ordering: .relaxed) }
}
