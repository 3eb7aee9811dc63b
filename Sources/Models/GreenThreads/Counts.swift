// fan-out's ledger while it is being written.

import GreenThreads
import Synchronization
import Workloads

/// Counters that any unit may increment. Relaxed, for they order nothing: a reading at an edge need not balance, and
/// the last one is taken after every unit has been joined.
final class Counts: Sendable {
  let requestsReceived = Atomic(0)
  let requestsAnswered = Atomic(0)
  let subRequestsSent = Atomic(0)
  let subRepliesReceived = Atomic(0)
  let unitsStarted = Atomic(0)
  let unitsFinished = Atomic(0)
  let backendConnectionsOpened = Atomic(0)
  let backendConnectionsClosed = Atomic(0)

  var ledger: Ledger {
    [
      "requestsReceived": requestsReceived.value, "requestsAnswered": requestsAnswered.value,
      "subRequestsSent": subRequestsSent.value, "subRepliesReceived": subRepliesReceived.value,
      "unitsStarted": unitsStarted.value, "unitsFinished": unitsFinished.value,
      "backendConnectionsOpened": backendConnectionsOpened.value,
      "backendConnectionsClosed": backendConnectionsClosed.value,
    ]
  }
}

extension Atomic<Int> {
  borrowing func count() { add(1, ordering: .relaxed) }
  var value: Int { load(ordering: .relaxed) }
}

extension Ledger {
  /// What the scheduler counted.
  init(green counters: Counters) {
    self.init([
      "switches": Int(counters.switches), "parks": Int(counters.parks), "steals": Int(counters.steals),
      "sleeps": Int(counters.sleeps), "wakes": Int(counters.wakes), "polls": Int(counters.polls),
      "syscalls": Int(counters.syscalls),
    ])
  }
}
