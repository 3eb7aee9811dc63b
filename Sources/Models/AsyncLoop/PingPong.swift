// ping-pong with async/await. Idiom: a task per unit; a mailbox is a slot for a token, or for the continuation that waits
// for one.
//
// A pair is on one loop, as two tasks that only talk to each other should be, so that its mailboxes need no lock, and a
// wake-up is a word in the loop's own list of jobs. The loops' channel would do as well, but a hand-over through it costs
// 300 ns instead of 120: most of that pays for a cancellation that nobody asks for here. With workers=all pairs go to the
// loops in turn. Tasks of no group: a plain group would look for each of 20,000 that end among all others, in order of
// their start.

import EventLoop
import ModelKit
import Workloads

func runPingPong(_ session: Session) throws {
  let parameters = try session.parameters(PingPong.Parameters.init)
  let loops = parameters.workers == .one ? 1 : min(session.request.workers, parameters.pairs)
  try Conductor.run(session, loops: loops) { conductor in
    let window = try await conductor.begin()
    let loops = EventLoops.all
    let roll = RollCall(parameters.units)
    let stop = StopFlag()
    let pairs = (0..<parameters.pairs).map { Pair($0, roll, stop) }
    let units = pairs.flatMap { pair in
      let loop = loops[pair.number % loops.count]
      return [loop.spawn { await pair.ping() }, loop.spawn { await pair.pong() }]
    }
    try await roll.complete()
    let startedAtFirstToken = roll.count
    for pair in pairs { pair.begin(on: loops[pair.number % loops.count]) }

    try await conductor.conduct(window, operations: { pairs.reduce(0) { $0 + $1.handOvers } }) {
      stop.raise()
      var total = Pair.Outcome()
      for unit in units { total.add(try await unit.value) }
      let ledger: Ledger = [
        "unitsStarted": roll.count, "unitsFinished": units.count, "startedAtFirstToken": startedAtFirstToken,
        "handOversSent": pairs.reduce(0) { $0 + $1.handOvers }, "tokensReceived": total.received,
        "tokensOutOfTurn": total.outOfTurn, "tokensKept": total.kept,
        "checksum": Int(bitPattern: UInt(total.checksum)),
      ]
      return (ledger, InProcessResult())
    }
  }
}

/// A slot for a token, with room for one. Used on the pair's loop only.
private final class Mailbox {
  @exclusivity(unchecked) private var token: UInt64?
  @exclusivity(unchecked) private var isClosed = false
  @exclusivity(unchecked) private var waiting: UnsafeContinuation<UInt64?, Never>?

  /// Waits for the token; nil if there comes none any more.
  func take() async -> UInt64? {
    if let token {
      self.token = nil
      return token
    }
    return isClosed ? nil : await withUnsafeContinuation { waiting = $0 }
  }

  func put(_ token: UInt64) {
    guard let waiting else {
      self.token = token
      return
    }
    self.waiting = nil
    waiting.resume(returning: token)
  }

  /// Wakes the unit that waits here, or that will, without a token.
  func close() {
    isClosed = true
    waiting?.resume(returning: nil)
    waiting = nil
  }
}

/// Unchecked: its mailboxes are used on its loop only. Its two units start there, and wake where they were resumed,
/// which is there again; the driver puts the first token in by a task on that loop.
final class Pair: @unchecked Sendable {
  /// What a unit tells when it has ended.
  struct Outcome: Sendable {
    var received = 0
    var outOfTurn = 0
    var kept = 0
    var checksum: UInt64 = 0

    mutating func add(_ other: Outcome) {
      received += other.received
      outOfTurn += other.outOfTurn
      kept += other.kept
      checksum &+= other.checksum
    }
  }

  let number: Int
  private let toPing = Mailbox()
  private let toPong = Mailbox()
  private let sentByPing = Tally()
  private let sentByPong = Tally()
  private let roll: RollCall
  private let stop: StopFlag

  init(_ number: Int, _ roll: RollCall, _ stop: StopFlag) {
    self.number = number
    self.roll = roll
    self.stop = stop
  }

  var handOvers: Int { sentByPing.value + sentByPong.value }

  /// Puts the first token in.
  func begin(on loop: EventLoop) {
    loop.spawn { self.toPing.put(PingPong.firstToken(pair: self.number)) }
  }

  func ping() async -> Outcome {
    await unit(PingPong.firstToken(pair: number), from: toPing, to: toPong, sentByPing)
  }

  func pong() async -> Outcome {
    await unit(PingPong.firstToken(pair: number) &+ 1, from: toPong, to: toPing, sentByPong)
  }

  /// Hands over until it is to stop. Whoever keeps the token closes the partner's mailbox.
  private func unit(_ first: UInt64, from inlet: Mailbox, to outlet: Mailbox, _ sent: Tally) async -> Outcome {
    roll.arrive()
    var outcome = Outcome()
    var expected = first
    while let token = await inlet.take() {
      outcome.received += 1
      if token != expected { outcome.outOfTurn += 1 }
      if stop.isUp {
        outcome.kept += 1
        outcome.checksum &+= token
        outlet.close()
        break
      }
      outlet.put(token &+ 1)
      sent.count()
      expected = token &+ 2
    }
    return outcome
  }
}
