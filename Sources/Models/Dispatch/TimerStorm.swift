// timer-storm with Dispatch. Idiom: a timer source for each slot, given a new deadline for each of its timers; the unit is
// a state machine on a serial queue, resumed there by the source's handler or by a block of whoever cancels.
//
// Dispatch's cancel ends a source for good: a source for each timer would be made, registered with the manager thread,
// unregistered and freed each time. A new deadline replaces the old one instead; a word of the slot decides whose the
// timer is. What limits the storm is Dispatch's one manager thread, which alone touches the heap of timers: every arming
// is an allocation and a message to it. The slots are in TimerStorm+Slots.swift, who cancels in TimerStorm+Cancelling.swift.

import Dispatch
import ModelKit
import Synchronization
import Workloads

/// The storm. Sendable because it is built before the slots start, and changed by the driver only.
final class Storm: @unchecked Sendable {
  private let parameters: TimerStorm.Parameters
  private let schedule: TimerStorm.Schedule
  private let shards: [StormShard]
  private let slots: [StormSlot]
  private let recorders: Recorders?
  private var pacer: Pacer?
  private var cancellers: [Canceller] = []
  private var slotsArmedAtStart = 0

  /// Runs one trial.
  static func rage(_ session: Session) throws {
    let parameters = try session.parameters(TimerStorm.Parameters.init)
    // A source with its Swift object, two handlers, and the manager thread's entry: a little over a kilobyte.
    try Limits.admit(units: parameters.outstanding, bytes: 1_280 * parameters.outstanding)
    try session.ready()
    var window = try session.awaitBegin()
    let storm = Storm(parameters, session)
    window = storm.start(window, warmUp: session.request.warmUpNanoseconds ?? 0)
    try session.conduct(
      window, operations: { storm.total { $0.operations.value } }, ledger: { storm.ledger }, drain: { storm.drain() })
  }

  private init(_ parameters: TimerStorm.Parameters, _ session: Session) {
    self.parameters = parameters
    let schedule = TimerStorm.Schedule(parameters, seed: session.request.seed, isGated: session.isGated)
    self.schedule = schedule
    let lanes = makeLanes(min(session.request.workers, Recorders.most))
    var recorders: Recorders?
    if case .paced = parameters.load { recorders = Recorders(count: lanes.count) }
    self.recorders = recorders
    let shards = lanes.enumerated().map { StormShard(on: $1, schedule, recorder: recorders?[$0]) }
    self.shards = shards
    slots = (0..<parameters.outstanding).map { StormSlot($0, of: shards[$0 % shards.count]) }
  }

  /// Starts the slots, and when each has armed its first timer, who cancels.
  /// - Returns: the window; later than the one given, where the start has taken longer than the warm-up.
  private func start(_ window: Window, warmUp: UInt64) -> Window {
    for (number, slot) in slots.enumerated() {
      shards[number % shards.count].units.enter()
      slot.start()
    }
    lanes.settle()
    waitForTimers(on: lanes[0])
    let now = monotonicNanoseconds()
    let isLate = now > window.opens
    let opens = isLate ? now + warmUp : window.opens
    let window = Window(opens: opens, closes: opens + (window.closes - window.opens))
    slotsArmedAtStart = total { $0.slotsArmed.value }
    for shard in shards { shard.lane.sync { shard.window = window } }
    switch parameters.load {
    case .paced(_, let cancelShare):
      if cancelShare > 0 { pacer = Pacer(slots, schedule, on: lanes[0]) }
    case .flatOut:
      for (index, shard) in shards.enumerated() where index < slots.count {
        let own = stride(from: index, to: slots.count, by: shards.count).map { slots[$0] }
        let canceller = Canceller(own, of: shard)
        shard.lane.sync { shard.canceller = canceller }
        cancellers.append(canceller)
        canceller.start()
      }
    }
    return window
  }

  private func drain() -> InProcessResult {
    pacer?.stop()
    for canceller in cancellers { canceller.stop() }
    for canceller in cancellers { canceller.join() }
    for (index, shard) in shards.enumerated() {
      shard.lane.async { [self] in
        shard.isStopping = true
        for number in stride(from: index, to: slots.count, by: shards.count) { slots[number].leave() }
      }
    }
    for shard in shards { shard.units.wait() }
    lanes.settle()
    return InProcessResult(latencies: recorders?.merged() ?? [:])
  }

  private var lanes: [DispatchQueue] { shards.map(\.lane) }

  private func total(_ count: (StormShard) -> Int) -> Int { shards.reduce(0) { $0 &+ count($1) } }

  private var ledger: Ledger {
    let tried = (pacer?.tried.value ?? 0) + cancellers.reduce(0) { $0 + $1.tried.value }
    let cancelled = (pacer?.cancelled.value ?? 0) + cancellers.reduce(0) { $0 + $1.cancelled.value }
    return [
      "unitsStarted": slots.count, "unitsFinished": total { $0.unitsFinished.value },
      "slotsArmedAtStart": slotsArmedAtStart, "timersArmed": total { $0.timersArmed.value },
      "timersFired": total { $0.timersFired.value }, "timersCancelled": cancelled,
      "timersLeft": total { $0.timersLeft.value }, "firedEarly": 0, "firedAfterCancel": 0, "cancelsTried": tried,
      "cancelsMissed": tried - cancelled, "armedChecksum": total { $0.armedChecksum.signed },
      "endedChecksum": total { $0.endedChecksum.signed },
    ]
  }
}
