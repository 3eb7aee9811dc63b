// ping-pong with green threads. Idiom: two units a pair, each a loop around its mailbox, a channel of capacity 1.
//
// A hand-over is a send to a unit that waits (its token goes straight to the receiver's stack, the unit to the worker's
// slot) and a switch to it; the kernel has no part in it. With several workers a pair stays where it is, since a worker
// is only roused for a surplus of runnable units: one pair has none, and goes as fast as on one worker but for the
// locked instructions.

import GreenThreads
import ModelKit
import Synchronization
import Workloads

final class PingPongTrial: Sendable {
  /// A unit's counts, written by it alone.
  private struct Row: ~Copyable {
    let started = Atomic(0), finished = Atomic(0)
    let sent = Atomic(0), received = Atomic(0), outOfTurn = Atomic(0)
    let kept = Atomic(0), checksum = Atomic(0)
  }

  private let parameters: PingPong.Parameters
  /// Two a pair: ping's, then pong's.
  private let mailboxes: [GreenThreads.Channel<UInt64>]
  private let rows: Rows<Row>
  /// The units that have not started yet.
  private let waiting = WaitGroup()
  private let stopping = Atomic(false)

  static func run(_ session: Session) throws {
    let parameters = try session.parameters(PingPong.Parameters.init)
    try Limits.admit(units: parameters.units, bytes: parameters.units * Session.bytesPerUnit)
    try session.ready()
    let window = try session.awaitBegin()
    let workers = parameters.workers == .one ? 1 : session.request.workers
    try session.onUnits(Scheduler.Configuration(workers: workers)) {
      try PingPongTrial(parameters).run(session, window)
    }
  }

  private init(_ parameters: PingPong.Parameters) {
    self.parameters = parameters
    mailboxes = (0..<parameters.units).map { _ in GreenThreads.Channel(capacity: 1) }
    rows = Rows(count: parameters.units) { _ in Row() }
  }

  private func run(_ session: Session, _ window: Window) throws {
    var startedAtFirstToken = 0
    let operations = try withScope { scope in
      waiting.add(parameters.units)
      for unit in 0..<parameters.units {
        try scope.spawn(name: unit % 2 == 0 ? "ping" : "pong") { try self.play(unit) }
      }
      try waiting.wait()
      startedAtFirstToken = rows.sum { $0.started.value }
      for pair in 0..<parameters.pairs { try mailboxes[2 * pair].send(PingPong.firstToken(pair: pair)) }
      defer { stopping.store(true, ordering: .relaxed) }
      return try session.conduct(
        window, operations: { rows.sum { $0.sent.value } }, ledger: { ledger(startedAtFirstToken) })
    }
    try session.finish(ledger(startedAtFirstToken), InProcessResult(operations: operations))
  }

  private func play(_ unit: Int) throws {
    let row = rows[unit]
    let mailbox = mailboxes[unit]
    let partner = mailboxes[unit ^ 1]
    var expected = PingPong.firstToken(pair: unit / 2) &+ UInt64(unit % 2)
    row.pointee.started.grow()
    waiting.done()
    while let token = try mailbox.receive() {
      row.pointee.received.grow()
      if token != expected { row.pointee.outOfTurn.grow() }
      if stopping.load(ordering: .relaxed) {
        row.pointee.kept.grow()
        row.pointee.checksum.grow(by: token)
        partner.close()
        break
      }
      try partner.send(token &+ 1)
      row.pointee.sent.grow()
      expected = token &+ 2
    }
    row.pointee.finished.grow()
  }

  private func ledger(_ startedAtFirstToken: Int) -> Ledger {
    [
      "unitsStarted": rows.sum { $0.started.value }, "unitsFinished": rows.sum { $0.finished.value },
      "startedAtFirstToken": startedAtFirstToken,
      "handOversSent": rows.sum { $0.sent.value }, "tokensReceived": rows.sum { $0.received.value },
      "tokensOutOfTurn": rows.sum { $0.outOfTurn.value }, "tokensKept": rows.sum { $0.kept.value },
      "checksum": rows.sum { $0.checksum.value },
    ]
  }
}
