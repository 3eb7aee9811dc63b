// The connections to the backend, shared by all units: a semaphore keeps the line, a stack the free ones.

import EventLoop
import Synchronization
import Workloads

/// A connection to the backend and room for one sub-request. Sendable because one unit at a time has taken it.
final class Backend: @unchecked Sendable {
  let replies: FrameStream
  let request: UnsafeMutableRawBufferPointer

  init(_ stream: Stream, _ parameters: FanOut.Parameters) {
    replies = FrameStream(stream, receives: .subReply, bytes: parameters.replyBytes)
    request = .allocate(byteCount: parameters.requestBytes, alignment: 8)
  }

  deinit { request.deallocate() }
}

final class BackendPool: Sendable {
  /// A permit for each free connection: units get theirs in the order in which they asked.
  private let permits: AsyncSemaphore
  /// The free ones, the last used on top: its buffers and its socket are in the cache.
  private let state: Mutex<(free: [Backend], alive: Int)>
  private let counts: Counts

  init(_ connections: [Backend], counts: Counts) {
    permits = AsyncSemaphore(connections.count)
    state = Mutex((connections, connections.count))
    self.counts = counts
  }

  /// A connection, as soon as it is this unit's turn; nil if there is none left alive.
  func take() async -> Backend? {
    guard (try? await permits.acquire()) != nil else { return nil }
    return pop()
  }

  func takeIfFree() -> Backend? { permits.tryAcquire() ? pop() : nil }

  private func pop() -> Backend? {
    let backend = state.withLock { $0.free.popLast() }
    // Without a connection behind it, the permit is the last discarded one's: it goes on to the next in line.
    if backend == nil { permits.release() }
    return backend
  }

  func put(_ backend: Backend) {
    state.withLock { $0.free.append(backend) }
    permits.release()
  }

  /// For a connection that is broken. Its permit goes with it, except the last one's, which tells all that wait.
  func discard(_ backend: Backend) {
    close(backend)
    let alive = state.withLock { state in
      state.alive -= 1
      return state.alive
    }
    if alive == 0 { permits.release() }
  }

  /// When no unit is left: closes them all.
  func close() {
    for backend in state.withLock({ $0.free }) { close(backend) }
  }

  private func close(_ backend: Backend) {
    backend.replies.stream.close()
    counts.backendConnectionsClosed.count()
  }
}
