// ping-pong with async/await. Idiom: a task per unit; a mailbox is the loop's channel with room for one.
//
// A pair is on one loop, as two tasks that only talk to each other should be: the token goes straight into the waiting
// task's slot, and its wake-up is a word in the loop's own list of jobs. With workers=all pairs go to the loops in turn.
// Tasks of no group: a plain group would look for each of 20,000 that end among all others, in order of their start.

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
      return [loop.spawn { try await pair.ping() }, loop.spawn { try await pair.pong() }]
    }
    try await roll.complete()
    let startedAtFirstToken = roll.count
    for pair in pairs { try await pair.toPing.send(PingPong.firstToken(pair: pair.number)) }

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

final class Pair: Sendable {
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
  let toPing = AsyncChannel<UInt64>(capacity: 1)
  private let toPong = AsyncChannel<UInt64>(capacity: 1)
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

  func ping() async throws -> Outcome {
    try await unit(PingPong.firstToken(pair: number), from: toPing, to: toPong, sentByPing)
  }

  func pong() async throws -> Outcome {
    try await unit(PingPong.firstToken(pair: number) &+ 1, from: toPong, to: toPing, sentByPong)
  }

  /// Hands over until it is to stop. Whoever keeps the token closes the partner's mailbox, which wakes it without one.
  private func unit(
    _ first: UInt64, from inlet: AsyncChannel<UInt64>, to outlet: AsyncChannel<UInt64>, _ sent: Tally
  ) async throws -> Outcome {
    roll.arrive()
    var outcome = Outcome()
    var expected = first
    while let token = try await inlet.receive() {
      outcome.received += 1
      if token != expected { outcome.outOfTurn += 1 }
      if stop.isUp {
        outcome.kept += 1
        outcome.checksum &+= token
        outlet.close()
        break
      }
      try await outlet.send(token &+ 1)
      sent.count()
      expected = token &+ 2
    }
    return outcome
  }
}
