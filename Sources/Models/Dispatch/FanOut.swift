// fan-out with Dispatch. Idiom: a serial queue per worker is the target of its connections' read sources; each request
// and each sub-request is a block on it, a group joins them, and nothing blocks.
//
// Connections share a queue rather than having one each: whatever becomes readable while a lane is awake is served by
// the same wake-up of a worker thread. Whether the lanes target the default queue or `.global()` makes no difference.
// What cannot be saved on Linux: for each event of a source Dispatch makes two epoll_ctl calls and one ioctl, and hands
// over from its manager thread and back.

import CLinux
import Dispatch
import Glibc
import ModelKit
import Workloads

/// A worker: a serial queue, and the client connections that live on it. Sendable because `clients` is confined to the
/// queue.
final class Lane: @unchecked Sendable {
  let index: Int
  let queue: DispatchQueue
  var clients: [ObjectIdentifier: Client] = [:]

  init(_ index: Int) {
    self.index = index
    queue = DispatchQueue(label: "lane-\(index)")
  }
}

/// Sendable because it is immutable but for `failure`, which belongs to the listener's queue, and because a Dispatch
/// source may be used from any thread, though it is not declared so.
final class FanOutServer: @unchecked Sendable {
  let parameters: FanOut.Parameters
  let gathers: Bool
  let counts = Counts()
  let backend: BackendPool
  /// Entered once for every client connection, and for the listener, until its descriptor has been closed.
  let closingClients = DispatchGroup()
  private let closingBackend = DispatchGroup()
  private let lanes: [Lane]
  private let port: UInt16
  private let listener: any DispatchSourceRead
  private var failure: ModelFailure?

  /// Runs one trial.
  static func serve(_ session: Session) throws {
    let server = try FanOutServer(session)
    server.listen()
    try session.ready(port: server.port)
    try session.serve(ledger: { server.counts.ledger }, drain: { try server.drain() })
  }

  private init(_ session: Session) throws {
    parameters = try session.fanOut()
    gathers = session.request.variant == "gather"
    lanes = (0..<session.request.workers).map(Lane.init)
    backend = BackendPool(lanes: lanes.count)
    let backendPort = try session.backendPort()
    for number in 0..<parameters.backendConnections {
      let descriptor = try require(clinux_connect_loopback(backendPort, 0), "connecting to the backend")
      try require(clinux_set_nonblocking(descriptor, 1), "making a socket non-blocking")
      let connection = BackendConnection(
        descriptor, on: lanes[number % lanes.count], of: backend, parameters, counts: counts, closing: closingBackend)
      backend.add(connection)
      connection.activate()
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
      for lane in lanes { lane.queue.async { for client in lane.clients.values { client.drain() } } }
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
        return fail(error)
      }
      let lane = lanes[counts.clientConnectionsAccepted.value % lanes.count]
      let client = Client(descriptor, on: lane, of: self)
      lane.queue.async {
        lane.clients[ObjectIdentifier(client)] = client
        client.activate()
      }
    }
  }

  /// Records why the trial cannot go on, and hangs up so that the rig sees it at once. The drain throws it.
  private func fail(_ failure: ModelFailure) {
    self.failure = failure
    listener.cancel()
    for lane in lanes { lane.queue.async { for client in lane.clients.values { client.close() } } }
  }

  /// Stops listening, lets every client's request come to its end, and closes all connections: clients first, for
  /// their requests need the backend's.
  private func drain() throws(ModelFailure) {
    listener.cancel()
    closingClients.wait()
    backend.close()
    closingBackend.wait()
    if let failure { throw failure }
  }
}
