// A thread that sleeps until the earliest of its timers is due, and calls back.

import ModelKit

/// Timers that call back on a thread of their own. Sendable because everything mutable is only touched under `lock`.
final class TimerThread: @unchecked Sendable {
  private struct State: ~Copyable {
    var heap: TimerHeap
    /// The deadline that the thread sleeps for; 0 while it is awake.
    var alarm: UInt64 = 0
    var isStopped = false
  }

  private let lock = Lock()
  /// On the heap: the lock gives what a check for exclusivity would.
  private let state = UnsafeMutablePointer<State>.allocate(capacity: 1)
  private let parker = Parker()

  init(timers: Int) { state.initialize(to: State(heap: TimerHeap(capacity: timers))) }

  deinit {
    state.deinitialize(count: 1)
    state.deallocate()
  }

  /// Arms a timer that is not armed.
  /// - Parameter deadline: called under the lock, once it is known that the timer will be armed.
  /// - Returns: false, and nothing is done, if the timer is armed or the thread has been stopped.
  func arm(_ timer: Int, _ deadline: () -> UInt64) -> Bool { set(timer, deadline, wasArmed: false) }

  /// Gives a timer that is armed a new deadline; its old one will not come any more.
  /// - Parameter deadline: called under the lock, once it is known that the timer is armed.
  /// - Returns: false, and nothing is done, if the timer is not armed or the thread has been stopped.
  func rearm(_ timer: Int, _ deadline: () -> UInt64) -> Bool { set(timer, deadline, wasArmed: true) }

  @inline(__always)
  private func set(_ timer: Int, _ makeDeadline: () -> UInt64, wasArmed: Bool) -> Bool {
    lock.lock()
    guard state.pointee.heap.contains(timer) == wasArmed, !state.pointee.isStopped else {
      lock.unlock()
      return false
    }
    let deadline = makeDeadline()
    state.pointee.heap.set(timer, deadline)
    let wakes = deadline < state.pointee.alarm
    if wakes { state.pointee.alarm = 0 }
    lock.unlock()
    if wakes { parker.unpark() }
    return true
  }

  /// The thread's life: calls `fired` with each timer that is due and its deadline, not under the lock, until ``stop()``.
  func run(_ fired: (_ timer: Int, _ deadline: UInt64) -> Void) {
    while true {
      lock.lock()
      if state.pointee.isStopped { return lock.unlock() }
      let due = state.pointee.heap.removeDue(monotonicNanoseconds())
      let alarm = state.pointee.heap.earliest
      state.pointee.alarm = due == nil ? alarm : 0
      lock.unlock()
      if let due {
        fired(due.timer, due.deadline)
      } else {
        parker.park(until: alarm)
      }
    }
  }

  /// Cancels all timers, lets no other be armed, and ends ``run(_:)``.
  /// - Parameter cancelled: called with each timer that was still armed.
  func stop(timers: Int, _ cancelled: (_ timer: Int) -> Void) {
    lock.lock()
    state.pointee.isStopped = true
    for timer in 0..<timers where state.pointee.heap.remove(timer) { cancelled(timer) }
    lock.unlock()
    parker.unpark()
  }
}
