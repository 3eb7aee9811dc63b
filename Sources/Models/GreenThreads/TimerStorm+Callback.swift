// timer-storm's variant `callback` with green threads. Idiom: GreenThreads.Timer, for a timeout that has no unit to
// wait for it. No unit is switched to: a slot costs its object and the timer's node, a cache line each.
//
// A timer's `cancel` says whether it came in time, so that nothing else needs to decide that. A slot's mutex keeps the
// timer's name from being read while a callback that has just fired replaces it. A callback captures its slot and
// nothing else: that is what a timer keeps without an allocation.

import GreenThreads
import ModelKit
import Synchronization
import Workloads

final class TimerStormCallbacks: Sendable {
  private let storm: Storm
  private let slots: [Slot]
  /// Timers that had fired when their slot was closed, and whose callbacks were still to come.
  private let late = WaitGroup()

  static func run(_ session: Session) throws {
    let parameters = try session.parameters(TimerStorm.Parameters.init)
    try Limits.admit(units: parameters.outstanding, bytes: parameters.outstanding * 512)
    try session.ready()
    let window = try session.awaitBegin()
    try session.onUnits { try TimerStormCallbacks(Storm(parameters, session)).run(session, window) }
  }

  private init(_ storm: Storm) {
    self.storm = storm
    let late = late
    slots = (0..<storm.parameters.outstanding).map { Slot($0, storm, late) }
  }

  private func run(_ session: Session, _ begun: Window) throws {
    for slot in slots {
      try slot.start()
      try checkpoint()
    }
    storm.slotsArmedAtStart.store(slots.count { $0.armed.value > 0 }, ordering: .relaxed)
    let operations = try storm.conduct(
      session, begun, ledger: { ledger }, cancel: { try self.slots[$0].cancel() },
      cancelAll: { try self.cancelAll($0) })
    for slot in slots {
      try slot.close()
      try checkpoint()
    }
    try late.wait()
    try session.finish(
      ledger, InProcessResult(operations: operations, latencies: storm.recorders?.merged() ?? [:]))
  }

  /// A canceller's unit.
  private func cancelAll(_ number: Int) throws {
    let canceller = storm.cancellers[number]
    var slot = number
    var tried = 0
    while !storm.stopping.load(ordering: .relaxed) {
      canceller.pointee.tried.grow()
      if try slots[slot].cancel() { canceller.pointee.cancelled.grow() }
      slot += storm.cancellers.count
      if slot >= slots.count { slot = number }
      tried += 1
      if tried % TimerStorm.batch == 0 { yield() }
    }
  }

  private var ledger: Ledger {
    storm.ledger(
      armed: slots.reduce(0) { $0 + $1.armed.value },
      armedChecksum: slots.reduce(0) { $0 &+ $1.armedChecksum.value },
      endedChecksum: slots.reduce(0) { $0 &+ $1.endedChecksum.value })
  }
}

/// A timer and the one after it. Unchecked: what varies is only touched under `mutex`, and the counts, which anybody
/// may read, are only written under it.
private final class Slot: @unchecked Sendable {
  let armed = Atomic(0)
  let armedChecksum = Atomic(0)
  let endedChecksum = Atomic(0)
  private let index: Int
  private let storm: Storm
  private let late: WaitGroup
  private let mutex = GreenThreads.Mutex()
  private var timer: Timer?
  private var round = 0
  private var deadline: UInt64 = 0
  private var isClosed = false

  init(_ index: Int, _ storm: Storm, _ late: WaitGroup) {
    self.index = index
    self.storm = storm
    self.late = late
  }

  func start() throws { try mutex.withLock { arm(at: monotonicNanoseconds()) } }

  /// Ends the timer, if it is not about to fire, and arms the next.
  func cancel() throws -> Bool {
    try mutex.withLock {
      guard timer?.cancel() == true else { return false }
      end()
      arm(at: monotonicNanoseconds())
      return true
    }
  }

  /// Ends the timer and lets no other be armed.
  func close() throws {
    try mutex.withLock {
      isClosed = true
      if timer?.cancel() == true {
        end()
        storm.left.count()
      } else {
        late.add()
      }
    }
  }

  /// The timer's callback.
  private func fire() {
    let now = monotonicNanoseconds()
    // Cannot throw: nobody cancels the unit that callbacks run on, and it has no deadline.
    try! mutex.withLock {
      try storm.fired(slot: index, at: now, deadline: deadline)
      end()
      if isClosed { late.done() } else { arm(at: now) }
    }
  }

  // MARK: With the mutex held

  private func arm(at now: UInt64) {
    deadline = now + storm.schedule.delay(slot: index, round: round)
    armed.grow()
    armedChecksum.grow(by: TimerStorm.token(slot: index, round: round))
    timer = Timer(at: deadline) { self.fire() }
  }

  private func end() {
    endedChecksum.grow(by: TimerStorm.token(slot: index, round: round))
    round += 1
  }
}
