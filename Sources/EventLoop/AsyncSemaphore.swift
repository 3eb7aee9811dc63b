// A counting semaphore for tasks, and the mutex that it makes. FIFO with hand-over: a release gives its permit to the
// task that has waited longest, never back to a pool for which a newcomer could race; so nobody starves. Any thread.

public final class AsyncSemaphore: Sendable {
  /// Unchecked: always inside the lock.
  private struct State: ~Copyable, @unchecked Sendable {
    var permits: Int
    var queue = WaitQueue()
  }

  private let state: Guarded<State>

  /// - Parameter permits: how many `acquire` succeed before one waits; 0 or more.
  public init(_ permits: Int) {
    precondition(permits >= 0, "a semaphore starts with 0 permits or more, not \(permits)")
    state = Guarded(State(permits: permits))
  }

  /// Takes a permit if one is free now.
  public func tryAcquire() -> Bool {
    state.withLock { state in
      if state.permits == 0 { return false }
      state.permits -= 1
      return true
    }
  }

  /// Takes a permit, waiting in line for it if need be.
  ///
  /// - Throws: `CancellationError` if the task is cancelled while it waits; it then holds no permit.
  public func acquire() async throws {
    if tryAcquire() { return }
    let waiter = WaiterReference(node: Waiter.make())
    defer { Waiter.free(waiter.node) }
    await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        let settled = state.withLock { state in
          if waiter.node.pointee.state == .cancelled { return true }
          if state.permits > 0 {
            state.permits -= 1
            waiter.node.pointee.state = .granted
            return true
          }
          Waiter.prepare(waiter.node, continuation)
          state.queue.append(waiter.node)
          return false
        }
        if settled { continuation.resume() }
      }
    } onCancel: {
      let waited = state.withLock { state in
        switch waiter.node.pointee.state {
        case .new:
          waiter.node.pointee.state = .cancelled
          return false
        case .waiting:
          state.queue.remove(waiter.node)
          waiter.node.pointee.state = .cancelled
          return true
        case .granted, .cancelled, .closed: return false
        }
      }
      if waited { Waiter.resume(waiter.node) }
    }
    if waiter.node.pointee.state == .cancelled { throw CancellationError() }
  }

  /// Gives a permit back, to the first in line if somebody waits. Any thread, synchronous.
  public func release() {
    let next: WaiterReference? = state.withLock { state in
      guard let node = state.queue.popFirst() else {
        state.permits += 1
        return nil
      }
      node.pointee.state = .granted
      return WaiterReference(node: node)
    }
    if let next { Waiter.resume(next.node) }
  }
}

/// Mutual exclusion for sections that suspend. For those that do not, a plain lock is the right one.
public final class AsyncMutex: Sendable {
  @usableFromInline let semaphore = AsyncSemaphore(1)

  public init() {}

  /// Runs `body` while no other task is inside; tasks enter in the order in which they came.
  ///
  /// - Throws: `CancellationError` if the task is cancelled while it waits to enter; else what `body` throws.
  @inlinable public func withLock<T>(_ body: () async throws -> T) async throws -> T {
    try await semaphore.acquire()
    defer { semaphore.release() }
    return try await body()
  }
}
