// ping-pong with Dispatch. Idiom: both units of a pair live on one serial queue, a mailbox is a slot of its unit, and a
// hand-over fills the partner's slot and puts the partner's turn into the queue.
//
// Pairs are spread over the workers, units of a pair are not: two that only ever run in turns gain nothing from two
// queues, and a hand-over between threads that sleep costs both a futex each.

import Dispatch
import ModelKit
import Synchronization
import Workloads

/// A unit of a pair. Its counts may be read anywhere.
private final class Player: Unit, @unchecked Sendable {
  let started = Atomic(0)
  let finished = Atomic(0)
  let handOversSent = Atomic(0)
  let tokensReceived = Atomic(0)
  let tokensOutOfTurn = Atomic(0)
  let tokensKept = Atomic(0)
  let checksum = Atomic<UInt64>(0)
  /// Kept by the driver.
  var partner: Unmanaged<Player>!
  private let stop: StopFlag
  private let units: DispatchGroup
  private var mailbox: UInt64?
  private var expected: UInt64

  init(on lane: DispatchQueue, expecting first: UInt64, stop: StopFlag, units: DispatchGroup) {
    self.stop = stop
    self.units = units
    expected = first
    super.init(on: lane)
  }

  func start() { started.countAlone() }

  /// Puts a token into the mailbox. On the lane.
  func receive(_ token: UInt64) {
    mailbox = token
    wake()
  }

  override func run() {
    guard let token = mailbox else { return finish() }  // the partner has kept the token
    mailbox = nil
    tokensReceived.countAlone()
    if token != expected { tokensOutOfTurn.countAlone() }
    if stop.isUp {
      tokensKept.countAlone()
      checksum.addAlone(token)
      partner._withUnsafeGuaranteedRef { $0.wake() }
      return finish()
    }
    expected = token &+ 2
    handOversSent.countAlone()
    partner._withUnsafeGuaranteedRef { $0.receive(token &+ 1) }
  }

  private func finish() {
    finished.countAlone()
    units.leave()
  }
}

/// The driver: starts the units and joins them.
final class PingPongGame {
  private let stop = StopFlag()
  private let units = DispatchGroup()
  private let lanes: [DispatchQueue]
  private var players: [Player] = []
  private var startedAtFirstToken = 0

  /// Runs one trial.
  static func play(_ session: Session) throws {
    let parameters = try session.parameters(PingPong.Parameters.init)
    try session.ready()
    let window = try session.awaitBegin()
    let game = PingPongGame(parameters, workers: session.request.workers)
    game.start()
    try session.conduct(
      window, operations: { game.total { $0.handOversSent.value } }, ledger: { game.ledger },
      drain: {
        game.stop.raise()
        game.units.wait()
        game.lanes.settle()
        return InProcessResult()
      })
  }

  private init(_ parameters: PingPong.Parameters, workers: Int) {
    lanes = makeLanes(parameters.workers == .one ? 1 : workers)
    for pair in 0..<parameters.pairs {
      let lane = lanes[pair % lanes.count]
      let token = PingPong.firstToken(pair: pair)
      let ping = Player(on: lane, expecting: token, stop: stop, units: units)
      let pong = Player(on: lane, expecting: token &+ 1, stop: stop, units: units)
      ping.partner = .passUnretained(pong)
      pong.partner = .passUnretained(ping)
      players += [ping, pong]
    }
  }

  private func start() {
    for player in players {
      units.enter()
      player.lane.async { player.start() }
    }
    lanes.settle()
    startedAtFirstToken = total { $0.started.value }
    for pair in 0..<players.count / 2 {
      let ping = players[2 * pair]
      ping.lane.async { ping.receive(PingPong.firstToken(pair: pair)) }
    }
  }

  private func total(_ count: (Player) -> Int) -> Int { players.reduce(0) { $0 &+ count($1) } }

  private var ledger: Ledger {
    [
      "unitsStarted": total { $0.started.value }, "unitsFinished": total { $0.finished.value },
      "startedAtFirstToken": startedAtFirstToken, "handOversSent": total { $0.handOversSent.value },
      "tokensReceived": total { $0.tokensReceived.value }, "tokensOutOfTurn": total { $0.tokensOutOfTurn.value },
      "tokensKept": total { $0.tokensKept.value }, "checksum": total { $0.checksum.signed },
    ]
  }
}
