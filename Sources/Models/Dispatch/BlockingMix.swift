// blocking-mix with Dispatch. Idiom: a serial queue per worker is the target of its connections' read sources; a request is
// done in the handler that has read it. With offload hogs go to serial queues of their own, one at a time to each.
//
// Serial queues, and not one concurrent queue: on Linux a concurrent queue shares a pool of as many threads as there are
// processors, which grows by one a second when they block. A serial queue is given a thread at once.

import CLinux
import Dispatch
import Glibc
import ModelKit
import Synchronization
import Workloads

/// Queues for what takes long. A serial queue guards who is free, entered with `sync` for a few nanoseconds: see
/// BackendPool. Sendable because what is mutable is only touched on that queue.
private final class HogQueues: @unchecked Sendable {
  private let guarding = DispatchQueue(label: "hogs")
  private var free: [DispatchQueue]
  private var waiting = FIFO<@Sendable () -> Void>()
  private let unfinished = DispatchGroup()

  init(count: Int) { free = (0..<count).map { DispatchQueue(label: "hog-\($0)") } }

  /// Runs it on the next queue that is free.
  func run(_ hog: @escaping @Sendable () -> Void) {
    unfinished.enter()
    let queue: DispatchQueue? = guarding.sync {
      if let queue = free.popLast() { return queue }
      waiting.append(hog)
      return nil
    }
    if let queue { run(hog, on: queue) }
  }

  private func run(_ hog: @escaping @Sendable () -> Void, on queue: DispatchQueue) {
    queue.async { [self] in
      hog()
      let next: (@Sendable () -> Void)? = guarding.sync {
        if let next = waiting.popFirst() { return next }
        free.append(queue)
        return nil
      }
      if let next { run(next, on: queue) }
      unfinished.leave()
    }
  }

  /// Waits until none is under way.
  func wait() { unfinished.wait() }
}

/// Counters that any queue may increment; relaxed, for they order nothing.
private final class MixCounts: Sendable {
  let requestsReceived = Atomic(0)
  let requestsAnswered = Atomic(0)
  let hogsReceived = Atomic(0)
  let hogsOffloaded = Atomic(0)
  let blockingCalls = Atomic(0)
  let clientConnectionsAccepted = Atomic(0)
  let clientConnectionsClosed = Atomic(0)

  var ledger: Ledger {
    [
      "requestsReceived": requestsReceived.value, "requestsAnswered": requestsAnswered.value,
      "hogsReceived": hogsReceived.value, "hogsOffloaded": hogsOffloaded.value, "blockingCalls": blockingCalls.value,
      "clientConnectionsAccepted": clientConnectionsAccepted.value,
      "clientConnectionsClosed": clientConnectionsClosed.value,
    ]
  }
}

/// A worker: a serial queue, and the connections that live on it. Sendable because `connections` is confined to the queue.
private final class MixLane: @unchecked Sendable {
  let queue: DispatchQueue
  var connections: [ObjectIdentifier: MixConnection] = [:]

  init(_ index: Int) { queue = DispatchQueue(label: "lane-\(index)") }
}

/// A client connection, with at most one request under way.
private final class MixConnection: FrameConnection, @unchecked Sendable {
  private let server: BlockingMixServer
  private let lane: MixLane
  private var isBusy = false
  private var isLast = false

  init(_ descriptor: Int32, on lane: MixLane, of server: BlockingMixServer) {
    self.server = server
    self.lane = lane
    super.init(
      descriptor, on: lane.queue, receives: .request, bytes: BlockingMix.requestBytes, closing: server.closingClients)
    server.counts.clientConnectionsAccepted.count()
  }

  override func received(_ header: FanOut.Header) {
    guard let request = BlockingMix.Request(reading: UnsafeRawBufferPointer(input)) else { return close() }
    server.counts.requestsReceived.count()
    if request.work.isHog { server.counts.hogsReceived.count() }
    guard let hogs = server.hogs, request.work.isHog else {
      return answer(request, perform(request))
    }
    isBusy = true
    pauseReading()
    server.counts.hogsOffloaded.count()
    hogs.run { [self] in
      let value = perform(request)
      queue.async { [self] in
        answer(request, value)
        isBusy = false
        continueReading()
        if isLast { close() }
      }
    }
  }

  /// On whatever thread it is to take.
  private func perform(_ request: BlockingMix.Request) -> UInt64 {
    switch request.work {
    case .interactive(let iterations), .hog(let iterations):
      return CPUWork.burn(seed: request.value, iterations: iterations)
    case .blockingHog(let nanoseconds):
      server.counts.blockingCalls.count()
      return clinux_block(request.value, nanoseconds)
    }
  }

  private func answer(_ request: BlockingMix.Request, _ value: UInt64) {
    let header = FrameHeader(.answer, length: BlockingMix.answerBytes, id: request.id, value: value)
    let isSent = withUnsafeTemporaryAllocation(byteCount: header.length, alignment: 8) { frame in
      header.write(to: frame)
      return send(UnsafeRawBufferPointer(frame))
    }
    if isSent { server.counts.requestsAnswered.count() }
  }

  /// Closes the connection, after the request that is under way.
  func drain() {
    isLast = true
    if !isBusy { close() }
  }

  override func closed() {
    server.counts.clientConnectionsClosed.count()
    lane.connections[ObjectIdentifier(self)] = nil
  }
}

/// Sendable because it is immutable but for `failure`, which belongs to the listener's queue, and because a Dispatch
/// source may be used from any thread, though it is not declared so.
final class BlockingMixServer: @unchecked Sendable {
  fileprivate let counts = MixCounts()
  /// Where hogs are moved; nil if they run where all requests do.
  fileprivate let hogs: HogQueues?
  /// Entered once for every client connection, and for the listener, until its descriptor has been closed.
  fileprivate let closingClients = DispatchGroup()
  private let lanes: [MixLane]
  private let port: UInt16
  private let listener: any DispatchSourceRead
  private var failure: ModelFailure?

  /// Runs one trial.
  static func serve(_ session: Session) throws {
    let server = try BlockingMixServer(session)
    server.listen()
    try session.ready(port: server.port)
    try session.serve(ledger: { server.counts.ledger }, drain: { try server.drain() })
  }

  private init(_ session: Session) throws {
    let parameters = try session.parameters(BlockingMix.Parameters.init)
    let workers = session.request.workers
    lanes = (0..<workers).map(MixLane.init)
    switch (parameters.mitigation, parameters.hogKind) {
    case (.none, _): hogs = nil
    case (.offload, .cpu): hogs = HogQueues(count: workers)
    case (.offload, .blockingCall):
      let count = parameters.blockingHogs(workers: workers)
      try Limits.admit(threads: count)
      hogs = HogQueues(count: count)
    }
    let descriptor = try require(clinux_listen_loopback(0, Int32(parameters.connections), 1), "listening on loopback")
    port = UInt16(try require(clinux_local_port(descriptor), "reading the listener's port"))
    listener = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: lanes[0].queue)
  }

  private func listen() {
    closingClients.enter()
    listener.setEventHandler { [self] in accept() }
    listener.setCancelHandler { [self] in  // no client can come after this
      clinux_close(Int32(listener.handle))
      for lane in lanes { lane.queue.async { for client in lane.connections.values { client.drain() } } }
      closingClients.leave()
    }
    listener.activate()
  }

  /// Accepts all who wait; each goes to the next lane.
  private func accept() {
    while true {
      let descriptor = clinux_accept(Int32(listener.handle), 1)
      if descriptor == -EAGAIN { return }
      if descriptor == -EINTR || descriptor == -ECONNABORTED { continue }
      do throws(ModelFailure) {
        try require(descriptor, "accepting a connection")
      } catch {
        failure = error  // hangs up, so that the rig sees it at once; the drain throws it
        return listener.cancel()
      }
      let lane = lanes[counts.clientConnectionsAccepted.value % lanes.count]
      let client = MixConnection(descriptor, on: lane, of: self)
      lane.queue.async {
        lane.connections[ObjectIdentifier(client)] = client
        client.activate()
      }
    }
  }

  /// Stops listening, lets every client's request come to its end, and closes all connections.
  private func drain() throws(ModelFailure) {
    listener.cancel()
    closingClients.wait()
    hogs?.wait()
    if let failure { throw failure }
  }
}
