// A limit on how long an operation may take. The operation runs as a task of its own, since Swift has no cancellation
// narrower than a task; the limit is one timer on the wheel, not a second task that sleeps. Both are gone when
// `withDeadline` returns, whichever way it ends.
import CLinux
import Synchronization

/// Runs `operation` and cancels it once `limit` has passed. Returns when the operation has ended: one that ignores
/// cancellation is waited for.
///
/// - Throws: `LoopError.deadlineExceeded` if the limit passed and the operation ended with `CancellationError`;
///   otherwise what the operation throws. A result that came in spite of the limit is returned.
public func withDeadline<T: Sendable>(
  _ limit: Duration, _ operation: @escaping @Sendable () async throws -> T
) async throws -> T {
  let task = Task { try await operation() }
  let deadline = Deadline(limit, task)
  defer { deadline.disarm() }
  do {
    return try await withTaskCancellationHandler {
      try await task.value
    } onCancel: {
      task.cancel()
    }
  } catch is CancellationError where deadline.hasExpired {
    throw LoopError.deadlineExceeded(limit)
  }
}

/// The timer of one `withDeadline`. Unchecked: the node belongs to the loop `home` from the moment it is armed; `arm`
/// and `disarm` run there.
final class Deadline: @unchecked Sendable {
  private let node: TimerNode.Pointer
  private let home: EventLoop?
  private let cancel: @Sendable () -> Void
  private let expired = Atomic<Bool>(false)
  private let isDisarmed = Atomic<Bool>(false)

  init<T>(_ limit: Duration, _ task: Task<T, any Error>) {
    let time = clinux_monotonic_ns().addingClamped(limit.clampedNanoseconds)
    node = TimerNode.make(.deadline, deadlineNanoseconds: time)
    home = EventLoop.current ?? EventLoops.current?.next()
    cancel = { task.cancel() }
    node.pointee.owner = Unmanaged.passUnretained(self).toOpaque()
    onLoop { TimerNode.insert($0.node) }
  }

  // Acquiring: the loop's last use of the node comes before. Counting references orders the two as well, but in the
  // runtime, where the thread sanitizer does not look.
  deinit {
    _ = isDisarmed.load(ordering: .acquiring)
    TimerNode.free(node)
  }

  // Relaxed: the answer is asked for after the task has ended, and its ending orders the two.
  var hasExpired: Bool { expired.load(ordering: .relaxed) }

  /// On the loop, out of the wheel.
  func expire() {
    expired.store(true, ordering: .relaxed)
    cancel()
  }

  func disarm() {
    onLoop {
      TimerNode.unlink($0.node)
      $0.isDisarmed.store(true, ordering: .releasing)
    }
  }

  /// At once if this is the loop, else as an errand, which keeps `self` until it is done. Errands keep their order.
  private func onLoop(_ body: @escaping @Sendable (Deadline) -> Void) {
    guard let home else { return }
    if home.isCurrent { body(self) } else { home.execute { body(self) } }
  }
}

extension Task where Success == Never, Failure == Never {
  /// Suspends the task until it is cancelled: for a task that only has to end with its parent.
  public static func untilCancelled() async {
    let gate = AsyncSemaphore(0)
    try? await gate.acquire()
  }
}
