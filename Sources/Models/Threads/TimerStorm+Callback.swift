// timer-storm's variant `callback` with threads. Idiom: a timer thread with a heap of timers, which calls back.
//
// There are as many timer threads as workers, each with its own part of the slots under its own lock. A canceller's slots
// are all in one part, so that cancellers do not meet; and a canceller gives an armed timer its new deadline in one call.

import ModelKit
import Synchronization
import Workloads

/// The slots of one timer thread: those whose number modulo the parts is this part's. Sendable because a slot's round is
/// only touched under the thread's lock, or by the callback of the timer that has just fired and is not armed.
private final class Part: @unchecked Sendable {
  let thread: TimerThread
  let slots: Int
  /// Of each slot the round of its timer to be armed next.
  let rounds: UnsafeMutablePointer<UInt32>

  init(slots: Int) {
    self.slots = slots
    thread = TimerThread(timers: slots)
    rounds = .allocate(capacity: max(1, slots))
    rounds.initialize(repeating: 0, count: slots)
  }

  deinit { rounds.deallocate() }
}

final class TimerStormCallbacks: Sendable {
  private enum Count: Int, CaseIterable, Sendable { case armed, fired, early, armedChecksum, endedChecksum }

  private let parameters: TimerStorm.Parameters
  private let schedule: TimerStorm.Schedule
  private let parts: [Part]
  private let workers: Int
  /// Two rows for each part: one is written under its lock, the other by its thread without.
  private let counts: CountRows<Count>
  private let cancels: CountRows<TimerStormSlots.CancelCount>
  /// Owned by the timer threads. Nil where nothing is recorded.
  private let recorders: Recorders?
  private let pacer = Parker()
  /// Relaxed: who misses it goes round once more.
  private let isStopping = Atomic(false)

  /// Runs one trial.
  static func run(_ session: Session) throws {
    let parameters = try session.parameters(TimerStorm.Parameters.init)
    try session.ready()
    _ = try session.awaitBegin()
    let cancellers = parameters.cancellers(workers: session.request.workers)
    let threads = cancellers + min(session.request.workers, Recorders.most)
    try Limits.admit(units: parameters.outstanding, threads: threads, bytes: 32 * parameters.outstanding)
    let storm = TimerStormCallbacks(parameters, session, cancellers: cancellers)
    let armedAtStart = storm.armAll()
    let window = try session.window()
    let timers = try ThreadGroup.start(storm.parts.count) { storm.fire($0, window) }
    let start = monotonicNanoseconds()
    let group = try ThreadGroup.start(cancellers) { canceller in
      switch parameters.load {
      case .paced: storm.pace(from: start)
      case .flatOut: storm.cancel(canceller)
      }
    }
    var left = 0
    try session.conduct(
      window, operations: { storm.counts.sum(.fired) + storm.cancels.sum(.cancelled) },
      ledger: { storm.ledger(armedAtStart: armedAtStart, left: left) },
      drain: {
        storm.isStopping.store(true, ordering: .relaxed)
        storm.pacer.unpark()
        group.join()
        left = storm.stop()
        timers.join()
        return InProcessResult(latencies: storm.recorders?.merged() ?? [:])
      })
  }

  private init(_ parameters: TimerStorm.Parameters, _ session: Session, cancellers: Int) {
    self.parameters = parameters
    schedule = TimerStorm.Schedule(parameters, seed: session.request.seed, isGated: session.isGated)
    workers = session.request.workers
    let count = min(workers, Recorders.most)
    parts = (0..<count).map { Part(slots: (parameters.outstanding - $0 + count - 1) / count) }
    counts = CountRows(rows: 2 * count)
    cancels = CountRows(rows: cancellers)
    recorders = parameters.load == .flatOut ? nil : Recorders(count: count)
  }

  /// - Returns: slots armed.
  private func armAll() -> Int {
    (0..<parameters.outstanding).count { slot in
      let part = slot % parts.count
      let timer = slot / parts.count
      return parts[part].thread.arm(timer) { next(part, timer) }
    }
  }

  /// Under the part's lock: counts a slot's next timer as armed, and gives its deadline.
  private func next(_ part: Int, _ timer: Int) -> UInt64 {
    let slot = timer * parts.count + part
    let round = Int(parts[part].rounds[timer])
    parts[part].rounds[timer] += 1
    counts[2 * part].add(.armed)
    counts[2 * part].add(.armedChecksum, Int(truncatingIfNeeded: TimerStorm.token(slot: slot, round: round)))
    return monotonicNanoseconds() + schedule.delay(slot: slot, round: round)
  }

  /// Counts a slot's last timer as ended.
  private func end(_ part: Int, _ timer: Int, _ row: CountRows<Count>.Row) {
    let token = TimerStorm.token(slot: timer * parts.count + part, round: Int(parts[part].rounds[timer]) - 1)
    row.add(.endedChecksum, Int(truncatingIfNeeded: token))
  }

  /// A timer thread.
  private func fire(_ part: Int, _ window: Window) {
    let row = counts[2 * part + 1]
    let recorder = recorders?[part]
    let thread = parts[part].thread
    thread.run { timer, deadline in
      let now = monotonicNanoseconds()
      row.add(.fired)
      if now < deadline { row.add(.early) } else if window.contains(now) { recorder?.record(now - deadline) }
      end(part, timer, row)
      _ = thread.arm(timer) { next(part, timer) }
    }
  }

  /// Cancels the slot's timer by giving it the next one's deadline, and counts that.
  @inline(__always)
  private func cancel(slot: Int, _ cancels: CountRows<TimerStormSlots.CancelCount>.Row) {
    let part = slot % parts.count
    let timer = slot / parts.count
    let isCancelled = parts[part].thread.rearm(timer) {
      end(part, timer, counts[2 * part])
      return next(part, timer)
    }
    cancels.add(.tried)
    cancels.add(isCancelled ? .cancelled : .missed)
  }

  /// The pacer.
  private func pace(from start: UInt64) {
    let cancels = self.cancels[0]
    var tick = start
    while true {
      tick += TimerStorm.tickNanoseconds
      let isStopped = pacer.park(until: tick)
      if isStopped || isStopping.load(ordering: .relaxed) { return }
      let due = schedule.cancelsDue(afterNanoseconds: monotonicNanoseconds() - start)
      // A pacer that cannot keep up has ever more to make up for: so it looks for the end here too.
      while cancels[.tried] < due, !isStopping.load(ordering: .relaxed) {
        cancel(slot: schedule.slot(ofCancel: cancels[.tried]), cancels)
      }
    }
  }

  /// A canceller.
  private func cancel(_ canceller: Int) {
    guard canceller < parameters.outstanding else { return }
    let cancels = self.cancels[canceller]
    var slot = canceller
    while !isStopping.load(ordering: .relaxed) {
      cancel(slot: slot, cancels)
      slot += workers
      if slot >= parameters.outstanding { slot = canceller }
    }
  }

  /// - Returns: timers that were still armed.
  private func stop() -> Int {
    var left = 0
    for (number, part) in parts.enumerated() {
      part.thread.stop(timers: part.slots) { timer in
        left += 1
        end(number, timer, counts[2 * number])
      }
    }
    return left
  }

  private func ledger(armedAtStart: Int, left: Int) -> Ledger {
    [
      "unitsStarted": 0, "unitsFinished": 0, "slotsArmedAtStart": armedAtStart, "timersArmed": counts.sum(.armed),
      "timersFired": counts.sum(.fired), "timersLeft": left, "timersCancelled": cancels.sum(.cancelled),
      "cancelsTried": cancels.sum(.tried), "cancelsMissed": cancels.sum(.missed), "firedEarly": counts.sum(.early),
      // A timer is taken out of the heap by its deadline or by a cancel, under one lock.
      "firedAfterCancel": 0,
      "armedChecksum": counts.sum(.armedChecksum), "endedChecksum": counts.sum(.endedChecksum),
    ]
  }
}
