// Waiting for a change of what a mutex guards.

/// A place to wait, with a mutex unlocked, until another unit says that something has changed.
public final class Condition: @unchecked Sendable {
  // Unchecked: the waiters change only under the state's lock.
  private let state = WaitStatePointer.make()

  public init() {}

  deinit { state.destroy() }

  /// Unlocks `mutex`, waits for a signal, and locks `mutex` again, also before it throws. As with every condition, the
  /// caller waits in a loop around what it waits for.
  public func wait(_ mutex: Mutex, timeout: Duration? = nil) throws {
    let unit = Unit.current()
    let end = unit.deadline(after: timeout)
    state.pointee.lock.lock(solo: unit.pointee.worker.pointee.solo)
    // Signals take the state's lock, so none can come between the unlock and the wait.
    mutex.unlock()
    defer {
      // Shielded: cannot throw.
      shielded { try! mutex.lock() }
    }
    _ = try state.wait(unit, for: "a condition", until: end)
  }

  /// Wakes the unit that has waited longest, if any waits.
  public func signal() {
    let worker = Unit.current().pointee.worker
    let solo = worker.pointee.solo
    state.pointee.lock.lock(solo: solo)
    let granted = state.pointee.waiters.grantFirst(solo: solo)?.pointee.unit
    state.pointee.lock.unlock(solo: solo)
    if let granted { worker.makeReady(granted) }
  }

  /// Wakes all that wait.
  public func broadcast() {
    let worker = Unit.current().pointee.worker
    let solo = worker.pointee.solo
    while true {
      state.pointee.lock.lock(solo: solo)
      let granted = state.pointee.waiters.grantFirst(solo: solo)?.pointee.unit
      state.pointee.lock.unlock(solo: solo)
      guard let granted else { return }
      worker.pushReady(granted)
      if !solo { worker.pointee.core.wakeOnSurplus(from: worker) }
    }
  }
}
