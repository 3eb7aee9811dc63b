// The phases of a trial: what the harness commands, when the window opens and closes, when to stop waiting.

import CLinux
import Workloads

extension Trial where Load: ~Copyable {
  // MARK: Commands

  mutating func obeyCommands() throws(RigFailure) {
    while let command = try conversation.nextCommand() {
      switch (command.command, phase) {
      case (.connect, .listening):
        guard let port = command.port, port > 0 else { throw RigFailure("connect came without the model's port") }
        phase = .connecting
        modelPort = port
        giveUpNanoseconds = clinux_monotonic_ns() + plan.patienceNanoseconds
        try connectClients()
      case (.finish, .drained):
        phase = .reported
        mustReport = true
      default:
        throw RigFailure("'\(command.command.rawValue)' came out of turn: the order is load, connect, finish")
      }
    }
  }

  mutating func report() {
    mustReport = false
    var reply = RigReply(.result)
    reply.result = measurements.result(
      isComplete: isComplete,
      ledger: load.ledger(
        requestsSent: requestsSent, requestsAnswered: requestsAnswered, backendPeak: backend.peak))
    conversation.send(reply)
  }

  // MARK: The load

  /// Whether requests may have to be sent in this turn.
  var mayHaveRequests: Bool { (phase == .loading || phase == .draining) && clients.idleCount > 0 }

  /// When the next request is or was intended; nil if the load holds no more. In an open loop requests that wait for a
  /// connection are sent after its end, too.
  var nextIntended: UInt64? {
    if let operations = plan.operations, requestsSent >= operations { return nil }
    guard let schedule else { return phase == .loading ? startNanoseconds : nil }
    let intended = startNanoseconds + schedule.nextNanoseconds
    return intended < endNanoseconds ? intended : nil
  }

  /// The next moment at which something is to be done that no event announces.
  var nextMoment: UInt64 {
    switch phase {
    case .listening, .drained, .reported: return .max
    case .connecting: return giveUpNanoseconds
    case .loading, .draining:
      var next = phase == .loading ? endNanoseconds : giveUpNanoseconds
      if !measurements.isOpen { next = min(next, measurements.openNanoseconds) }
      if clients.outstanding > 0 { next = min(next, lastProgress + plan.patienceNanoseconds) }
      if clients.idleCount > 0, let intended = nextIntended { next = min(next, intended) }
      return next
    }
  }

  mutating func advancePhase() throws(RigFailure) {
    switch phase {
    case .listening, .drained, .reported: return
    case .connecting:
      if clients.established == clients.count { return start() }
      if now >= giveUpNanoseconds {
        throw RigFailure(
          "\(clients.established) of \(clients.count) connections to the model were established within "
            + "\(Double(plan.patienceNanoseconds) / 1e9) s")
      }
    case .loading:
      announceWindow()
      if plan.operations != nil ? nextIntended == nil : now >= endNanoseconds {
        phase = .draining
        giveUpNanoseconds = now + plan.patienceNanoseconds
        // Where all has been answered already, no event would tell.
        return try advancePhase()
      } else if clients.established == 0 || isStuck() {
        drained()
      }
    case .draining:
      announceWindow()
      if clients.outstanding == 0 && (nextIntended == nil || clients.established == 0) || isStuck() {
        drained()
      } else if now >= giveUpNanoseconds {
        guard load.releaseStuck() else { return drained() }
        sendReleased()
        giveUpNanoseconds = now + plan.patienceNanoseconds
      }
    }
  }

  private mutating func start() {
    phase = .loading
    startNanoseconds = clinux_monotonic_ns()
    lastProgress = startNanoseconds
    if plan.operations == nil {
      let open = startNanoseconds + plan.warmUpNanoseconds
      endNanoseconds = open + plan.windowNanoseconds
      measurements.plan(open: open, close: endNanoseconds)
      // Encoded beforehand: at the edges there is no time for it.
      edgeLines = [Conversation.edgeLine(.open, at: open), Conversation.edgeLine(.close, at: endNanoseconds)]
    } else {
      // The window opens with the first request, and closes when the last has been answered.
      let first = nextIntended ?? startNanoseconds
      measurements.plan(open: first, close: .max)
      edgeLines = [Conversation.edgeLine(.open, at: first)]
    }
  }

  private mutating func announceWindow() {
    if !measurements.isOpen && now >= measurements.openNanoseconds {
      measurements.open()
      conversation.write(edgeLines[0])
    }
    if measurements.isOpen && !measurements.isClosed && now >= measurements.closeNanoseconds {
      measurements.close(at: measurements.closeNanoseconds)
      conversation.write(edgeLines[1])
    }
  }

  /// Whether nothing has come from the model for too long although no reply is due to it. Replies that are withheld
  /// are released first, once and for all.
  private mutating func isStuck() -> Bool {
    guard clients.outstanding > 0, now >= lastProgress + plan.patienceNanoseconds else { return false }
    guard load.releaseStuck() else { return true }
    sendReleased()
    lastProgress = max(lastProgress, now)
    return false
  }

  /// The end of the client side, whether or not everything was answered.
  private mutating func drained() {
    isComplete = phase == .draining && requestsAnswered == requestsSent && nextIntended == nil
    countUnsent()
    if load.releaseStuck() { sendReleased() }
    closeWindow()
    // Half-closed, the connections still show answers that nobody asked for.
    for slot in 0..<clients.count { clients.halfClose(slot) }
    phase = .drained
    conversation.send(RigReply(.drained))
  }

  /// Requests of an open loop that were intended before now and never found a connection were offered all the same.
  private mutating func countUnsent() {
    guard plan.operations == nil, schedule != nil else { return }
    while let intended = nextIntended, intended <= now {
      if measurements.contains(intended) { measurements.offered += 1 }
      schedule?.advance()
    }
  }

  /// Closes the window if that has not happened yet: the load was bounded by count, or has ended early.
  private mutating func closeWindow() {
    if !measurements.isOpen {
      measurements.plan(open: min(now, measurements.openNanoseconds), close: .max)
      measurements.open()
      conversation.write(Conversation.edgeLine(.open, at: measurements.openNanoseconds))
    }
    if !measurements.isClosed {
      measurements.close(at: max(now, measurements.openNanoseconds))
      conversation.write(Conversation.edgeLine(.close, at: measurements.closeNanoseconds))
    }
  }
}
