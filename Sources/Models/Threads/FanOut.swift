// fan-out with threads. Idiom: a thread per client connection reads requests; each request and each sub-request is an
// item on a pool of threads and blocks there: on a latch, on a FIFO pool of backend connections, on its socket.
//
// `workers` limits nothing here: the harness confines the process to that many processors, and a thread that blocks
// uses none.

import CLinux
import ModelKit
import Workloads

/// One client's request. Sendable because the connection's thread fills it before any other knows of it.
final class Request: @unchecked Sendable {
  let client: Socket
  let frame: UnsafeMutableRawBufferPointer
  var header = FanOut.Header(.request, length: 0, id: 0, value: 0)
  /// Opens when all sub-requests are done, with the sum of the replies' checksums.
  let replies: Latch

  init(_ client: Socket, bytes: Int, parts: Int) {
    self.client = client
    frame = .allocate(byteCount: bytes, alignment: 8)
    replies = Latch(parts)
  }
  deinit { frame.deallocate() }
}

final class FanOutServer: Sendable {
  private let parameters: FanOut.Parameters
  private let gathers: Bool
  private let counts = Counts()
  private let clients: Clients
  private let backend: BackendPool
  private let pool: ThreadPool

  /// Runs one trial.
  static func serve(_ session: Session) throws {
    let server = try FanOutServer(session)
    try server.clients.accept { server.read($0) }
    try session.ready(port: server.clients.port)
    try session.serve(
      ledger: { server.counts.ledger },
      counters: { ["poolThreads": server.pool.size, "connectionThreads": server.clients.threadCount - 1] },
      drain: {
        try server.clients.close()
        server.pool.close()
        server.backend.close()
      })
  }

  private init(_ session: Session) throws {
    let parameters = try session.fanOut()
    let counts = self.counts
    let port = try session.backendPort()
    let clients = try Clients(backlog: parameters.connections, counts: counts.clients)
    self.parameters = parameters
    self.clients = clients
    gathers = session.request.variant == "gather"
    backend = BackendPool(
      try (0..<parameters.backendConnections).map { _ in
        let descriptor = try require(clinux_connect_loopback(port, 0), "connecting to the backend")
        counts.backendConnectionsOpened.count()
        return BackendConnection(
          Socket(descriptor) { counts.backendConnectionsClosed.count() },
          bufferBytes: max(parameters.requestBytes, parameters.replyBytes))
      })
    // At most one request on each client connection waits for its sub-requests. So with a thread for each of those,
    // and one for each sub-request that can hold a connection, no item that others wait for is left without a thread.
    pool = ThreadPool(limit: parameters.connections + (gathers ? 0 : parameters.backendConnections)) { failure in
      clients.fail(failure)
    }
  }

  /// A client connection's thread.
  private func read(_ client: Socket) {
    var previous: Request?
    while true {
      let request = Request(client, bytes: parameters.requestBytes, parts: gathers ? 1 : parameters.width)
      guard let header = client.receive(.request, into: request.frame) else { return }
      request.header = header
      counts.requestsReceived.count()
      previous?.replies.wait()  // no wait at all, unless a client sends ahead: the pool's limit counts on it
      previous = request
      counts.unitsStarted.count()
      pool.start { _ in self.answer(request) }
    }
  }

  /// A request's unit.
  private func answer(_ request: Request) {
    if gathers {
      request.replies.arrive(gather(request))
    } else {
      counts.unitsStarted.count(parameters.width)
      pool.start(parameters.width) { index in
        request.replies.arrive(self.ask(index, of: request))
        self.counts.unitsFinished.count()
      }
    }
    if let sum = request.replies.wait() {
      let answer = FanOut.Header(.answer, length: FanOut.Header.bytes, id: request.header.id, value: sum)
      let isSent = withUnsafeTemporaryAllocation(byteCount: answer.length, alignment: 8) { frame in
        answer.write(to: frame)
        return request.client.send(UnsafeRawBufferPointer(frame))
      }
      if isSent { counts.requestsAnswered.count() } else { request.client.shutDown() }
    } else {
      request.client.shutDown()  // a reply is missing for good: hanging up is the only honest answer
    }
    counts.unitsFinished.count()
  }

  /// A sub-request's unit: the checksum of its reply, or nil if there is none to be had.
  private func ask(_ index: Int, of request: Request) -> UInt64? {
    guard let connection = backend.take(), send(index, of: request, on: connection) else { return nil }
    return receive(index, of: request, on: connection)
  }

  /// All sub-requests within the request's own unit. It takes each connection as it comes, and while none is free it
  /// collects replies instead of waiting, so that it never waits for a connection while it holds one.
  private func gather(_ request: Request) -> UInt64? {
    var sum: UInt64? = 0
    var sent = 0
    var outstanding = FIFO<(Int, BackendConnection)>()
    var outstandingCount = 0
    while sent < parameters.width || outstandingCount > 0 {
      let connection = sent == parameters.width ? nil : outstandingCount == 0 ? backend.take() : backend.takeIfFree()
      if let connection {
        if send(sent, of: request, on: connection) {
          outstanding.append((sent, connection))
          outstandingCount += 1
        } else {
          sum = nil
        }
        sent += 1
      } else if let (index, connection) = outstanding.popFirst() {
        outstandingCount -= 1
        let part = receive(index, of: request, on: connection)
        if let part { sum? &+= part } else { sum = nil }
      } else {
        return nil  // no connection is left alive
      }
    }
    return sum
  }

  /// False if the connection has broken; it is then gone from the pool.
  private func send(_ index: Int, of request: Request, on connection: BackendConnection) -> Bool {
    let bytes = parameters.requestBytes
    let frame = UnsafeMutableRawBufferPointer(rebasing: connection.buffer[..<bytes])
    frame.copyMemory(from: UnsafeRawBufferPointer(request.frame))
    let header = request.header
    FanOut.Header(.subRequest, length: bytes, index: index, id: header.id, value: header.value).write(to: frame)
    guard connection.socket.send(UnsafeRawBufferPointer(frame)) else {
      backend.discard(connection)
      return false
    }
    counts.subRequestsSent.count()
    return true
  }

  /// Puts the connection back, or discards it if it has broken or brings something other than the reply.
  private func receive(_ index: Int, of request: Request, on connection: BackendConnection) -> UInt64? {
    let frame = UnsafeMutableRawBufferPointer(rebasing: connection.buffer[..<parameters.replyBytes])
    guard let header = connection.socket.receive(.subReply, into: frame), header.id == request.header.id,
      header.index == index
    else {
      backend.discard(connection)
      return nil
    }
    counts.subRepliesReceived.count()
    let sum = FanOut.checksum(UnsafeRawBufferPointer(frame))
    backend.put(connection)
    return sum
  }
}
