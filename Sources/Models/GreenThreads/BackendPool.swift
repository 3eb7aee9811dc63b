// The connections to the backend, shared by all requests.

import GreenThreads

/// All connections to the backend are broken.
struct BackendLost: Error {}

/// Served in order of arrival: the semaphore queues who waits, and hands over its permits. Sendable because everything
/// mutable is only touched under `mutex`.
final class BackendPool: @unchecked Sendable {
  private let mutex = Mutex()
  private let available: Semaphore
  /// Used last, taken first: its buffer and its socket are still in the caches.
  private var free: [FrameConnection]
  private var alive: Int

  init(_ connections: [FrameConnection]) {
    free = connections
    alive = connections.count
    available = Semaphore(permits: connections.count)
  }

  /// Takes a connection, waiting for its turn.
  func take() throws -> FrameConnection {
    try available.acquire()
    if let connection = try mutex.withLock({ free.popLast() }) { return connection }
    available.release()  // the next in the queue is to learn it too
    throw BackendLost()
  }

  /// Takes a connection if one is free, which it never is while others wait.
  func takeIfFree() throws -> FrameConnection? {
    guard available.tryAcquire() else { return nil }
    if let connection = try mutex.withLock({ free.popLast() }) { return connection }
    available.release()
    throw BackendLost()
  }

  func put(_ connection: FrameConnection) throws {
    try mutex.withLock { free.append(connection) }
    available.release()
  }

  /// Gives up a connection that has broken. With the last one go all who wait.
  func discard(_ connection: FrameConnection) throws {
    let isLast = try mutex.withLock {
      alive -= 1
      return alive == 0
    }
    if isLast { available.release() }
  }

  /// Lets go of all free connections, which closes them.
  func close() throws { try mutex.withLock { free.removeAll() } }
}
