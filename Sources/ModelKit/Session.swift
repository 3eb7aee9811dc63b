// One trial's conversation with the harness, for models that may block a thread on it and for models that may not.

import CLinux
import Glibc
import Workloads

/// One trial, from the request to the result.
///
/// A model that may block a thread calls ``serve(ledger:counters:drain:)`` on its main thread, or, where the model drives
/// itself, ``awaitBegin()`` and ``conduct(_:operations:ledger:counters:drain:)``. A model that may not block watches
/// ``inputDescriptor`` for readability and calls ``receive()``.
///
/// Sendable because a trial's conversation has one user at a time: whichever thread or task runs the model's control
/// path. Nothing here is locked.
public final class Session: @unchecked Sendable {
  /// What the harness wants next.
  public enum Event: Sendable, Equatable {
    /// In-process only: build what the case needs and start to work. The window's ends are fixed from this moment.
    case begin(Window)
    /// Served only: the measured window opens or closes: answer with ``report(_:ledger:)`` at once.
    case edge(Edge)
    /// Finish what is under way, close every connection, then ``finish(ledger:counters:)``.
    case drain
    /// The harness has closed the input, or is gone: drain if that has not been done, and return.
    case end
  }

  public let request: TrialRequest
  /// The descriptor that commands arrive on.
  public var inputDescriptor: Int32 { channel.input }
  private let channel: LineChannel
  private var hasFinished = false

  init(request: TrialRequest, channel: LineChannel) {
    self.request = request
    self.channel = channel
  }

  /// fan-out's parameters, checked.
  /// - Throws: ``ModelFailure`` if the request's are not fan-out's.
  public func fanOut() throws(ModelFailure) -> FanOut.Parameters {
    try parameters(FanOut.Parameters.init)
  }

  /// The port of the rig's backend.
  /// - Throws: ``ModelFailure`` if the request has none.
  public func backendPort() throws(ModelFailure) -> UInt16 {
    guard let port = request.backendPort else {
      throw ModelFailure(.failed, "the trial has no backendPort, which \(request.workload) needs")
    }
    return port
  }

  /// Says that the model listens on that loopback port and has all its backend connections.
  public func ready(port: UInt16) throws(ModelFailure) {
    var reply = ModelReply(reply: .ready)
    reply.port = port
    try channel.send(reply)
  }

  /// Waits for the harness, blocking the calling thread.
  /// - Throws: ``ModelFailure`` for a line that is no command.
  public func nextEvent() throws(ModelFailure) -> Event {
    guard let command: ModelCommand = try channel.next() else { return .end }
    return try event(command)
  }

  /// What has arrived on a non-blocking ``inputDescriptor``; empty if nothing has. Reads until the input is dry, as
  /// edge-triggered pollers need.
  /// - Throws: ``ModelFailure`` for a line that is no command.
  public func receive() throws(ModelFailure) -> [Event] {
    var events: [Event] = []
    let isOpen = try channel.fill()
    while let command: ModelCommand = try channel.buffered() { events.append(try event(command)) }
    if !isOpen { events.append(.end) }
    return events
  }

  /// What has arrived already, if anything has.
  func buffered() throws(ModelFailure) -> Event? {
    guard let command: ModelCommand = try channel.buffered() else { return nil }
    return try event(command)
  }

  /// In-process trials, and only those, carry the window's length: such a model owns the window.
  private var isInProcess: Bool { request.windowNanoseconds != nil }

  private func event(_ command: ModelCommand) throws(ModelFailure) -> Event {
    switch (command.command, command.edge) {
    case (.begin, _) where isInProcess: return .begin(try window())
    case (.edge, let edge?) where !isInProcess: return .edge(edge)
    case (.drain, _): return .drain
    default:
      throw ModelFailure(
        .failed,
        "the command '\(command.command.rawValue)' does not belong within a trial of \(request.workload)")
    }
  }

  /// Answers an edge with what the process has used so far and with the ledger as it stands.
  public func report(_ edge: Edge, usage: Usage = .current(), ledger: Ledger) throws(ModelFailure) {
    var reply = ModelReply(reply: .edge)
    reply.usage = usage
    reply.edge = edge
    reply.ledger = ledger
    try channel.send(reply)
  }

  /// Prints the result, once: the balanced ledger, and whatever else the runtime counted. Every connection is closed
  /// by then.
  public func finish(ledger: Ledger, counters: Ledger? = nil) throws(ModelFailure) {
    var reply = ModelReply(reply: .result)
    reply.ledger = ledger
    reply.counters = counters
    try finish(reply)
  }

  func finish(_ result: ModelReply) throws(ModelFailure) {
    guard !hasFinished else { return }
    hasFinished = true
    try send(result)
  }

  func send(_ reply: ModelReply) throws(ModelFailure) { try channel.send(reply) }

  /// Serves the trial to its end, blocking the calling thread between events.
  /// - Parameters:
  ///   - ledger: the counts as they stand, asked for at the edges and after the drain.
  ///   - drain: finishes what is under way and closes every connection.
  public func serve(ledger: () -> Ledger, counters: () -> Ledger? = { nil }, drain: () throws -> Void) throws {
    while true {
      switch try nextEvent() {
      case .edge(let edge): try report(edge, ledger: ledger())
      case .drain where hasFinished: break
      case .drain:
        try drain()
        try finish(ledger: ledger(), counters: counters())
      case .end:
        if !hasFinished {
          try drain()
          try finish(ledger: ledger(), counters: counters())
        }
        return
      case .begin: preconditionFailure("a served trial has no such event")
      }
    }
  }
}
