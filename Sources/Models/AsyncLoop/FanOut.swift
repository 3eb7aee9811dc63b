// fan-out with async/await. Idiom: a task per client connection; each request is a child task of it, each sub-request
// a child task of the request in a discarding task group; whatever waits is suspended, and its loop goes on.
//
// Why that group: eight children that suspend once cost 73,000 instructions in a plain group, which keeps each child
// until its result has been taken, and 55,900 in a discarding one, to which they hand their results in an atomic sum.
// Eight unstructured tasks with an atomic latch cost 49,000, but lose the tie to their request (cancellation, priority);
// awaiting their values one by one 53,100; `async let`, by recursion, 48,800 as a chain and 86,500 as a tree; children
// that start at once (`addImmediateTask`) 52,100. In the whole model, where a request is some 80 microseconds of
// mostly socket calls, no two of plain, discarding and immediate could be told apart in six interleaved rounds.

import CLinux
import EventLoop
import Glibc
import ModelKit
import Synchronization
import Workloads

/// Runs one trial, with a loop for each worker: with one worker this is the process's only thread.
func serveFanOut(_ session: Session) throws {
  try EventLoops.run(count: session.request.workers) {
    let server = try await FanOutServer(session)
    try await server.serve(session)
  }
}

final class FanOutServer: Sendable {
  private let parameters: FanOut.Parameters
  private let gathers: Bool
  private let counts: Counts
  private let backend: BackendPool
  private let listener: Listener
  private let clients = Mutex<[ObjectIdentifier: Stream]>([:])

  init(_ session: Session) async throws {
    let parameters = try session.fanOut()
    let counts = Counts()
    let port = try session.backendPort()
    var connections: [Backend] = []
    for _ in 0..<parameters.backendConnections {
      connections.append(Backend(try await Stream.connect(loopbackPort: port, on: EventLoops.next()), parameters))
      counts.backendConnectionsOpened.count()
    }
    self.parameters = parameters
    self.counts = counts
    gathers = session.request.variant == "gather"
    backend = BackendPool(connections, counts: counts)
    listener = try Listener(backlog: parameters.connections)
  }

  /// The control path: obeys the harness, whose commands come over standard input like anything else on the loop.
  func serve(_ session: Session) async throws {
    let input = try Stream(taking: dup(session.inputDescriptor))
    let accepting = Task { try await accept() }
    try session.ready(port: try listener.port)
    while true {
      for event in try session.receive() {
        switch event {
        case .edge(let edge): try session.report(edge, ledger: counts.ledger)
        case .drain, .end:
          try await drain(accepting)
          try session.finish(ledger: counts.ledger, counters: Ledger(of: EventLoops.counters))
          if event == .end { return }
        case .begin: break  // only where a model drives itself
        }
      }
      try await input.readable()
    }
  }

  /// Accepts until the listener is closed, and returns when the last client has gone. Each goes to the next loop, and
  /// all that is done for it stays there.
  private func accept() async throws {
    try await withThrowingDiscardingTaskGroup { group in
      while true {
        let stream: Stream
        do { stream = try await listener.accept(on: EventLoops.next()) } catch LoopError.closed { return }
        counts.clientConnectionsAccepted.count()
        clients.withLock { $0[ObjectIdentifier(stream)] = stream }
        group.addTask {
          await stream.loop.enter()
          await self.serve(stream)
        }
      }
    }
  }

  /// Stops listening, lets every request come to its end, and closes all connections. Again has no effect.
  private func drain(_ accepting: Task<Void, any Error>) async throws {
    listener.close()
    for stream in clients.withLock({ Array($0.values) }) { try? stream.finishReading() }
    try await accepting.value
    backend.close()
  }

  /// A client connection's task.
  private func serve(_ stream: Stream) async {
    let client = FrameStream(stream, receives: .request, bytes: parameters.requestBytes)
    while let header = await client.next() {
      counts.requestsReceived.count()
      async let unit = answer(header, client)
      guard await unit else { break }
    }
    clients.withLock { _ = $0.removeValue(forKey: ObjectIdentifier(stream)) }
    stream.close()
    counts.clientConnectionsClosed.count()
  }

  /// A request's unit. False if it could not be answered: hanging up is then the only honest answer.
  private func answer(_ header: FanOut.Header, _ client: FrameStream) async -> Bool {
    counts.unitsStarted.count()
    defer { counts.unitsFinished.count() }
    let sum = gathers ? await gather(header, client.frame) : await fanOut(header, client)
    guard let sum else { return false }
    let frame = UnsafeMutableRawBufferPointer.allocate(byteCount: FanOut.Header.bytes, alignment: 8)
    defer { frame.deallocate() }
    FanOut.Header(.answer, length: FanOut.Header.bytes, id: header.id, value: sum).write(to: frame)
    guard await client.send(UnsafeRawBufferPointer(frame)) else { return false }
    counts.requestsAnswered.count()
    return true
  }

  /// A child task for each sub-request.
  private func fanOut(_ header: FanOut.Header, _ client: FrameStream) async -> UInt64? {
    let sum = Sum()
    await withDiscardingTaskGroup { group in
      for index in 0..<parameters.width {
        group.addTask { sum.add(await self.ask(index, of: header, client)) }
      }
    }
    return sum.total
  }

  /// A sub-request's unit: the checksum of its reply, or nil if there is none to be had.
  private func ask(_ index: Int, of header: FanOut.Header, _ client: FrameStream) async -> UInt64? {
    counts.unitsStarted.count()
    defer { counts.unitsFinished.count() }
    guard let connection = await backend.take(), await send(index, of: header, client.frame, on: connection) else {
      return nil
    }
    return await receive(index, of: header, on: connection)
  }

  /// All sub-requests within the request's own unit. It takes each connection as it comes, and while none is free it
  /// collects replies instead of waiting, so that it never waits for a connection while it holds one.
  private func gather(_ header: FanOut.Header, _ request: UnsafeRawBufferPointer) async -> UInt64? {
    var sum: UInt64? = 0
    var sent = 0
    var outstanding: [(Int, Backend)] = []
    var collected = 0
    while sent < parameters.width || collected < outstanding.count {
      let isWaiting = collected < outstanding.count
      let connection =
        sent == parameters.width ? nil : isWaiting ? backend.takeIfFree() : await backend.take()
      if let connection {
        if await send(sent, of: header, request, on: connection) {
          outstanding.append((sent, connection))
        } else {
          sum = nil
        }
        sent += 1
      } else if isWaiting {
        let (index, connection) = outstanding[collected]
        collected += 1
        let part = await receive(index, of: header, on: connection)
        if let part { sum? &+= part } else { sum = nil }
      } else {
        return nil  // no connection is left alive
      }
    }
    return sum
  }

  /// False if the connection has broken; it is then gone from the pool.
  private func send(
    _ index: Int, of header: FanOut.Header, _ request: UnsafeRawBufferPointer, on connection: Backend
  ) async -> Bool {
    let frame = connection.request
    frame.copyMemory(from: request)
    FanOut.Header(.subRequest, length: frame.count, index: index, id: header.id, value: header.value).write(to: frame)
    guard await connection.replies.send(UnsafeRawBufferPointer(frame)) else {
      backend.discard(connection)
      return false
    }
    counts.subRequestsSent.count()
    return true
  }

  /// Puts the connection back, or discards it if it has broken or brings something other than the reply.
  private func receive(_ index: Int, of header: FanOut.Header, on connection: Backend) async -> UInt64? {
    guard let reply = await connection.replies.next(), reply.id == header.id, reply.index == index else {
      backend.discard(connection)
      return nil
    }
    counts.subRepliesReceived.count()
    let sum = FanOut.checksum(connection.replies.frame)
    backend.put(connection)
    return sum
  }
}

/// What the children of one request have found together. Relaxed throughout: the end of the group orders all of it
/// before it is read.
private final class Sum: Sendable {
  private let sum = Atomic<UInt64>(0)
  private let isBroken = Atomic<Bool>(false)

  func add(_ part: UInt64?) {
    if let part { sum.wrappingAdd(part, ordering: .relaxed) } else { isBroken.store(true, ordering: .relaxed) }
  }

  /// Nil if a part is missing.
  var total: UInt64? { isBroken.load(ordering: .relaxed) ? nil : sum.load(ordering: .relaxed) }
}
