// Timers that call back.
//
// Their nodes lie beside those of waiting units in the worker's wheel. They come from a pool of the wheel's, one cache
// line each, which is what makes a million of them cheap: to cancel the oldest touches its line and a neighbour's, and
// the line serves the next one to be armed. A node never leaves its wheel, so whoever holds the wheel's lock knows
// whether a handle's timer is still armed by the number that each use of the node has; no handle can go stale.
//
// What is due at one look runs on one unit, started for it. Not in the timers' own look: that is made on the stack of a
// unit that is leaving it, where nothing may wait and little stack may be left.

import Glibc
import Synchronization

/// A call at some time in the future, unless it is cancelled before. Copies are the same timer.
public struct Timer: Sendable {
  // Sendable: the node is only touched under its wheel's lock, while its run lasts.
  private nonisolated(unsafe) let node: CallbackPointer
  private let use: UInt
  private let run: UInt64

  /// Calls `body` after `delay`, never earlier; at once, but not here, if that is not positive. Allocates nothing for a
  /// `body` that captures nothing or one reference.
  ///
  /// `body` runs on a unit of its own on some worker, so it may do what any unit may: lock, send, spawn, cancel. What
  /// is due at the same time shares that unit and runs in turn, earliest first: one that waits keeps the others waiting,
  /// so let it spawn a unit for what takes long.
  ///
  /// A timer keeps no run alive. What is still armed when the last unit has ended is discarded.
  @discardableResult
  public init(after delay: Duration, _ body: consuming @escaping @Sendable () -> Void) {
    let unit = Unit.current()
    unit.pointee.worker.explore(unit)
    self.init(unit.pointee.worker, unit.deadline(after: delay), body)
  }

  /// Calls `body` when the scheduler's clock, `Scheduler.nowNanoseconds`, reaches `nanoseconds`.
  @discardableResult
  public init(at nanoseconds: UInt64, _ body: consuming @escaping @Sendable () -> Void) {
    let unit = Unit.current()
    unit.pointee.worker.explore(unit)
    self.init(unit.pointee.worker, nanoseconds, body)
  }

  @inline(__always)
  private init(_ worker: WorkerPointer, _ deadline: UInt64, _ body: consuming @escaping @Sendable () -> Void) {
    worker.pointee.counters.timersArmed.add()
    (node, use) = worker.pointee.timers.armCallback(deadline, body, solo: worker.pointee.solo)
    run = worker.pointee.core.pointee.run
  }

  /// True: the timer was armed, and its body will not be called. False: it has been called or is about to be, or the
  /// timer was cancelled before, or its run is over. From any unit, on any worker: of a cancellation and a firing that
  /// race, and of two cancellations, exactly one comes first.
  @discardableResult
  public func cancel() -> Bool {
    let unit = Unit.current()
    unit.pointee.worker.explore(unit)
    let worker = unit.pointee.worker
    guard run == worker.pointee.core.pointee.run else { return false }
    // The wheel of a callback's node never changes, so it can be read without its lock.
    let wheel = node.pointee.node.wheel.unsafelyUnwrapped
    return wheel.cancelCallback(node, use, solo: worker.pointee.solo)
  }
}

typealias CallbackPointer = UnsafeMutablePointer<Callback>

struct Callback {
  /// First: a pointer to either is a pointer to both.
  var node: TimerNode
  /// Nil when the node is not in use.
  var body: Body?

  /// A closure by itself would be stored as one of any type, in a box.
  struct Body { let run: @Sendable () -> Void }

  static var chunk: Int { 256 }
}

extension UnsafeMutablePointer where Pointee == Callback {
  var timer: TimerPointer { UnsafeMutableRawPointer(self).assumingMemoryBound(to: TimerNode.self) }
}

extension UnsafeMutablePointer where Pointee == TimerNode {
  /// Of a node that is a callback's.
  var callback: CallbackPointer { UnsafeMutableRawPointer(self).assumingMemoryBound(to: Callback.self) }
}

extension UnsafeMutablePointer where Pointee == TimerWheel {
  @inline(__always)
  fileprivate func armCallback(
    _ deadline: UInt64, _ body: consuming @escaping @Sendable () -> Void, solo: Bool
  ) -> (CallbackPointer, use: UInt) {
    pointee.lock.lock(solo: solo)
    if pointee.freeCallbacks == nil { addCallbacks() }
    let callback = pointee.freeCallbacks.unsafelyUnwrapped
    pointee.freeCallbacks = callback.pointee.node.next?.callback
    callback.pointee.body = Callback.Body(run: body)
    callback.pointee.node.deadline = deadline
    let use = callback.pointee.node.owner
    pointee.insert(callback.timer)
    pointee.lock.unlock(solo: solo)
    return (callback, use)
  }

  fileprivate func cancelCallback(_ callback: CallbackPointer, _ use: UInt, solo: Bool) -> Bool {
    pointee.lock.lock(solo: solo)
    guard callback.pointee.node.owner == use else {
      pointee.lock.unlock(solo: solo)
      return false
    }
    pointee.remove(callback.timer)
    callback.pointee.node.owner &+= 2
    let body = callback.pointee.body.take()
    free(callback)
    pointee.lock.unlock(solo: solo)
    // What it captured may end here, and do anything: not under the lock.
    _ = consume body
    return true
  }

  /// Takes the body out of a callback that has come due. The node is free from then on.
  fileprivate func takeBody(_ callback: CallbackPointer, solo: Bool) -> Callback.Body {
    pointee.lock.lock(solo: solo)
    defer { pointee.lock.unlock(solo: solo) }
    let body = callback.pointee.body.take().unsafelyUnwrapped
    free(callback)
    return body
  }

  /// Arms due callbacks once more.
  fileprivate func postpone(_ first: CallbackPointer, to deadline: UInt64, solo: Bool) {
    pointee.lock.lock(solo: solo)
    var rover: CallbackPointer? = first
    while let callback = rover {
      rover = callback.pointee.node.next?.callback
      callback.pointee.node.deadline = deadline
      pointee.insert(callback.timer)
    }
    pointee.lock.unlock(solo: solo)
  }

  private func free(_ callback: CallbackPointer) {
    callback.pointee.node.next = pointee.freeCallbacks?.timer
    pointee.freeCallbacks = callback
  }

  /// Kept until the run ends: as many as were ever armed at once.
  private func addCallbacks() {
    let chunk = UnsafeMutableRawPointer.allocate(
      byteCount: MemoryLayout<Callback>.stride * Callback.chunk, alignment: 64
    ).bindMemory(to: Callback.self, capacity: Callback.chunk)
    for i in (0..<Callback.chunk).reversed() {
      (chunk + i).initialize(to: Callback(node: TimerNode(wheel: self)))
      free(chunk + i)
    }
    pointee.callbackChunks.append(chunk)
  }
}

extension TimerWheel {
  /// With the bodies of what is still armed.
  func destroyCallbacks() {
    for chunk in callbackChunks {
      chunk.deinitialize(count: Callback.chunk)
      UnsafeMutableRawPointer(chunk).deallocate()
    }
  }
}

extension UnsafeMutablePointer where Pointee == Worker {
  /// Starts the unit that runs due callbacks. Without a stack for it they come due again a little later.
  func start(_ callbacks: CallbackPointer) {
    guard let unit = try? makeUnit(.small) else {
      let wheel = callbacks.pointee.node.wheel.unsafelyUnwrapped
      return wheel.postpone(callbacks, to: pointee.core.now() &+ 1_000_000, solo: pointee.solo)
    }
    unit.setName("timers")
    unit.setBody { unit.run(callbacks) }
    unit.pointee.joinWord.store(JoinWord.detached, ordering: .relaxed)
    pointee.counters.unitsStarted.add()
    pushReady(unit)
  }
}

extension UnsafeMutablePointer where Pointee == Unit {
  fileprivate func run(_ first: CallbackPointer) {
    var rover: CallbackPointer? = first
    while let callback = rover {
      rover = callback.pointee.node.next?.callback
      let body = callback.pointee.node.wheel.unsafelyUnwrapped.takeBody(
        callback, solo: pointee.worker.pointee.solo)
      body.run()
      // Cannot throw: this unit has no deadline.
      if pointee.worker.pointee.turnIsOver.load(ordering: .relaxed) { try? endTurn() }
    }
  }
}
