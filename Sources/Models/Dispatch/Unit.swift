// Units of the in-process workloads, and the serial queues that they live on.
//
// A unit is a state machine that is confined to a serial queue. It runs in turns, each a block on that queue, and waits
// by returning: whoever brings what it waits for puts its next turn into the queue. A unit that waits holds no thread, and
// what units of one queue share needs no lock. There is one such queue for each worker, not one for each unit: a queue
// that has a thread takes further turns at the price of an atomic exchange, where one that sleeps costs a wake-up.

import Dispatch
import Synchronization

/// A serial queue for each worker. Each has a thread of its own while it has something to do, so that together they are
/// as wide as the trial's `workers`, whatever the machine has.
func makeLanes(_ workers: Int) -> [DispatchQueue] { (0..<workers).map { DispatchQueue(label: "lane-\($0)") } }

extension [DispatchQueue] {
  /// Waits until all that these serial queues had to do before has been done. Never on one of them.
  func settle() { for lane in self { lane.sync {} } }
}

/// Sendable because it is confined to its lane: no other queue touches it, except for what a subclass says.
class Unit: @unchecked Sendable {
  let lane: DispatchQueue
  /// Made once: a block that is in the heap already is passed on with one reference count, where a new closure takes two
  /// allocations a turn (a quarter more CPU per hand-over in ping-pong). It does not retain the unit, which is kept by
  /// whoever joins it, nor count a reference while it runs.
  private var turn: (@convention(block) @Sendable () -> Void)!
  private var isScheduled = false

  init(on lane: DispatchQueue) {
    self.lane = lane
    let unit = Unmanaged.passUnretained(self)
    turn = { unit._withUnsafeGuaranteedRef { $0.begin() } }
  }

  private final func begin() {
    isScheduled = false
    run()
  }

  /// A turn. It ends where the unit has to wait.
  func run() {}

  /// Schedules the next turn, unless it is scheduled. On the unit's lane only.
  final func wake() {
    guard !isScheduled else { return }
    isScheduled = true
    lane.async(execute: turn)
  }
}

/// Says that the trial drains. An object of its own, which units can hold without a cycle: a reference that is not counted
/// for them would be counted whenever it is used, by all lanes at once.
final class StopFlag: Sendable {
  // Relaxed: it orders nothing, and an operation later is soon enough.
  private let flag = Atomic(false)
  var isUp: Bool { flag.load(ordering: .relaxed) }
  func raise() { flag.store(true, ordering: .relaxed) }
}
