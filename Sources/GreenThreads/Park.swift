// Waiting: what every primitive has in common.

import Synchronization

/// The deadline of the unit, of an enclosing scope, or of the call itself has passed.
public struct DeadlineExceeded: Error, Equatable, CustomStringConvertible {
  public init() {}
  public var description: String { "the deadline has passed" }
}

extension WakeReason {
  @usableFromInline
  var error: any Error {
    self == .timeout ? DeadlineExceeded() : CancellationError()
  }
}

extension UnsafeMutablePointer where Pointee == Unit {
  /// Parks the current unit, which has called `prepareToPark` and has published itself to its wakers, until one of them
  /// claims it, it is cancelled, or `until` (or the unit's own deadline) passes. May return `.event` without cause.
  @inlinable @inline(__always)
  func park(for what: StaticString, until: UInt64 = .max) -> WakeReason {
    pointee.waitingFor = UnsafeRawPointer(what.utf8Start).assumingMemoryBound(to: CChar.self)
    let worker = pointee.worker
    worker.pointee.counters.parks.add()
    let limit = Swift.min(until, pointee.deadline)
    if limit == .max {
      worker.leave(self)
      return pointee.wakeReason
    }
    return parkWithTimer(limit)
  }

  @usableFromInline @inline(never)
  func parkWithTimer(_ limit: UInt64) -> WakeReason {
    var node = TimerNode(deadline: limit, unit: self)
    withUnsafeMutablePointer(to: &node) { timer in
      let worker = pointee.worker
      let wheel = worker.pointee.timers
      worker.pointee.counters.timersArmed.add()
      wheel.arm(timer, solo: worker.pointee.solo)
      worker.leave(self)
      // After a timeout the wheel has let go of the node: it removes before it claims.
      if pointee.wakeReason != .timeout { wheel.cancel(timer, solo: worker.pointee.solo) }
    }
    return pointee.wakeReason
  }

  /// Takes `prepareToPark` back. If somebody has claimed this unit meanwhile, it is being queued, and takes that turn.
  @usableFromInline @inline(never)
  func unprepare(solo: Bool) {
    if !claim(.event, solo: solo) { pointee.worker.leave(self) }
  }

  /// The absolute time a timeout from now ends.
  @usableFromInline
  func deadline(after timeout: Duration?) -> UInt64 {
    guard let timeout else { return .max }
    let nanoseconds = timeout.wholeNanoseconds
    guard nanoseconds > 0 else { return 0 }
    let (sum, overflow) = pointee.worker.pointee.core.now().addingReportingOverflow(nanoseconds)
    return overflow ? .max : sum
  }
}

extension Duration {
  /// Rounded up; 0 for negative ones, and saturating after 584 years.
  @usableFromInline
  var wholeNanoseconds: UInt64 {
    let attoseconds = self.attoseconds
    guard attoseconds > 0 else { return 0 }
    // One division of the processor's, where `components` makes several of 128 bits.
    let high = UInt64(truncatingIfNeeded: attoseconds >> 64)
    guard high < 1_000_000_000 else { return .max }
    let (quotient, remainder) = (1_000_000_000 as UInt64).dividingFullWidth(
      (high, UInt64(truncatingIfNeeded: attoseconds)))
    return remainder == 0 || quotient == .max ? quotient : quotient + 1
  }
}

/// Lets other units run first: this one goes behind all that are ready.
@inlinable
public func yield() {
  let unit = Unit.current()
  unit.pointee.worker.yieldUnit(unit)
}

/// A place in a long computation where the unit may be stopped or made to wait its turn. Costs a nanosecond or two.
/// Throws `CancellationError`, or `DeadlineExceeded` (noticed when the unit's turn is over, every 10 ms or so). In a
/// seeded run others may get a turn at each.
@inlinable
public func checkpoint() throws {
  let unit = Unit.current()
  unit.pointee.worker.explore(unit)
  if unit.isCancelled { throw CancellationError() }
  if unit.pointee.worker.pointee.turnIsOver.load(ordering: .relaxed) { try unit.endTurn() }
}

extension UnsafeMutablePointer where Pointee == Unit {
  @usableFromInline @inline(never)
  func endTurn() throws {
    pointee.worker.pointee.turnIsOver.store(false, ordering: .relaxed)
    pointee.worker.yieldUnit(self)
    if pointee.deadline != .max, pointee.worker.pointee.core.now() >= pointee.deadline { throw DeadlineExceeded() }
  }
}

/// Waits. Throws `CancellationError`, or `DeadlineExceeded` if the unit's deadline comes first.
public func sleep(for duration: Duration) throws {
  let unit = Unit.current()
  let end = unit.deadline(after: duration)
  while true {
    guard unit.prepareToPark(solo: unit.pointee.worker.pointee.solo) else { throw CancellationError() }
    let reason = unit.park(for: "a sleep", until: end)
    if reason == .cancelled { throw CancellationError() }
    if reason == .timeout {
      if unit.pointee.deadline < end { throw DeadlineExceeded() }
      return
    }
  }
}

/// Whether the current unit was asked to stop.
public var isCancelled: Bool { Unit.current().isCancelled }

/// Runs `body` as if the unit were not cancelled and had no deadline: for what must be cleaned up or answered.
public func shielded<T, E: Error>(_ body: () throws(E) -> T) throws(E) -> T {
  let unit = Unit.current()
  let deadline = unit.pointee.deadline
  unit.pointee.shieldDepth += 1
  unit.pointee.deadline = .max
  defer {
    unit.pointee.shieldDepth -= 1
    unit.pointee.deadline = deadline
  }
  return try body()
}

/// Runs `body` with a deadline, which holds for every wait in it, and for the units it starts.
public func withDeadline<T>(_ timeout: Duration, _ body: () throws -> T) throws -> T {
  let unit = Unit.current()
  let outer = unit.pointee.deadline
  unit.pointee.deadline = min(outer, unit.deadline(after: timeout))
  defer { unit.pointee.deadline = outer }
  return try body()
}
