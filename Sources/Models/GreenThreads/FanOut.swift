// fan-out with green threads. Idiom: plain sequential code; a unit per connection reads requests, a unit per request
// spawns and joins a unit per sub-request, and each takes a backend connection from a FIFO pool, writes, reads,
// returns.

import GreenThreads
import ModelKit
import Workloads

final class FanOutServer: Sendable {
  private let parameters: FanOut.Parameters
  private let gathers: Bool
  private let counts = Counts()
  private let backend: BackendPool

  static func serve(_ session: Session) throws {
    let parameters = try session.fanOut()
    let backendPort = try session.backendPort()
    try session.onUnits {
      let server = try FanOutServer(parameters, session.request.variant, backendPort: backendPort)
      try server.serve(session)
    }
  }

  private init(_ parameters: FanOut.Parameters, _ variant: String?, backendPort: UInt16) throws {
    self.parameters = parameters
    gathers = variant == "gather"
    let bytes = max(parameters.requestBytes, parameters.replyBytes)
    let counts = counts
    backend = BackendPool(
      try (0..<parameters.backendConnections).map { _ in
        let descriptor = try Descriptor.connect(port: backendPort)
        counts.backendConnectionsOpened.count()
        return FrameConnection(descriptor, bufferBytes: bytes) { counts.backendConnectionsClosed.count() }
      })
  }

  private func serve(_ session: Session) throws {
    let clients = Clients(bufferBytes: parameters.requestBytes) { try self.converse($0) }
    try clients.serve(
      session, connections: parameters.connections, ledger: { counts.ledger },
      drain: { try backend.close() })
  }

  // MARK: Work

  /// A connection's unit.
  private func converse(_ client: FrameConnection) throws {
    while let header = try client.receive(.request, bytes: parameters.requestBytes) {
      counts.requestsReceived.count()
      counts.unitsStarted.count()
      try spawn(name: "request") {
        defer { self.counts.unitsFinished.count() }
        try self.answer(header, client)
      }.join()
    }
  }

  /// A request's unit.
  private func answer(_ request: FanOut.Header, _ client: FrameConnection) throws {
    let sum = gathers ? try gather(request, client) : try scatter(request, client)
    FanOut.Header(.answer, length: FanOut.Header.bytes, id: request.id, value: sum).write(to: client.buffer)
    try client.send(FanOut.Header.bytes)
    counts.requestsAnswered.count()
  }

  private func scatter(_ request: FanOut.Header, _ client: FrameConnection) throws -> UInt64 {
    var parts = JoinSet<UInt64>()
    for index in 0..<parameters.width {
      counts.unitsStarted.count()
      try parts.spawn(name: "sub-request") {
        defer { self.counts.unitsFinished.count() }
        let connection = try self.backend.take()
        try self.send(index, of: request, client, on: connection)
        return try self.receive(index, of: request, on: connection)
      }
    }
    // All are joined, also after a failure: they read the client's buffer.
    var sum: UInt64 = 0
    var failure: (any Error)?
    while parts.count > 0 {
      do { sum &+= try parts.joinNext() ?? 0 } catch { failure = error }
    }
    if let failure { throw failure }
    return sum
  }

  /// All sub-requests within the request's own unit. It takes each connection as it comes, and while none is free it
  /// collects replies instead of waiting, so that it never waits for a connection while it holds one.
  private func gather(_ request: FanOut.Header, _ client: FrameConnection) throws -> UInt64 {
    var sum: UInt64 = 0
    var sent = 0
    var collected = 0
    var outstanding: [FrameConnection] = []
    outstanding.reserveCapacity(parameters.width)
    do {
      while collected < parameters.width {
        if sent < parameters.width, let connection = try collected == sent ? backend.take() : backend.takeIfFree() {
          try send(sent, of: request, client, on: connection)
          outstanding.append(connection)
          sent += 1
        } else {
          collected += 1
          sum &+= try receive(collected - 1, of: request, on: outstanding[collected - 1])
        }
      }
    } catch {
      // The others still owe replies.
      for connection in outstanding[collected...] { try backend.discard(connection) }
      throw error
    }
    return sum
  }

  private func send(_ index: Int, of request: FanOut.Header, _ client: FrameConnection, on connection: FrameConnection)
    throws
  {
    let bytes = parameters.requestBytes
    let frame = connection.frame(bytes)
    frame.copyMemory(from: UnsafeRawBufferPointer(client.frame(bytes)))
    FanOut.Header(.subRequest, length: bytes, index: index, id: request.id, value: request.value).write(to: frame)
    do { try connection.send(bytes) } catch {
      try backend.discard(connection)
      throw error
    }
    counts.subRequestsSent.count()
  }

  /// The checksum of the reply. Puts the connection back, or gives it up if it brings anything else.
  private func receive(_ index: Int, of request: FanOut.Header, on connection: FrameConnection) throws -> UInt64 {
    do {
      let reply = try connection.receive(.subReply, bytes: parameters.replyBytes)
      guard let reply, reply.id == request.id, reply.index == index else { throw FrameError.unexpectedFrame }
    } catch {
      try backend.discard(connection)
      throw error
    }
    counts.subRepliesReceived.count()
    let sum = FanOut.checksum(UnsafeRawBufferPointer(connection.frame(parameters.replyBytes)))
    try backend.put(connection)
    return sum
  }
}
