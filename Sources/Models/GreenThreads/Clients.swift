// The side of a served workload that faces the rig: a unit that accepts, a unit for each connection, and the root unit,
// which waits for the harness on standard input as for any descriptor.

import GreenThreads
import ModelKit
import Synchronization
import Workloads

/// Sendable because `open` is only touched under `mutex`, and the rest never changes.
final class Clients: @unchecked Sendable {
  private let accepted = Atomic(0)
  private let closed = Atomic(0)
  private let bufferBytes: Int
  private let converse: @Sendable (FrameConnection) throws -> Void
  private let mutex = GreenThreads.Mutex()
  private var open: [ObjectIdentifier: FrameConnection] = [:]

  /// - Parameters:
  ///   - bufferBytes: the longest frame of a connection.
  ///   - converse: a connection's unit: answers its requests until its end.
  init(bufferBytes: Int, _ converse: @escaping @Sendable (FrameConnection) throws -> Void) {
    self.bufferBytes = bufferBytes
    self.converse = converse
  }

  /// Listens, and serves until the harness ends the trial.
  /// - Parameters:
  ///   - ledger: the workload's counts but for those of the connections.
  ///   - drain: called once no client is left.
  func serve(
    _ session: Session, connections: Int, ledger: () -> Ledger, drain: () throws -> Void = {}
  ) throws {
    let input = try Descriptor(adopting: session.inputDescriptor)
    let listener = try Descriptor.listen(backlog: Int32(connections))
    // Also where this throws: the listener's unit would wait for ever.
    defer { listener.close() }
    let accepting = try spawn(name: "listener") { try self.accept(on: listener) }
    try session.ready(port: listener.port)
    var acceptor: JoinHandle<Void>? = consume accepting
    var isDrained = false
    while true {
      for event in try session.receive() {
        switch event {
        case .edge(let edge): try session.report(edge, ledger: counting(ledger()))
        case .drain, .end:
          if !isDrained {
            isDrained = true
            listener.close()
            try acceptor.take()?.join()
            try drain()
            let counters = Scheduler.counters.reduce(Counters(), +)
            try session.finish(ledger: counting(ledger()), counters: Ledger(green: counters))
          }
          if event == .end { return }
        case .begin: break  // only where a model drives itself
        }
      }
      try input.waitUntilReadable()
    }
  }

  /// The listener's unit. Its scope's children are the connections' units, and it ends after them.
  private func accept(on listener: Descriptor) throws {
    try withScope { scope in
      while true {
        let descriptor: Descriptor
        do { descriptor = try listener.accept() } catch let error as IOError where error.isClosed { break }
        accepted.count()
        let client = FrameConnection(descriptor, bufferBytes: bufferBytes) { self.closed.count() }
        try mutex.withLock { open[ObjectIdentifier(client)] = client }
        try scope.spawn(name: "connection") {
          // What the other side does wrong ends its connection; what this side lacks ends the trial.
          do { try self.converse(client) } catch is FrameError {} catch is BackendLost {
          } catch let error as IOError where !error.isResourceLimit {}
          try self.mutex.withLock { _ = self.open.removeValue(forKey: ObjectIdentifier(client)) }
        }
      }
      // Nothing more to read on those that the other side has left open.
      for client in try mutex.withLock({ Array(open.values) }) { client.descriptor.shutdownReading() }
    }
  }

  private func counting(_ ledger: Ledger) -> Ledger {
    var ledger = ledger
    ledger["clientConnectionsAccepted"] = accepted.value
    ledger["clientConnectionsClosed"] = closed.value
    return ledger
  }
}
