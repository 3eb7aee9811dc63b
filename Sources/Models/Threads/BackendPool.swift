// The connections to the backend, shared by all requests.

import CLinux
import ModelKit
import Workloads

/// A connection to the backend, and the buffer that its sub-requests and replies pass through. Sendable because it is
/// used by whoever took it out of the pool, and by nobody else until it is put back.
final class BackendConnection: @unchecked Sendable {
  let socket: Socket
  let buffer: UnsafeMutableRawBufferPointer

  init(_ socket: Socket, bufferBytes: Int) {
    self.socket = socket
    buffer = .allocate(byteCount: bufferBytes, alignment: 8)
  }
  deinit { buffer.deallocate() }
}

/// A pool whose waiters are served in order: a connection that comes back goes straight to who has waited longest, and
/// nobody can take it in between. Sendable because everything mutable is only touched under `lock`.
final class BackendPool: @unchecked Sendable {
  /// A thread in the queue. Only touched under the pool's lock.
  private final class Waiter {
    let served: Condition
    var isServed = false
    var connection: BackendConnection?
    init(_ lock: Lock) { served = Condition(lock) }
  }

  private let lock = Lock()
  /// Used last, taken first: its buffer and its socket are still in the caches.
  private var free: [BackendConnection]
  private var waiters = FIFO<Waiter>()
  /// Connections that have not broken.
  private var alive: Int

  init(_ connections: [BackendConnection]) {
    free = connections
    alive = connections.count
  }

  /// Takes a connection, waiting for its turn. nil when none is left alive.
  func take() -> BackendConnection? {
    lock.withLock {
      if let connection = free.popLast() { return connection }
      if alive == 0 { return nil }
      let waiter = Waiter(lock)
      waiters.append(waiter)
      while !waiter.isServed { waiter.served.wait() }
      return waiter.connection
    }
  }

  /// Takes a connection if one is free, which it never is while others wait.
  func takeIfFree() -> BackendConnection? { lock.withLock { free.popLast() } }

  func put(_ connection: BackendConnection) {
    let waiter: Waiter? = lock.withLock {
      guard let waiter = waiters.popFirst() else {
        free.append(connection)
        return nil
      }
      waiter.connection = connection
      waiter.isServed = true
      return waiter
    }
    waiter?.served.signal()
  }

  /// Gives up a connection that has broken. With the last one go all who wait.
  func discard(_ connection: BackendConnection) {
    connection.socket.shutDown()
    lock.withLock {
      alive -= 1
      guard alive == 0 else { return }
      while let waiter = waiters.popFirst() {
        waiter.isServed = true
        waiter.served.signal()
      }
    }
  }

  /// Lets go of all free connections, which closes them.
  func close() { lock.withLock { free.removeAll() } }
}
