// Calls that block the thread.

import CContextSwitch
import Synchronization

/// Runs `body`, which may block its thread: a file, DNS, a library's lock. If it takes long, the scheduler's monitor
/// gives the worker to another thread, so that other units go on. A short one costs nanoseconds.
///
/// `body` runs on the unit's own stack. It must not use units' primitives, which need a worker.
public func blocking<T, E: Error>(_ body: () throws(E) -> T) throws(E) -> T {
  let unit = Unit.current()
  let worker = unit.pointee.worker
  // Both are read before the section begins: afterwards the worker may be another thread's.
  let carrier = worker.pointee.carrier
  let word = enterBlocking(worker)
  defer { leaveBlocking(unit, worker, carrier, word) }
  return try body()
}

private func enterBlocking(_ worker: WorkerPointer) -> UInt64 {
  precondition(worker.pointee.blockingWord.load(ordering: .relaxed) == 0, "blocking { } inside of blocking { }")
  worker.pointee.counters.blockingCalls.add()
  worker.pointee.blockingEpoch &+= 1
  let word = worker.pointee.blockingEpoch << 1 | 1
  let core = worker.pointee.core  // read now: from the store on the worker may be another thread's
  // Release: the thread that may carry on with the worker sees everything this one did to it. Sequentially consistent,
  // with the load that follows: see the monitor's rest.
  worker.pointee.blockingWord.store(word, ordering: .sequentiallyConsistent)
  if core.pointee.monitorState.load(ordering: .sequentiallyConsistent) == MonitorState.resting { core.wakeMonitor() }
  return word
}

private func leaveBlocking(
  _ unit: UnitPointer, _ worker: WorkerPointer, _ carrier: CarrierPointer, _ word: UInt64
) {
  // Acquire-release: one of the two takes the worker, this thread or the monitor on behalf of another.
  if worker.pointee.blockingWord.compareExchange(expected: word, desired: 0, ordering: .acquiringAndReleasing).exchanged
  {
    return
  }
  // The worker went on without us. This thread's loop queues the unit, once it is off its stack.
  let handsOver = worker.pointee.handsOverAccesses
  carrier.pointee.returned = unit
  if handsOver { unit.leaveAccesses() }
  gt_switch_jump(unit.contextPointer, carrier.contextPointer)
  unit.pointee.worker.arrive()
  if handsOver { unit.returnAccesses() }
}
