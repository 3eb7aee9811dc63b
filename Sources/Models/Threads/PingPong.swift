// ping-pong with threads. Idiom: two threads, each with a mailbox of one slot and a semaphore.
//
// The slot needs no lock: of the two, one always waits for the other. A hand-over is one futex to wake the partner, one
// to sleep, and the kernel's switch between them, which is nearly all that it costs.

import CLinux
import ModelKit
import Synchronization
import Workloads

/// Room for one token. Sendable because the slot is written before the semaphore is posted and read after it was waited
/// for, and its next writer has the token that this reader sent.
private final class Mailbox: @unchecked Sendable {
  private let filled = Semaphore()
  private let slot = UnsafeMutablePointer<UInt64?>.allocate(capacity: 1)

  init() { slot.initialize(to: nil) }
  deinit { slot.deallocate() }

  func put(_ token: UInt64) {
    slot.pointee = token
    filled.post()
  }

  /// Lets the waiting unit go without a token.
  func close() {
    slot.pointee = nil
    filled.post()
  }

  func take() -> UInt64? {
    filled.wait()
    return slot.pointee
  }
}

final class PingPongGame: Sendable {
  private enum Count: Int, CaseIterable, Sendable { case started, sent, received, outOfTurn, kept, checksum, finished }

  private let parameters: PingPong.Parameters
  /// Unit 2p is pair p's ping, unit 2p + 1 its pong.
  private let mailboxes: [Mailbox]
  private let counts: CountRows<Count>
  private let started = Semaphore()
  /// Relaxed: a unit that misses it now sees it a hand-over later.
  private let isStopping = Atomic(false)

  /// Runs one trial.
  static func play(_ session: Session) throws {
    let parameters = try session.parameters(PingPong.Parameters.init)
    try session.ready()
    _ = try session.awaitBegin()
    try Limits.admit(threads: parameters.units)
    if parameters.workers == .one { try confineToOneProcessor() }
    let game = PingPongGame(parameters)
    let units = try ThreadGroup.start(parameters.units) { game.run($0) }
    for _ in 0..<parameters.units { game.started.wait() }
    let startedAtFirstToken = game.counts.sum(.started)
    for pair in 0..<parameters.pairs { game.mailboxes[2 * pair].put(PingPong.firstToken(pair: pair)) }
    try session.conduct(
      session.window(), operations: { game.counts.sum(.sent) },
      ledger: {
        [
          "unitsStarted": game.counts.sum(.started), "unitsFinished": game.counts.sum(.finished),
          "startedAtFirstToken": startedAtFirstToken, "handOversSent": game.counts.sum(.sent),
          "tokensReceived": game.counts.sum(.received), "tokensOutOfTurn": game.counts.sum(.outOfTurn),
          "tokensKept": game.counts.sum(.kept), "checksum": game.counts.sum(.checksum),
        ]
      },
      drain: {
        game.isStopping.store(true, ordering: .relaxed)
        units.join()
        return InProcessResult()
      })
  }

  private init(_ parameters: PingPong.Parameters) {
    self.parameters = parameters
    mailboxes = (0..<parameters.units).map { _ in Mailbox() }
    counts = CountRows(rows: parameters.units)
  }

  /// Threads inherit where the thread that creates them may run.
  private static func confineToOneProcessor() throws(ModelFailure) {
    var processors = [Int32](repeating: 0, count: 4_096)
    try require(clinux_get_affinity(&processors, Int32(processors.count)), "reading the processors of this process")
    try require(clinux_set_affinity(&processors, 1), "confining the process to one processor")
  }

  private func run(_ unit: Int) {
    let counts = self.counts[unit]
    let mailbox = mailboxes[unit]
    let partner = mailboxes[unit ^ 1]
    var expected = PingPong.firstToken(pair: unit / 2) &+ UInt64(unit & 1)
    counts.add(.started)
    started.post()
    while let token = mailbox.take() {
      counts.add(.received)
      if token != expected { counts.add(.outOfTurn) }
      if isStopping.load(ordering: .relaxed) {
        counts.add(.kept)
        counts.add(.checksum, Int(truncatingIfNeeded: token))
        partner.close()
        break
      }
      partner.put(token &+ 1)
      counts.add(.sent)
      expected = token &+ 2
    }
    counts.add(.finished)
  }
}
