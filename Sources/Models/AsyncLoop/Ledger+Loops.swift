// The runtime's own counters, for the `counters` of a result: shown, never judged.

import EventLoop
import Workloads

extension Ledger {
  /// What the loops counted, by name.
  init(of counters: Counters) {
    self.init([
      "loopJobs": Int(counters.jobs), "loopTurns": Int(counters.turns), "loopPolls": Int(counters.polls),
      "loopSleeps": Int(counters.sleeps), "loopEvents": Int(counters.events), "loopReceived": Int(counters.received),
      "loopWakes": Int(counters.wakes), "loopSystemCalls": Int(counters.systemCalls),
    ])
  }
}
