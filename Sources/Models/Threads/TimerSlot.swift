// timer-storm's slots: a timed wait, and the race between its deadline and a cancel.

import Synchronization

/// A slot's timer. Sendable because the state is atomic and the parker made to be shared.
final class TimerSlot: Sendable {
  private enum State {
    /// No timer: none yet, or the last one has fired and the unit is about to arm the next.
    static let idle: UInt8 = 0
    static let armed: UInt8 = 1
    /// A cancel has claimed the timer, and its unit has not armed the next.
    static let cancelled: UInt8 = 2
    /// The storm is over: nothing is armed here any more.
    static let stopped: UInt8 = 3
  }

  enum End { case fired, cancelled, stopped }

  /// Sequentially consistent, the simplest that is right: whoever changes it decides who has ended the timer, and no
  /// other memory depends on it (the rest is the unit's own).
  private let state = Atomic(State.idle)
  private let parker = Parker()

  /// The unit's, once its last timer has ended. False if the storm is over.
  func arm(after end: End?) -> Bool {
    let expected = end == .cancelled ? State.cancelled : State.idle
    return state.compareExchange(
      expected: expected, desired: State.armed, ordering: .sequentiallyConsistent
    ).exchanged
  }

  /// The unit's: waits for the end of the timer that it has armed.
  func wait(until deadline: UInt64) -> End {
    if !parker.park(until: deadline) {
      let (isClaimed, _) = state.compareExchange(
        expected: State.armed, desired: State.idle, ordering: .sequentiallyConsistent)
      if isClaimed { return .fired }
      parker.park()  // whoever came first is about to give the permit
    }
    return state.load(ordering: .sequentiallyConsistent) == State.stopped ? .stopped : .cancelled
  }

  /// Ends the timer if one is armed; says whether it did.
  func cancel() -> Bool {
    let (isClaimed, _) = state.compareExchange(
      expected: State.armed, desired: State.cancelled, ordering: .sequentiallyConsistent)
    if isClaimed { parker.unpark() }
    return isClaimed
  }

  /// Ends the timer if one is armed, and lets no other be armed; says whether one was.
  func stop() -> Bool {
    let wasArmed = state.exchange(State.stopped, ordering: .sequentiallyConsistent) == State.armed
    if wasArmed { parker.unpark() }
    return wasArmed
  }
}

/// What a canceller waits for: all slots of its batch armed again. Sendable because the count is atomic.
final class TimerBatch: Sendable {
  /// Releasing and acquiring is more than it takes: the canceller looks at nothing that the slots have written.
  private let missing = Atomic(0)
  private let isArmed = Semaphore()

  /// Before the first cancel of a batch. One more than there are slots, so that it is not over before it is complete.
  func begin(_ slots: Int) { missing.store(slots + 1, ordering: .releasing) }

  /// So many slots of the batch have armed their next timer, or do not count.
  func arrive(_ slots: Int) {
    if missing.subtract(slots, ordering: .acquiringAndReleasing).newValue == 0 { isArmed.post() }
  }

  func wait() { isArmed.wait() }
}
