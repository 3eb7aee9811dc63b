// The connections to the backend, shared by all requests.

import CLinux
import Dispatch
import ModelKit
import Workloads

/// One sub-request: which, and of which request. Whoever holds it owes ``Request/arrive(_:)`` once.
struct SubRequest: Sendable {
  let request: Request
  let index: Int
}

/// A connection to the backend, with at most one sub-request on it at a time.
final class BackendConnection: FrameConnection, @unchecked Sendable {
  let lane: Lane
  private let pool: BackendPool
  private let counts: Counts
  private let output: UnsafeMutableRawBufferPointer
  private var current: SubRequest?

  init(
    _ descriptor: Int32, on lane: Lane, of pool: BackendPool, _ parameters: FanOut.Parameters, counts: Counts,
    closing: DispatchGroup
  ) {
    self.lane = lane
    self.pool = pool
    self.counts = counts
    output = .allocate(byteCount: parameters.requestBytes, alignment: 8)
    super.init(descriptor, on: lane.queue, receives: .subReply, bytes: parameters.replyBytes, closing: closing)
    counts.backendConnectionsOpened.count()
  }

  deinit { output.deallocate() }

  /// Sends a sub-request; its request gets the reply's checksum. On the connection's own queue only.
  func ask(_ subRequest: SubRequest) {
    let request = subRequest.request
    guard isOpen else { return request.arrive(nil) }
    current = subRequest
    output.copyMemory(from: UnsafeRawBufferPointer(request.frame))
    FanOut.Header(
      .subRequest, length: output.count, index: subRequest.index, id: request.header.id, value: request.header.value
    ).write(to: output)
    counts.subRequestsSent.count()
    send(UnsafeRawBufferPointer(output))
  }

  override func received(_ header: FanOut.Header) {
    guard let answered = current, header.id == answered.request.header.id, header.index == answered.index else {
      close()
      return ended()
    }
    counts.subRepliesReceived.count()
    let sum = FanOut.checksum(UnsafeRawBufferPointer(input))
    current = nil
    if let next = pool.put(self) { ask(next) }
    answered.request.arrive(sum)
  }

  override func ended() {
    pool.discard(self)
    current?.request.arrive(nil)
    current = nil
  }

  override func closed() { counts.backendConnectionsClosed.count() }
}

/// A pool whose waiters are served in order. A serial queue guards it, entered with `sync`: the twenty nanoseconds of
/// work run on the caller's thread, where `async` would cost another block and a switch of queues per sub-request.
/// Sendable because what is mutable is only touched on that queue.
final class BackendPool: @unchecked Sendable {
  private let queue = DispatchQueue(label: "backend-pool")
  /// By lane. Used last, taken first: its buffers and its socket are still in the caches.
  private var free: [[BackendConnection]]
  private var waiters = FIFO<SubRequest>()
  /// How many connections have not broken.
  private var alive = 0

  init(lanes: Int) { free = Array(repeating: [], count: lanes) }

  func add(_ connection: BackendConnection) {
    queue.sync {
      free[connection.lane.index].append(connection)
      alive += 1
    }
  }

  /// Sends a sub-request on a free connection, or on the one that comes back when its turn has come. On the lane's
  /// queue only; a connection of that lane is preferred, since any other takes a block to get to.
  func ask(_ subRequest: SubRequest, from lane: Lane) {
    enum Turn {
      case now(BackendConnection)
      case later, never
    }
    let turn: Turn = queue.sync {
      if let connection = free[lane.index].popLast() { return .now(connection) }
      if let other = free.firstIndex(where: { !$0.isEmpty }) { return .now(free[other].removeLast()) }
      if alive == 0 { return .never }
      waiters.append(subRequest)
      return .later
    }
    switch turn {
    case .now(let connection) where connection.lane === lane: connection.ask(subRequest)
    case .now(let connection): connection.queue.async { connection.ask(subRequest) }
    case .later: break
    case .never: subRequest.request.arrive(nil)
    }
  }

  /// Takes a connection back, or returns what is to be sent on it next.
  func put(_ connection: BackendConnection) -> SubRequest? {
    queue.sync {
      if let next = waiters.popFirst() { return next }
      free[connection.lane.index].append(connection)
      return nil
    }
  }

  /// Gives up a connection that has broken. With the last one go all who wait.
  func discard(_ connection: BackendConnection) {
    let abandoned: [SubRequest] = queue.sync {
      free[connection.lane.index].removeAll { $0 === connection }
      alive -= 1
      var abandoned: [SubRequest] = []
      while alive == 0, let waiter = waiters.popFirst() { abandoned.append(waiter) }
      return abandoned
    }
    for subRequest in abandoned { subRequest.request.arrive(nil) }
  }

  /// Closes all free connections.
  func close() {
    queue.sync {
      for connection in free.joined() { connection.queue.async { connection.close() } }
    }
  }
}
