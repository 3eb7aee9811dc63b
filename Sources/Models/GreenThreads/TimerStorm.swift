// timer-storm with green threads. Idiom: a unit a slot, which waits on a semaphore with a timeout, as one waits for an
// answer: a permit is the cancel, and `DeadlineExceeded` the timer. The variant `callback` is in
// TimerStorm+Callback.swift.
//
// The node of a unit's timer lies on the unit's own stack, so that to arm allocates nothing; a cancel unlinks it and
// makes the unit ready, which is a switch. What a slot costs is therefore cache lines: its row here, the semaphore's,
// the page at the top of its stack, and the neighbours of its node in the wheel. With a million slots all of them miss.
//
// A semaphore does not say who came first, so that a word of the slot decides it: whoever takes it from armed to ended
// owns the timer's end. A unit that ran out of time and finds a cancel to have been faster takes the permit that comes
// with it. (A permit may come between the unit's word and its wait, on another worker: then the wait ends at once.)

import GreenThreads
import ModelKit
import Synchronization
import Workloads

final class TimerStormTrial: Sendable {
  private struct Slot: ~Copyable {
    /// Twice the round of the slot's timer, + 1 while it is armed; or `closed`. Acquire and release in every exchange:
    /// who takes the timer sees what its unit counted before, and who finds it taken what the taker did before.
    let word = Atomic(0)
    /// The round that a cancel has claimed last; written by who owns the timer's end, before the permit.
    let claimed = Atomic(-1)
    let armed = Atomic(0), armedChecksum = Atomic(0), endedChecksum = Atomic(0)
    let permit = Semaphore(permits: 0)

    /// No timer may be armed any more.
    static let closed = -1

    borrowing func take(_ expected: Int) -> Bool {
      word.compareExchange(expected: expected, desired: expected + 1, ordering: .acquiringAndReleasing).exchanged
    }
  }

  private let storm: Storm
  private let slots: Rows<Slot>
  /// Units that have not armed their first timer.
  private let unarmed = WaitGroup()
  /// Of each canceller's batch: the slots that are not armed again.
  private let batches: [WaitGroup]

  static func run(_ session: Session) throws {
    if session.request.variant == "callback" { return try TimerStormCallbacks.run(session) }
    let parameters = try session.parameters(TimerStorm.Parameters.init)
    try Limits.admit(units: parameters.outstanding, bytes: parameters.outstanding * (Session.bytesPerUnit + 512))
    try session.ready()
    let window = try session.awaitBegin()
    try session.onUnits { try TimerStormTrial(Storm(parameters, session)).run(session, window) }
  }

  private init(_ storm: Storm) {
    self.storm = storm
    slots = Rows(count: storm.parameters.outstanding) { _ in Slot() }
    batches = (0..<storm.cancellers.count).map { _ in WaitGroup() }
  }

  private func run(_ session: Session, _ begun: Window) throws {
    let operations = try withScope { scope in
      defer { close() }
      unarmed.add(slots.count)
      for slot in 0..<slots.count {
        try scope.spawn(name: "slot") { try self.wait(in: slot) }
        // A unit that has just been started has its page in the cache.
        if slot % 64 == 63 { yield() }
      }
      try unarmed.wait()
      storm.slotsArmedAtStart.store(slots.sum { $0.armed.value > 0 ? 1 : 0 }, ordering: .relaxed)
      return try storm.conduct(
        session, begun, ledger: { ledger }, cancel: { self.cancel($0) }, cancelAll: { try self.cancelBatches($0) })
    }
    try session.finish(
      ledger, InProcessResult(operations: operations, latencies: storm.recorders?.merged() ?? [:]))
  }

  /// A slot's unit.
  private func wait(in index: Int) throws {
    let slot = slots[index]
    let shard = storm.shards[index % storm.shards.count]
    shard.pointee.started.count()
    var now = monotonicNanoseconds()
    var round = 0
    while true {
      let delay = storm.schedule.delay(slot: index, round: round)
      let token = TimerStorm.token(slot: index, round: round)
      // Fails where the slot has been closed.
      guard slot.pointee.take(2 * round) else { break }
      slot.pointee.armed.grow()
      slot.pointee.armedChecksum.grow(by: token)
      if round == 0 {
        unarmed.done()
      } else if !storm.isPaced, slot.pointee.claimed.value == round - 1 {
        batches[index % batches.count].done()
      }
      do {
        try slot.pointee.permit.acquire(timeout: .nanoseconds(Int64(delay)))
        now = monotonicNanoseconds()
      } catch is DeadlineExceeded {
        let deadline = now + delay
        now = monotonicNanoseconds()
        if slot.pointee.take(2 * round + 1) {
          if slot.pointee.claimed.value == round { shard.pointee.afterCancel.count() }
          try storm.fired(slot: index, at: now, deadline: deadline)
        } else {
          try slot.pointee.permit.acquire()
        }
      }
      slot.pointee.endedChecksum.grow(by: token)
      // The next round's word is twice its number, which is what both takers have left behind.
      round += 1
    }
    shard.pointee.finished.count()
  }

  // MARK: Cancelling

  /// Ends the slot's timer, if it has one.
  private func cancel(_ index: Int) -> Bool {
    let slot = slots[index]
    let word = slot.pointee.word.load(ordering: .acquiring)
    guard word & 1 == 1, slot.pointee.take(word) else { return false }
    slot.pointee.claimed.store(word / 2, ordering: .relaxed)
    slot.pointee.permit.release()
    return true
  }

  /// A canceller's unit.
  private func cancelBatches(_ number: Int) throws {
    let canceller = storm.cancellers[number]
    let batch = batches[number]
    let own = storm.slots(ofCanceller: number)
    var position = 0
    while !storm.stopping.load(ordering: .relaxed) {
      let end = min(position + TimerStorm.batch, own)
      batch.add(end - position)
      for position in position..<end {
        canceller.pointee.tried.grow()
        if cancel(number + position * batches.count) {
          canceller.pointee.cancelled.grow()
        } else {
          batch.done()
        }
      }
      try batch.wait()
      position = end == own ? 0 : end
    }
  }

  /// Ends what is still armed, and lets nothing be armed any more.
  private func close() {
    for index in 0..<slots.count {
      let slot = slots[index]
      let word = slot.pointee.word.exchange(Slot.closed, ordering: .acquiringAndReleasing)
      guard word & 1 == 1 else { continue }
      storm.left.count()
      slot.pointee.permit.release()
      // Those that have just been woken end now, and not after all of the others.
      if index % 64 == 63 { yield() }
    }
  }

  private var ledger: Ledger {
    storm.ledger(
      armed: slots.sum { $0.armed.value }, armedChecksum: slots.sum { $0.armedChecksum.value },
      endedChecksum: slots.sum { $0.endedChecksum.value })
  }
}
