// The loop's own sleep: cancellable, and gone when it is cancelled. `Task.sleep` works on the loop as well, but when it
// is cancelled the runtime leaves its job with the executor until the deadline, some 1.3 KB each; and it allocates a
// token, and finds the executor by a dynamic cast.
import CLinux
import Synchronization

extension EventLoop {
  /// Suspends the task for at least `duration`, and resumes it on the loop where it slept.
  ///
  /// - Throws: `CancellationError` as soon as the task is cancelled; nothing of the sleep is left behind then.
  public static func sleep(for duration: Duration) async throws {
    try await sleep(untilNanoseconds: clinux_monotonic_ns().addingClamped(duration.clampedNanoseconds))
  }

  /// Suspends the task until CLOCK_MONOTONIC has reached a value in nanoseconds.
  ///
  /// - Throws: `CancellationError` as soon as the task is cancelled.
  public static func sleep(untilNanoseconds deadline: UInt64) async throws {
    let sleeper = Sleeper(node: TimerNode.make(.task, deadlineNanoseconds: deadline))
    defer { TimerNode.free(sleeper.node) }
    try await withTaskCancellationHandler {
      try await withUnsafeThrowingContinuation { sleeper.park($0) }
    } onCancel: {
      sleeper.cancel()
    }
  }
}

/// A sleeping task's timer. Unchecked: `state` says who may touch the node, see TimerNode.swift.
private struct Sleeper: @unchecked Sendable {
  let node: TimerNode.Pointer

  func park(_ continuation: UnsafeContinuation<Void, any Error>) {
    node.pointee.continuation = continuation
    if let loop = EventLoop.current {
      node.pointee.home = loop
      Self.arm(node)
    } else {
      // The task runs on an executor of its own: its sleep goes to a loop all the same.
      guard let loop = EventLoops.current?.next() else { return }
      node.pointee.home = loop
      node.pointee.mail = Mail { Sleeper.arm(TimerNode.of(mail: $0)) }
      loop.post(mail: node)
    }
  }

  /// On the loop. Releasing: publishes `home` and the mail to a canceller. If the task was cancelled before, nobody else will
  /// resume it, so this does.
  private static func arm(_ node: TimerNode.Pointer) {
    node.pointee.mail = Mail { Sleeper.finish(TimerNode.of(mail: $0)) }
    let armed = node.pointee.state.compareExchange(
      expected: .idle, desired: .armed, successOrdering: .releasing, failureOrdering: .relaxed
    ).exchanged
    if armed {
      TimerNode.insert(node)
    } else {
      node.pointee.continuation?.resume(throwing: CancellationError())
    }
  }

  /// Any thread, at most once.
  func cancel() {
    // Relaxed: `arm` only has to see that this came first.
    if node.pointee.state.compareExchange(expected: .idle, desired: .cancelled, ordering: .relaxed).exchanged { return }
    guard TimerNode.claim(node, as: .cancelled), let home = node.pointee.home else { return }
    if home.isCurrent {
      Self.finish(node)
    } else {
      home.post(mail: node)
    }
  }

  /// On the loop, by the one who claimed the timer.
  private static func finish(_ node: TimerNode.Pointer) {
    TimerNode.unlink(node)
    node.pointee.continuation?.resume(throwing: CancellationError())
  }
}
