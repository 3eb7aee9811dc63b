// Starting units and waiting for them to end.

import CContextSwitch
import Glibc
import Synchronization

/// Starts a unit that runs `body`, and returns a handle for its result. The caller goes on.
///
/// The unit inherits the caller's deadline. Dropping the handle detaches the unit: it runs to its end, which
/// `Scheduler.run` still waits for, and its result is discarded.
///
/// Throws `SchedulerError.unitsExhausted` when there is no stack for another unit.
// Always inlined: across a call, `body` is retained and released twice more, 20 ns of a spawn's 110.
@inlinable @inline(__always)
public func spawn<T: Sendable>(
  name: StaticString? = nil, stack: StackClass = .small, _ body: consuming sending @escaping () throws -> T
) throws(SchedulerError) -> JoinHandle<T> {
  let parent = Unit.current()
  let worker = parent.pointee.worker
  let unit = try worker.makeUnit(stack)
  unit.pointee.deadline = parent.pointee.deadline
  if let name { unit.setName(name) }
  unit.setBody(consume body)
  worker.explore(parent)
  parent.pointee.worker.start(unit)
  return JoinHandle(unit: unit)
}

/// The right to a unit's result, which is its caller's to use once.
@frozen
public struct JoinHandle<T: Sendable>: ~Copyable, @unchecked Sendable {
  // Unchecked: the unit's block stays valid until the handle is consumed, and its join word orders the result.
  @usableFromInline let unit: UnitPointer

  @inlinable
  init(unit: UnitPointer) { self.unit = unit }

  /// Waits until the unit has ended, and returns what it returned or throws what it threw. Throws `CancellationError`
  /// or `DeadlineExceeded` if the waiting unit was cancelled or ran out of time; the other one is then detached.
  @inlinable
  public consuming func join() throws -> T {
    let unit = self.unit
    discard self
    let joiner = Unit.current()
    if !unit.isDone { try joiner.awaitEnd(of: unit) }
    let error = unit.pointee.error
    if let error {
      unit.pointee.error = nil
      joiner.pointee.worker.release(unit)
      throw error
    }
    let value: T = unit.takeResult()
    joiner.pointee.worker.release(unit)
    return value
  }

  /// Asks the unit to stop: its current wait, and each one after it, throws `CancellationError`.
  public borrowing func cancel() { Unit.current().pointee.worker.cancel(unit) }

  /// Lets the unit run on without anybody to wait for it.
  @inlinable
  public consuming func detach() {
    let unit = self.unit
    discard self
    unit.detach()
  }

  @inlinable
  deinit { unit.detach() }
}

/// Handles of many units, joined in the order in which they were started. Holds any number of them without allocating.
public struct JoinSet<T: Sendable>: ~Copyable {
  @usableFromInline var first: UnitPointer?
  @usableFromInline var last: UnitPointer?
  /// Units not joined yet.
  public private(set) var count = 0

  public init() {}

  @inlinable
  public mutating func append(_ handle: consuming JoinHandle<T>) {
    let unit = handle.take()
    unit.pointee.nextJoined = nil
    if let last { last.pointee.nextJoined = unit } else { first = unit }
    last = unit
    grow(1)
  }

  @usableFromInline mutating func grow(_ n: Int) { count += n }

  /// Starts a unit and adds it.
  @inlinable @inline(__always)
  public mutating func spawn(
    name: StaticString? = nil, stack: StackClass = .small, _ body: sending @escaping () throws -> T
  ) throws(SchedulerError) {
    append(try GreenThreads.spawn(name: name, stack: stack, body))
  }

  /// The result of the oldest unit, or nil when there is none left.
  @inlinable
  public mutating func joinNext() throws -> T? {
    guard let unit = first else { return nil }
    first = unit.pointee.nextJoined
    if first == nil { last = nil }
    grow(-1)
    return try JoinHandle<T>(unit: unit).join()
  }

  @inlinable
  deinit {
    var rover = first
    while let unit = rover {
      rover = unit.pointee.nextJoined
      unit.detach()
    }
  }
}

extension JoinHandle {
  @inlinable
  consuming func take() -> UnitPointer {
    let unit = self.unit
    discard self
    return unit
  }
}

// MARK: Beginning

extension UnsafeMutablePointer where Pointee == Worker {
  /// A unit that only lacks its body.
  @inlinable @inline(__always)
  func makeUnit(_ stackClass: StackClass) throws(SchedulerError) -> UnitPointer {
    guard let unit = takeStack(stackClass) else { throw exhausted() }
    unit.pointee.label = gt_label(id: pointee.nextUnitID, name: nil)
    pointee.nextUnitID &+= UInt64(pointee.core.pointee.workerCount)
    unit.pointee.parkWord.store(0, ordering: .relaxed)
    unit.pointee.joinWord.store(JoinWord.running, ordering: .relaxed)
    unit.pointee.deadline = .max
    unit.pointee.waitingFor = nil
    unit.pointee.live = true
    if gt_sanitizer() != 0 { unit.announceContext() }
    gt_context_make(unit.contextPointer, unit, { beginUnit($0.unsafelyUnwrapped) }, unit)
    return unit
  }

  @usableFromInline @inline(never)
  func exhausted() -> SchedulerError {
    .unitsExhausted(limit: pointee.core.pointee.configuration.maximumUnits)
  }

  @inlinable @inline(__always)
  func start(_ unit: UnitPointer) {
    pointee.counters.unitsStarted.add()
    pushFresh(unit)
  }
}

extension UnsafeMutablePointer where Pointee == Unit {
  @inlinable @inline(__always)
  func setName(_ name: StaticString) {
    if name.hasPointerRepresentation {
      pointee.label.name = UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self)
    }
  }

  /// Stores the closure in the block as it is, and beside it a function that knows its type. The latter captures
  /// nothing, so that the closure's own context is all that a spawn allocates.
  @inlinable @inline(__always)
  func setBody<T>(_ body: consuming @escaping () throws -> T) {
    bodyPointer(T.self).initialize(to: Body(run: consume body))
    pointee.invoke = { unit, discards in
      if discards { unit.dropResult(T.self) } else { unit.runBody(T.self) }
    }
  }

  @inlinable @inline(__always)
  func bodyPointer<T>(_: T.Type) -> UnsafeMutablePointer<Body<T>> {
    withUnsafeMutablePointer(to: &pointee.body) {
      UnsafeMutableRawPointer($0).assumingMemoryBound(to: Body<T>.self)
    }
  }

  @inlinable
  func runBody<T>(_: T.Type) {
    let body = bodyPointer(T.self).move()
    do {
      storeResult(try body.run())
    } catch {
      pointee.error = error
    }
  }

  func dropBody() { bodyPointer(Void.self).deinitialize(count: 1) }

  // MARK: Results

  @inlinable @inline(__always)
  static func isInline<T>(_: T.Type) -> Bool {
    MemoryLayout<T>.size <= 32 && MemoryLayout<T>.alignment <= 8
  }

  @inlinable @inline(__always)
  var resultPointer: UnsafeMutableRawPointer {
    withUnsafeMutablePointer(to: &pointee.result) { UnsafeMutableRawPointer($0) }
  }

  @inlinable @inline(__always)
  func storeResult<T>(_ value: consuming T) {
    if Self.isInline(T.self) {
      resultPointer.assumingMemoryBound(to: T.self).initialize(to: value)
    } else {
      let box = UnsafeMutablePointer<T>.allocate(capacity: 1)
      box.initialize(to: value)
      pointee.result.0 = UInt(bitPattern: box)
    }
  }

  @inlinable @inline(__always)
  func takeResult<T>() -> T {
    if Self.isInline(T.self) { return resultPointer.assumingMemoryBound(to: T.self).move() }
    let box = UnsafeMutablePointer<T>(bitPattern: pointee.result.0).unsafelyUnwrapped
    let value = box.move()
    box.deallocate()
    return value
  }

  @inlinable
  func dropResult<T>(_: T.Type) {
    if pointee.error == nil { _ = takeResult() as T } else { pointee.error = nil }
  }

  // MARK: Ending

  /// Acquire: sees the result, stored before the release of `done`.
  @inlinable @inline(__always)
  var isDone: Bool { pointee.joinWord.load(ordering: .acquiring) == JoinWord.done }

  /// Waits for `unit`; this one is current. When the wait is given up the other is detached.
  @usableFromInline @inline(never)
  func awaitEnd(of unit: UnitPointer) throws {
    while true {
      let solo = pointee.worker.pointee.solo
      guard prepareToPark(solo: solo) else {
        unit.detach()
        throw CancellationError()
      }
      if solo {
        unit.pointee.joinWord.store(UInt(bitPattern: self), ordering: .relaxed)
      } else {
        // Release: publishes the park. Acquire on failure: the result.
        let published = unit.pointee.joinWord.compareExchange(
          expected: JoinWord.running, desired: UInt(bitPattern: self), ordering: .acquiringAndReleasing
        ).exchanged
        guard published else { return unprepare(solo: solo) }
      }
      let reason = park(for: "the end of a unit")
      if unit.isDone { return }
      // Withdraw, detaching the unit unless the wake was spurious. If that fails it has ended meanwhile.
      let withdrawn = unit.pointee.joinWord.compareExchange(
        expected: UInt(bitPattern: self), desired: reason == .event ? JoinWord.running : JoinWord.detached,
        ordering: .acquiringAndReleasing
      ).exchanged
      guard withdrawn else { return }
      if reason != .event { throw reason.error }
    }
  }

  /// Gives up the handle's claim on this unit.
  @usableFromInline @inline(never)
  func detach() {
    // Release: the unit, when it ends, may reuse the block; acquire on failure: the result, to destroy it.
    let running = pointee.joinWord.compareExchange(
      expected: JoinWord.running, desired: JoinWord.detached, ordering: .acquiringAndReleasing
    ).exchanged
    if running { return }
    pointee.invoke(self, true)
    Unit.current().pointee.worker.release(self)
  }
}

extension UnsafeMutablePointer where Pointee == Worker {
  /// Takes back the stack of a unit that has stored its result and may still be leaving.
  @inlinable @inline(__always)
  func release(_ unit: UnitPointer) {
    // Acquire: see `arrive`.
    if !pointee.solo, unit.pointee.onProcessor.load(ordering: .acquiring) != 0 { waitForDeparture(unit) }
    recycle(unit)
  }

  @usableFromInline @inline(never)
  func waitForDeparture(_ unit: UnitPointer) {
    var spins = 0
    while unit.pointee.onProcessor.load(ordering: .acquiring) != 0 {
      spins += 1
      if spins < 1000 { gt_pause() } else { sched_yield() }
    }
  }

  func cancel(_ unit: UnitPointer) {
    if unit.markCancelled() { makeReady(unit) }
  }
}

/// A closure with the type that its result has, to be stored where only the unit's own code looks.
@usableFromInline
struct Body<T>: ~Copyable {
  @usableFromInline let run: () throws -> T

  @inlinable
  init(run: consuming @escaping () throws -> T) { self.run = run }
}

/// The first frame of every unit. Returns the context to go on with.
@usableFromInline
func beginUnit(_ block: UnsafeMutableRawPointer) -> UnsafeMutablePointer<gt_context> {
  let unit = block.assumingMemoryBound(to: Unit.self)
  unit.pointee.worker.arrive()
  unit.pointee.invoke(unit, false)
  return endUnit(unit)
}

private func endUnit(_ unit: UnitPointer) -> UnsafeMutablePointer<gt_context> {
  if unit.pointee.locals != nil { unit.destroyLocals() }
  if let scope = unit.pointee.scope {
    unit.pointee.scope = nil
    scope.takeUnretainedValue().childEnded(unit)
  }
  let worker = unit.pointee.worker
  worker.pointee.counters.unitsFinished.add()
  let waiting: UInt
  if worker.pointee.solo {
    waiting = unit.pointee.joinWord.load(ordering: .relaxed)
    unit.pointee.joinWord.store(JoinWord.done, ordering: .relaxed)
  } else {
    // Release: publishes the result. Acquire: the park of the unit that waits.
    waiting = unit.pointee.joinWord.exchange(JoinWord.done, ordering: .acquiringAndReleasing)
  }
  if waiting == JoinWord.detached {
    unit.pointee.invoke(unit, true)
    return worker.leaveForGood(unit, detached: true)
  }
  if let joiner = UnitPointer(bitPattern: waiting), joiner.claim(.event, solo: worker.pointee.solo) {
    worker.makeReady(joiner)
  }
  return worker.leaveForGood(unit, detached: false)
}
