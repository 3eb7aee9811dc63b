// blocking-mix with threads. Idiom: a thread per connection reads requests and does what they ask; with mitigation=offload
// it hands hogs to a bounded pool of threads, and waits.
//
// A thread that blocks holds up nobody but its own client, and one that burns is preempted like any other: without any
// mitigation hogs take processor time from the others, and nothing else. Offloading them bounds how many compete.

import CLinux
import ModelKit
import Synchronization
import Workloads

final class BlockingMixServer: Sendable {
  // Relaxed, for they order nothing: a reading at an edge need not balance, and the last one is taken after every thread
  // has been joined.
  private let requestsReceived = Atomic(0)
  private let requestsAnswered = Atomic(0)
  private let hogsReceived = Atomic(0)
  private let hogsOffloaded = Atomic(0)
  private let blockingCalls = Atomic(0)
  private let connections = ConnectionCounts()
  private let clients: Clients
  /// Where hogs go with mitigation=offload.
  private let pool: ThreadPool?

  /// Runs one trial.
  static func serve(_ session: Session) throws {
    let server = try BlockingMixServer(session)
    try server.clients.accept { server.serve($0) }
    try session.ready(port: server.clients.port)
    try session.serve(
      ledger: { server.ledger },
      counters: { ["poolThreads": server.pool?.size ?? 0, "connectionThreads": server.clients.threadCount - 1] },
      drain: {
        try server.clients.close()
        server.pool?.close()
      })
  }

  private init(_ session: Session) throws {
    let parameters = try session.parameters(BlockingMix.Parameters.init)
    let clients = try Clients(backlog: parameters.connections, counts: connections)
    self.clients = clients
    guard parameters.mitigation == .offload else {
      pool = nil
      return
    }
    let workers = session.request.workers
    pool = ThreadPool(
      limit: parameters.hogKind == .cpu ? workers : parameters.blockingHogs(workers: workers)
    ) { failure in clients.fail(failure) }
  }

  /// A connection's thread.
  private func serve(_ client: Socket) {
    let frame = UnsafeMutableRawBufferPointer.allocate(byteCount: BlockingMix.requestBytes, alignment: 8)
    defer { frame.deallocate() }
    let answer = UnsafeMutableRawBufferPointer(rebasing: frame[..<BlockingMix.answerBytes])
    let offload = pool.map { Offload($0) }
    while client.receive(.request, into: frame) != nil {
      guard let request = BlockingMix.Request(reading: UnsafeRawBufferPointer(frame)) else { return client.shutDown() }
      requestsReceived.count()
      if request.work.isHog { hogsReceived.count() }
      let value: UInt64
      if request.work.isHog, let offload {
        value = offload.run { self.work(request) }
        hogsOffloaded.count()
      } else {
        value = work(request)
      }
      BlockingMix.Header(.answer, length: BlockingMix.answerBytes, id: request.id, value: value).write(to: answer)
      guard client.send(UnsafeRawBufferPointer(answer)) else { break }
      requestsAnswered.count()
    }
    client.shutDown()
  }

  private func work(_ request: BlockingMix.Request) -> UInt64 {
    switch request.work {
    case .interactive(let iterations), .hog(let iterations):
      return CPUWork.burn(seed: request.value, iterations: iterations)
    case .blockingHog(let nanoseconds):
      blockingCalls.count()
      return clinux_block(request.value, nanoseconds)
    }
  }

  private var ledger: Ledger {
    [
      "requestsReceived": requestsReceived.value, "requestsAnswered": requestsAnswered.value,
      "hogsReceived": hogsReceived.value, "hogsOffloaded": hogsOffloaded.value, "blockingCalls": blockingCalls.value,
      "clientConnectionsAccepted": connections.accepted.value, "clientConnectionsClosed": connections.closed.value,
    ]
  }
}

/// A connection's way to have work done on the pool. Sendable because `value` is written before the semaphore is posted
/// and read after it was waited for, and the connection has one request at a time.
private final class Offload: @unchecked Sendable {
  private let pool: ThreadPool
  private let done = Semaphore()
  private var value: UInt64 = 0

  init(_ pool: ThreadPool) { self.pool = pool }

  /// Runs the body on the pool and waits for what it returns.
  func run(_ body: @escaping @Sendable () -> UInt64) -> UInt64 {
    pool.start { _ in
      self.value = body()
      self.done.post()
    }
    done.wait()
    return value
  }
}
