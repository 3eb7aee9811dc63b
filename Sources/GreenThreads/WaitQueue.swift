// Units that wait for an object, first come first served. The nodes live on the units' own stacks.

import Synchronization

@usableFromInline typealias WaiterPointer = UnsafeMutablePointer<Waiter>

@usableFromInline
struct Waiter {
  @usableFromInline let unit: UnitPointer
  @usableFromInline var next: WaiterPointer?
  @usableFromInline var previous: WaiterPointer?
  @usableFromInline var isLinked = false
  /// Set by the waker that claimed the unit: what was waited for has been handed over.
  @usableFromInline var isGranted = false
  /// Where a channel's value goes to or comes from.
  @usableFromInline var payload: UnsafeMutableRawPointer?
  /// In a select: which case this is, and where to say that it was the one.
  @usableFromInline var choice: Int = 0
  @usableFromInline var chosen: UnsafeMutablePointer<Int>?

  @inlinable
  init(unit: UnitPointer, payload: UnsafeMutableRawPointer? = nil) {
    self.unit = unit
    self.payload = payload
  }
}

/// Guarded by its owner's lock.
@usableFromInline
struct WaitQueue {
  @usableFromInline var first: WaiterPointer?
  @usableFromInline var last: WaiterPointer?

  @inlinable init() {}

  @inlinable @inline(__always)
  mutating func append(_ waiter: WaiterPointer) {
    waiter.pointee.isLinked = true
    waiter.pointee.next = nil
    waiter.pointee.previous = last
    if let last { last.pointee.next = waiter } else { first = waiter }
    last = waiter
  }

  @inlinable @inline(__always)
  mutating func remove(_ waiter: WaiterPointer) {
    waiter.pointee.isLinked = false
    let next = waiter.pointee.next
    let previous = waiter.pointee.previous
    if let next { next.pointee.previous = previous } else { last = previous }
    if let previous { previous.pointee.next = next } else { first = next }
  }

  /// Removes the first waiter whose park could be ended, and grants it; the caller completes the transaction and makes
  /// the unit ready. Those before it were cancelled or timed out, and know it.
  @inlinable @inline(__always)
  mutating func grantFirst(solo: Bool) -> WaiterPointer? {
    while let waiter = first {
      remove(waiter)
      if waiter.pointee.unit.claim(.event, solo: solo) {
        waiter.pointee.isGranted = true
        if let chosen = waiter.pointee.chosen { chosen.pointee = waiter.pointee.choice }
        return waiter
      }
    }
    return nil
  }
}

/// The lock and the waiters of a primitive, in memory of their own, so that their address may be kept over a switch.
@usableFromInline
struct WaitState: ~Copyable {
  // The lock is not first: the thread sanitizer books a mutating call on a field at the address of the whole, and would
  // take it for a race with another thread's attempt to lock.
  @usableFromInline var waiters = WaitQueue()
  @usableFromInline let lock = SpinLock()
  @inlinable init() {}
}

@usableFromInline typealias WaitStatePointer = UnsafeMutablePointer<WaitState>

extension UnsafeMutablePointer where Pointee == WaitState {
  static func make() -> WaitStatePointer {
    let state = WaitStatePointer.allocate(capacity: 1)
    state.initialize(to: WaitState())
    return state
  }

  func destroy() {
    deinitialize(count: 1)
    deallocate()
  }

  /// Called with the lock held; releases it. Waits to be granted. Returns false after a spurious wake: try again.
  func wait(_ unit: UnitPointer, for what: StaticString, until: UInt64 = .max) throws -> Bool {
    guard unit.prepareToPark(solo: unit.pointee.worker.pointee.solo) else {
      pointee.lock.unlock(solo: unit.pointee.worker.pointee.solo)
      throw CancellationError()
    }
    var node = Waiter(unit: unit)
    return try withUnsafeMutablePointer(to: &node) { waiter in
      pointee.waiters.append(waiter)
      let solo = unit.pointee.worker.pointee.solo
      pointee.lock.unlock(solo: solo)
      let reason = unit.park(for: what, until: until)
      if waiter.pointee.isGranted { return true }
      pointee.lock.lock(solo: solo)
      if waiter.pointee.isLinked { pointee.waiters.remove(waiter) }
      pointee.lock.unlock(solo: solo)
      if reason != .event { throw reason.error }
      return false
    }
  }
}
