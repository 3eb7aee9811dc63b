// Mutual exclusion between units.

import CContextSwitch
import Synchronization

/// A lock that parks the waiting unit rather than its thread, handed over in the order of arrival.
///
/// Use it, not `Synchronization.Mutex`, wherever the holder may wait: a thread's lock held over a switch deadlocks or
/// is released by the wrong thread.
public final class Mutex: @unchecked Sendable {
  // Unchecked: `isHeld` and the waiters change only under the state's lock.
  private let state = WaitStatePointer.make()
  /// Also looked at without the lock by those that spin: relaxed, a hint.
  private let isHeld = Atomic<Bool>(false)
  /// Somebody waits, or did when last looked at: also a hint for those that would spin.
  private let isAwaited = Atomic<Bool>(false)

  public init() {}

  deinit { state.destroy() }

  /// Waits until the lock is free. Throws `CancellationError` or `DeadlineExceeded`; then it is not held.
  public func lock() throws {
    let unit = Unit.current()
    unit.pointee.worker.explore(unit)
    if !unit.pointee.worker.pointee.solo { spin() }
    while true {
      let solo = unit.pointee.worker.pointee.solo
      state.pointee.lock.lock(solo: solo)
      if !isHeld.load(ordering: .relaxed) {
        isHeld.store(true, ordering: .relaxed)
        state.pointee.lock.unlock(solo: solo)
        return
      }
      isAwaited.store(true, ordering: .relaxed)
      if try state.wait(unit, for: "a mutex") { return }
    }
  }

  /// The holder may be running on another worker and about to let go; a park and a wake cost more than a short wait. But
  /// not while units wait: the lock is handed to them first, so that it is not seen to be free.
  private func spin() {
    var spins = 0
    while isHeld.load(ordering: .relaxed), !isAwaited.load(ordering: .relaxed), spins < 30 {
      spins += 1
      gt_pause()
    }
  }

  /// Hands the lock to the unit that has waited longest, or frees it.
  public func unlock() {
    let unit = Unit.current()
    let worker = unit.pointee.worker
    let solo = worker.pointee.solo
    state.pointee.lock.lock(solo: solo)
    precondition(isHeld.load(ordering: .relaxed), "unlock of a mutex that is not locked")
    if let next = state.pointee.waiters.grantFirst(solo: solo) {
      let unit = next.pointee.unit
      state.pointee.lock.unlock(solo: solo)
      worker.makeReady(unit)
    } else {
      isHeld.store(false, ordering: .relaxed)
      isAwaited.store(false, ordering: .relaxed)
      state.pointee.lock.unlock(solo: solo)
    }
  }

  public func tryLock() -> Bool {
    let solo = Unit.current().pointee.worker.pointee.solo
    state.pointee.lock.lock(solo: solo)
    defer { state.pointee.lock.unlock(solo: solo) }
    if isHeld.load(ordering: .relaxed) { return false }
    isHeld.store(true, ordering: .relaxed)
    return true
  }

  /// Runs `body` with the lock held. Throws what `lock` or `body` throw.
  public func withLock<T>(_ body: () throws -> T) throws -> T {
    try lock()
    defer { unlock() }
    return try body()
  }
}
