// Permits.

/// A counting semaphore: permits, handed out in the order of arrival.
public final class Semaphore: @unchecked Sendable {
  // Unchecked: `permits` and the waiters change only under the state's lock.
  private let state = WaitStatePointer.make()
  private nonisolated(unsafe) var permits: Int

  public init(permits: Int) {
    precondition(permits >= 0, "a semaphore cannot begin with \(permits) permits")
    self.permits = permits
  }

  deinit { state.destroy() }

  /// Takes a permit; waits for one.
  public func acquire(timeout: Duration? = nil) throws {
    let unit = Unit.current()
    unit.pointee.worker.explore(unit)
    let end = unit.deadline(after: timeout)
    while true {
      let solo = unit.pointee.worker.pointee.solo
      state.pointee.lock.lock(solo: solo)
      if permits > 0 {
        permits -= 1
        state.pointee.lock.unlock(solo: solo)
        return
      }
      if try state.wait(unit, for: "a semaphore", until: end) { return }
    }
  }

  /// Takes a permit if there is one.
  public func tryAcquire() -> Bool {
    let solo = Unit.current().pointee.worker.pointee.solo
    state.pointee.lock.lock(solo: solo)
    defer { state.pointee.lock.unlock(solo: solo) }
    guard permits > 0 else { return false }
    permits -= 1
    return true
  }

  /// Gives a permit back, or hands it to the unit that has waited longest.
  public func release() {
    let worker = Unit.current().pointee.worker
    let solo = worker.pointee.solo
    state.pointee.lock.lock(solo: solo)
    let granted = state.pointee.waiters.grantFirst(solo: solo)?.pointee.unit
    if granted == nil { permits += 1 }
    state.pointee.lock.unlock(solo: solo)
    if let granted { worker.makeReady(granted) }
  }
}
