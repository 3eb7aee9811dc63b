// Waiting for a number of things to be done.

/// Counts work in progress; `wait` returns when none is left.
public final class WaitGroup: @unchecked Sendable {
  // Unchecked: `count` and the waiters change only under the state's lock.
  private let state = WaitStatePointer.make()
  private nonisolated(unsafe) var count = 0

  public init() {}

  deinit { state.destroy() }

  public func add(_ n: Int = 1) {
    let solo = Unit.current().pointee.worker.pointee.solo
    state.pointee.lock.lock(solo: solo)
    count += n
    state.pointee.lock.unlock(solo: solo)
  }

  public func done() {
    let worker = Unit.current().pointee.worker
    let solo = worker.pointee.solo
    state.pointee.lock.lock(solo: solo)
    precondition(count > 0, "WaitGroup.done without a matching add")
    count -= 1
    while count == 0, let granted = state.pointee.waiters.grantFirst(solo: solo)?.pointee.unit {
      worker.makeReady(granted)
    }
    state.pointee.lock.unlock(solo: solo)
  }

  public func wait() throws {
    let unit = Unit.current()
    unit.pointee.worker.explore(unit)
    while true {
      let solo = unit.pointee.worker.pointee.solo
      state.pointee.lock.lock(solo: solo)
      if count == 0 {
        state.pointee.lock.unlock(solo: solo)
        return
      }
      if try state.wait(unit, for: "a wait group") { return }
    }
  }
}
