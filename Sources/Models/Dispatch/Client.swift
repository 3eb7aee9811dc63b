// A client connection and its requests.

import CLinux
import Dispatch
import ModelKit
import Synchronization
import Workloads

/// A client's request while its sub-requests are under way. Sendable because the frame is not written to before the
/// request has been answered.
final class Request: @unchecked Sendable {
  let header: FanOut.Header
  let frame: UnsafeRawBufferPointer
  /// Left once for each sub-request.
  let group = DispatchGroup()
  /// Where the ends of sub-requests are counted; nil if they are no units of their own.
  private let units: Counts?
  // Relaxed, because the group orders them: what came before a `leave` is seen by its `notify`.
  private let partialSum = Atomic<UInt64>(0)
  private let isIncomplete = Atomic(false)

  init(_ header: FanOut.Header, frame: UnsafeRawBufferPointer, units: Counts?) {
    self.header = header
    self.frame = frame
    self.units = units
  }

  /// The end of a sub-request, and of its unit.
  /// - Parameter part: the checksum of its reply; nil if there is none to be had.
  func arrive(_ part: UInt64?) {
    if let part {
      partialSum.wrappingAdd(part, ordering: .relaxed)
    } else {
      isIncomplete.store(true, ordering: .relaxed)
    }
    units?.unitsFinished.count()
    group.leave()
  }

  /// The sum of the checksums, within the group's `notify`; nil if one is missing.
  var sum: UInt64? { isIncomplete.load(ordering: .relaxed) ? nil : partialSum.load(ordering: .relaxed) }
}

/// A client connection: a block for each request, which starts a block for each sub-request.
final class Client: FrameConnection, @unchecked Sendable {
  private let server: FanOutServer
  private let lane: Lane
  private var isBusy = false
  private var isLast = false

  init(_ descriptor: Int32, on lane: Lane, of server: FanOutServer) {
    self.server = server
    self.lane = lane
    super.init(
      descriptor, on: lane.queue, receives: .request, bytes: server.parameters.requestBytes,
      closing: server.closingClients)
    server.counts.clientConnectionsAccepted.count()
  }

  override func received(_ header: FanOut.Header) {
    server.counts.requestsReceived.count()
    server.counts.unitsStarted.count()
    isBusy = true
    pauseReading()
    let units = server.gathers ? nil : server.counts
    queue.async { [self] in serve(Request(header, frame: UnsafeRawBufferPointer(input), units: units)) }
  }

  /// A request's unit, until it has been answered.
  private func serve(_ request: Request) {
    let width = server.parameters.width
    if !server.gathers { server.counts.unitsStarted.count(width) }
    for index in 0..<width {
      request.group.enter()
      let subRequest = SubRequest(request: request, index: index)
      if server.gathers {
        server.backend.ask(subRequest, from: lane)
      } else {
        queue.async { [self] in server.backend.ask(subRequest, from: lane) }
      }
    }
    request.group.notify(queue: queue) { [self] in answer(request) }
  }

  private func answer(_ request: Request) {
    if let sum = request.sum {
      let header = FanOut.Header(.answer, length: FanOut.Header.bytes, id: request.header.id, value: sum)
      let isSent = withUnsafeTemporaryAllocation(byteCount: header.length, alignment: 8) { frame in
        header.write(to: frame)
        return send(UnsafeRawBufferPointer(frame))
      }
      if isSent { server.counts.requestsAnswered.count() }
    } else {
      close()  // a reply is missing for good: hanging up is the only honest answer
    }
    server.counts.unitsFinished.count()
    isBusy = false
    continueReading()
    if isLast { close() }
  }

  /// Closes the connection, after the request that is under way.
  func drain() {
    isLast = true
    if !isBusy { close() }
  }

  override func closed() {
    server.counts.clientConnectionsClosed.count()
    lane.clients[ObjectIdentifier(self)] = nil
  }
}
