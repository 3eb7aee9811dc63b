// brigade with Dispatch. Idiom: a unit is a state machine on a serial queue, its inlet a ring of its own; a token for a unit
// of another queue travels there as a block. The ring of units is cut into one arc for each worker, so that only
// `workers` of a round's hops wake another thread. Over pipes: Brigade+Pipes.swift.

import Dispatch
import ModelKit
import Synchronization
import Workloads

/// A unit of the ring. Its counts may be read anywhere.
class BrigadeUnit: Unit, @unchecked Sendable {
  let started = Atomic(0)
  let finished = Atomic(0)
  let hopsSent = Atomic(0)
  let tokensReceived = Atomic(0)
  let tokensOutOfTurn = Atomic(0)
  let tokensKept = Atomic(0)
  /// The sum of the tokens kept.
  let checksum = Atomic<UInt64>(0)
  /// Kept by the driver.
  var next: Unmanaged<BrigadeUnit>!
  let ring: BrigadeRing
  private let number: Int

  init(_ number: Int, of ring: BrigadeRing) {
    self.number = number
    self.ring = ring
    super.init(on: ring.lane(of: number))
  }

  /// Puts a token into the inlet.
  /// - Parameter sender: the lane that this is called on; nil for none of them.
  func put(_ token: UInt64, from sender: DispatchQueue?) {}
  /// The first turn.
  func start() { started.countAlone() }
  /// The last turn: there are no tokens any more.
  func stop() { end() }

  /// A token out of the inlet: passed on, or kept at the drain.
  final func take(_ token: UInt64) {
    tokensReceived.countAlone()
    if !ring.parameters.isTurn(of: number, token) { tokensOutOfTurn.countAlone() }
    if ring.stop.isUp {
      tokensKept.countAlone()
      checksum.addAlone(token)
      return ring.tokens.leave()
    }
    next._withUnsafeGuaranteedRef { $0.put(token &+ 1, from: lane) }
    hopsSent.countAlone()
  }

  final func end() {
    finished.countAlone()
    ring.units.leave()
  }
}

/// A unit whose inlet is a ring with room for all tokens.
private final class ChannelUnit: BrigadeUnit, @unchecked Sendable {
  private let inlet: Ring<UInt64>

  override init(_ number: Int, of ring: BrigadeRing) {
    inlet = Ring(capacity: ring.parameters.tokens)
    super.init(number, of: ring)
  }

  override func put(_ token: UInt64, from sender: DispatchQueue?) {
    if sender === lane {
      receive(token)
    } else {
      lane.async { [unowned(unsafe) self] in receive(token) }
    }
  }

  private func receive(_ token: UInt64) {
    inlet.append(token)
    wake()
  }

  override func run() {
    while let token = inlet.popFirst() { take(token) }
  }
}

/// What the units have in common.
final class BrigadeRing: Sendable {
  let parameters: Brigade.Parameters
  let lanes: [DispatchQueue]
  let stop = StopFlag()
  /// Entered for each unit until it ends, for each token until it is kept.
  let units = DispatchGroup()
  let tokens = DispatchGroup()
  /// Counted when both ends are closed.
  let pipesClosed = Atomic(0)

  init(_ parameters: Brigade.Parameters, workers: Int) {
    self.parameters = parameters
    lanes = makeLanes(workers)
  }

  func lane(of unit: Int) -> DispatchQueue { lanes[unit * lanes.count / parameters.length] }
}

/// The driver: starts the units and joins them.
final class BrigadeDriver {
  private let ring: BrigadeRing
  private let parameters: Brigade.Parameters
  private var members: [BrigadeUnit] = []
  private var pipesOpened = 0
  private var startedAtFirstToken = 0

  /// Runs one trial.
  static func pass(_ session: Session) throws {
    let parameters = try session.parameters(Brigade.Parameters.init)
    if parameters.medium == .pipes { try PipeUnit.admit(parameters.length) }
    try session.ready()
    let window = try session.awaitBegin()
    let driver = BrigadeDriver(BrigadeRing(parameters, workers: session.request.workers))
    try driver.build()
    driver.start()
    try session.conduct(
      window, operations: { driver.total { $0.hopsSent.value } }, ledger: { driver.ledger }, drain: { driver.drain() })
  }

  private init(_ ring: BrigadeRing) {
    self.ring = ring
    parameters = ring.parameters
  }

  private func build() throws(ModelFailure) {
    for number in 0..<parameters.length {
      switch parameters.medium {
      case .channels: members.append(ChannelUnit(number, of: ring))
      case .pipes:
        members.append(try PipeUnit(opening: number, of: ring))
        pipesOpened += 1
      }
    }
    for (number, unit) in members.enumerated() { unit.next = .passUnretained(members[(number + 1) % members.count]) }
  }

  private func start() {
    for unit in members {
      ring.units.enter()
      unit.lane.async { unit.start() }
    }
    ring.lanes.settle()
    startedAtFirstToken = total { $0.started.value }
    for token in 0..<parameters.tokens {
      ring.tokens.enter()
      members[parameters.firstUnit(of: token)].put(parameters.firstToken(token), from: nil)
    }
  }

  /// Waits until every token has come to rest, then stops the units: none of them is in the middle of a hop.
  private func drain() -> InProcessResult {
    ring.stop.raise()
    ring.tokens.wait()
    for unit in members { unit.lane.async { unit.stop() } }
    ring.units.wait()
    ring.lanes.settle()
    return InProcessResult()
  }

  private func total(_ count: (BrigadeUnit) -> Int) -> Int { members.reduce(0) { $0 &+ count($1) } }

  private var ledger: Ledger {
    [
      "unitsStarted": total { $0.started.value }, "unitsFinished": total { $0.finished.value },
      "startedAtFirstToken": startedAtFirstToken, "hopsSent": total { $0.hopsSent.value },
      "tokensReceived": total { $0.tokensReceived.value }, "tokensOutOfTurn": total { $0.tokensOutOfTurn.value },
      "tokensKept": total { $0.tokensKept.value },
      "checksum": total { $0.checksum.signed },
      "pipesOpened": pipesOpened, "pipesClosed": ring.pipesClosed.value,
    ]
  }
}
