// How tasks wait for a descriptor, on top of an edge-triggered poller. The kernel says once that a direction has become
// ready; whoever uses it must go on until the call would block, and only then wait. Between "would block" and the wait
// the edge may come, so it is remembered: one word per direction, changed by compare-and-swap, because the events come
// on the loop's thread while the task that reads or writes may run on another.
//
//   idle       nothing known; the next to come is a task that parks, or an event
//   ready      an event has come since it was last taken: try the call
//   parked     a task waits; its continuation is in `continuation`
//   cancelled  the task was cancelled before it could park; it will find out when it tries to
//   closed     for good
//
// Whoever moves the word out of `parked` (event, canceller, closer) resumes the task: exactly one does.
//
// One task at a time may read, and one may write: two readers of a byte stream have no meaning.
import Synchronization

/// Unchecked: `state` says who may touch what, see the top of this file. The two variables are each touched by one
/// thread at a time, which the compiler's own checks need not find out again at every access.
final class Direction: @unchecked Sendable {
  enum State: UInt8, AtomicRepresentable {
    case idle, ready, parked, cancelled, closed
  }

  private let state = Atomic<State>(.idle)
  /// Written by the task before it parks, read by the one who resumes it.
  @exclusivity(unchecked) private var continuation: UnsafeContinuation<Void, any Error>?
  /// The reader's or writer's own note: the last call left nothing to take (a short read, a short write, or "would
  /// block"), so until an event comes the next call cannot succeed. It saves a system call per message: an answer is
  /// shorter than the buffer, and the attempt that only finds "would block" is left out (epoll(7), question 9).
  @exclusivity(unchecked) var isDrained = false

  /// Whether a call is worth trying. Forgets the event that said so, so that an edge from now on is seen as new.
  func shouldTry() -> Bool {
    // Acquiring: what the event's deliverer saw of the descriptor is seen here.
    if state.load(ordering: .acquiring) == .ready {
      _ = state.compareExchange(expected: .ready, desired: .idle, ordering: .acquiring)
      isDrained = false
    }
    return !isDrained
  }

  /// The task is about to suspend. False: it must not; something has happened, see `outcome`.
  func park(_ waiting: UnsafeContinuation<Void, any Error>) -> Bool {
    continuation = waiting
    // Releasing: publishes the continuation to the acquiring exchange of whoever resumes.
    return state.compareExchange(
      expected: .idle, desired: .parked, successOrdering: .releasing, failureOrdering: .relaxed
    ).exchanged
  }

  /// After `park` has said no, or the task has been resumed: clears what is to be taken once.
  func settle() throws {
    isDrained = false
    switch state.load(ordering: .acquiring) {
    case .ready: _ = state.compareExchange(expected: .ready, desired: .idle, ordering: .acquiring)
    // An event may have found the word in this state and left it. Since nothing is noted as drained any more, the
    // next call is tried, and finds what the event announced.
    case .cancelled: _ = state.compareExchange(expected: .cancelled, desired: .idle, ordering: .acquiring)
    case .closed: throw LoopError.closed
    case .idle, .parked: break
    }
  }

  /// The loop's thread: the direction has become ready.
  func signal() {
    var seen = state.load(ordering: .relaxed)
    while seen == .idle || seen == .parked {
      // Acquiring for the continuation, releasing for the event.
      let (done, current) = state.compareExchange(
        expected: seen, desired: seen == .parked ? .idle : .ready, ordering: .acquiringAndReleasing)
      if done {
        if seen == .parked { resume(nil) }
        return
      }
      seen = current
    }
  }

  /// Any thread: the task that reads or writes has been cancelled.
  func cancel() {
    var seen = state.load(ordering: .relaxed)
    while seen == .idle || seen == .ready || seen == .parked {
      let (done, current) = state.compareExchange(
        expected: seen, desired: seen == .parked ? .idle : .cancelled, ordering: .acquiring)
      if done {
        if seen == .parked { resume(CancellationError()) }
        return
      }
      seen = current
    }
  }

  /// Any thread.
  func close() {
    if state.exchange(.closed, ordering: .acquiringAndReleasing) == .parked { resume(LoopError.closed) }
  }

  private func resume(_ error: (any Error)?) {
    guard let waiting = continuation else { preconditionFailure("parked without a continuation") }
    if let error { waiting.resume(throwing: error) } else { waiting.resume() }
  }

  /// Waits for the next event, or takes the one that has come.
  func wait() async throws {
    do {
      try await withTaskCancellationHandler {
        try await withUnsafeThrowingContinuation { continuation in
          if !park(continuation) { continuation.resume() }
        }
      } onCancel: {
        cancel()
      }
    } catch {
      try? settle()
      throw error
    }
    try settle()
    if Task.isCancelled { throw CancellationError() }
  }
}
