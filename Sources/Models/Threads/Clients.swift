// The client connections: their threads, and their end.

import CLinux
import Glibc
import ModelKit
import Synchronization
import Workloads

/// Relaxed like all counts of a ledger.
final class ConnectionCounts: Sendable {
  let accepted = Atomic(0)
  let closed = Atomic(0)
}

/// Accepts connections and gives each a thread of its own. Sendable because `state` is only touched under `lock`.
final class Clients: @unchecked Sendable {
  private struct State {
    var open: [Int32: Socket] = [:]
    /// Threads of closed connections stay until ``close()`` joins them: the rig opens all its connections at once.
    var threads: [Thread] = []
    var failure: ModelFailure?
  }

  private let lock = Lock()
  private var state = State()
  private let counts: ConnectionCounts
  private let listener: Int32
  let port: UInt16

  init(backlog: Int, counts: ConnectionCounts) throws(ModelFailure) {
    self.counts = counts
    listener = try require(clinux_listen_loopback(0, Int32(backlog), 0), "listening on loopback")
    port = UInt16(try require(clinux_local_port(listener), "reading the listener's port"))
  }

  var threadCount: Int { lock.withLock { state.threads.count } }

  /// Accepts until ``close()``, on a thread of its own; `serve` runs on one thread a connection, until it returns.
  func accept(_ serve: @escaping @Sendable (Socket) -> Void) throws(ModelFailure) {
    let acceptor = try Thread(running: 1) {
      while true {
        let descriptor = clinux_accept(self.listener, 0)
        if descriptor >= 0 {
          self.start(descriptor, serve)
        } else if descriptor == -EINVAL {  // the listener has been shut down
          return
        } else if descriptor != -EINTR && descriptor != -ECONNABORTED {
          do throws(ModelFailure) {
            try require(descriptor, "accepting a connection")
          } catch {
            return self.fail(error)
          }
        }
      }
    }
    lock.withLock { state.threads.append(acceptor) }
  }

  private func start(_ descriptor: Int32, _ serve: @escaping @Sendable (Socket) -> Void) {
    let counts = self.counts
    counts.accepted.count()
    let socket = Socket(descriptor) { counts.closed.count() }
    lock.withLock { state.open[descriptor] = socket }
    do {
      let thread = try Thread(running: threadCount + 1) {
        serve(socket)
        self.lock.withLock { _ = self.state.open.removeValue(forKey: descriptor) }
      }
      lock.withLock { state.threads.append(thread) }
    } catch {
      lock.withLock { _ = state.open.removeValue(forKey: descriptor) }
      fail(error)
    }
  }

  /// Records why the trial cannot go on, and hangs up so that the rig sees it at once. ``close()`` throws it.
  func fail(_ failure: ModelFailure) {
    lock.withLock {
      state.failure = state.failure ?? failure
      for socket in state.open.values { socket.shutDown() }
    }
  }

  /// Stops listening, lets every connection's thread come to its end, and joins them.
  /// - Throws: the first ``fail(_:)``ure; then nothing is joined, for what has failed may never end.
  func close() throws(ModelFailure) {
    shutdown(listener, Int32(SHUT_RDWR))
    // The acceptor is the first thread: after it the list no longer grows.
    lock.withLock { state.failure == nil ? state.threads.first : nil }?.join()
    let (failure, open, threads) = lock.withLock { (state.failure, Array(state.open.values), state.threads) }
    if let failure { throw failure }
    for socket in open { socket.shutDownReading() }
    for thread in threads.dropFirst() { thread.join() }
    clinux_close(listener)
  }
}
