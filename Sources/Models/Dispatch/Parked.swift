// parked with Dispatch. Idiom: a unit is an object with a timer source; it waits by having returned, and goes on in the
// source's handler. Its live state is memory that the object owns, since no stack outlives a block.
//
// `asyncAfter` would be smaller, but what it has started cannot be ended before its time: a cancelled work item stays in
// the heap of timers until its deadline.

import Dispatch
import ModelKit
import Synchronization
import Workloads

/// What units of one lane count; single-writer counts that may be read anywhere.
private final class ParkedCounts: Sendable {
  let started = Atomic(0)
  let parked = Atomic(0)
  let woken = Atomic(0)
  let wokenByTimer = Atomic(0)
  let wokenEarly = Atomic(0)
  let statesIntact = Atomic(0)
  let checksum = Atomic<UInt64>(0)
  let finished = Atomic(0)
  /// Keeps the counts of two lanes out of one cache line.
  private let padding = InlineArray<16, Int>(repeating: 0)
}

/// Sendable because it is confined to its lane, but for `wake`, which only uses the source.
private final class Sleeper: @unchecked Sendable {
  private let number: Int
  private let counts: ParkedCounts
  private let timer: any DispatchSourceTimer
  private let state: UnsafeMutableBufferPointer<UInt64>
  private var deadline: UInt64 = 0

  init(_ number: Int, words: Int, on lane: DispatchQueue, _ counts: ParkedCounts, of units: DispatchGroup) {
    self.number = number
    self.counts = counts
    timer = DispatchSource.makeTimerSource(queue: lane)
    state = .allocate(capacity: words)
    timer.setEventHandler { [unowned(unsafe) self] in fire() }
    timer.setCancelHandler { [unowned(unsafe) self, units] in
      goOn()
      units.leave()
    }
  }

  deinit { state.deallocate() }

  /// The unit up to where it waits. On the lane.
  func start(delay: UInt64) {
    counts.started.countAlone()
    Parked.fill(state, unit: number)
    deadline = monotonicNanoseconds() + delay
    timer.schedule(deadline: DispatchTime(uptimeNanoseconds: deadline))
    timer.activate()
    counts.parked.countAlone()
  }

  /// Ends the wait before its time. Anywhere.
  func wake() { timer.cancel() }

  private func fire() {
    if monotonicNanoseconds() < deadline { counts.wokenEarly.countAlone() }
    counts.wokenByTimer.countAlone()
    timer.cancel()
  }

  /// The unit from where it has waited to its end. The source is gone by then.
  private func goOn() {
    counts.woken.countAlone()
    let (sum, isIntact) = Parked.sum(UnsafeBufferPointer(state), unit: number)
    counts.checksum.addAlone(sum)
    if isIntact { counts.statesIntact.countAlone() }
    counts.finished.countAlone()
  }
}

/// The driver: starts the units and joins them.
final class ParkingLot {
  /// Units that are being started at once: what waits to begin takes memory too, and is not what is measured.
  private static let batch = 1_000
  private let lanes: [DispatchQueue]
  private let counts: [ParkedCounts]
  private var sleepers: [Sleeper] = []
  private let units = DispatchGroup()
  private var parkedAtClose = 0

  /// Runs one trial.
  static func fill(_ session: Session) throws {
    let parameters = try session.parameters(Parked.Parameters.init)
    try Limits.admit(units: parameters.units, bytes: parameters.units * (parameters.liveState + 1_280))
    try session.ready()
    _ = try session.awaitBegin()
    let lot = ParkingLot(workers: session.request.workers)
    try session.report(.open, ledger: lot.ledger)
    lot.park(parameters, delay: Parked.delayNanoseconds(isGated: session.isGated))
    try session.report(.close, ledger: lot.ledger)
    if case .begin = try session.nextEvent() { throw ModelFailure(.failed, "the command 'begin' came twice") }
    if !session.isGated { for sleeper in lot.sleepers { sleeper.wake() } }
    lot.units.wait()
    lot.lanes.settle()
    try session.finish(ledger: lot.ledger, result: InProcessResult(operations: parameters.units))
  }

  private init(workers: Int) {
    lanes = makeLanes(workers)
    counts = lanes.map { _ in ParkedCounts() }
  }

  private func park(_ parameters: Parked.Parameters, delay: UInt64) {
    sleepers.reserveCapacity(parameters.units)
    for number in 0..<parameters.units {
      let lane = number % lanes.count
      let sleeper = Sleeper(
        number, words: parameters.liveStateWords, on: lanes[lane], counts[lane], of: units)
      sleepers.append(sleeper)
      units.enter()
      lanes[lane].async { [unowned(unsafe) sleeper] in sleeper.start(delay: delay) }
      if number % Self.batch == 0 { lanes.settle() }
    }
    lanes.settle()
    waitForTimers(on: lanes[0])
    parkedAtClose = total { $0.parked.value } - total { $0.woken.value }
  }

  private func total(_ count: (ParkedCounts) -> Int) -> Int { counts.reduce(0) { $0 &+ count($1) } }

  private var ledger: Ledger {
    [
      "unitsStarted": total { $0.started.value }, "unitsFinished": total { $0.finished.value },
      "unitsParked": total { $0.parked.value }, "unitsWoken": total { $0.woken.value },
      "parkedAtClose": parkedAtClose, "wokenByTimer": total { $0.wokenByTimer.value },
      "wokenEarly": total { $0.wokenEarly.value }, "statesIntact": total { $0.statesIntact.value },
      "checksum": total { $0.checksum.signed },
    ]
  }
}
