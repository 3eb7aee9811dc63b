// timer-storm with threads. Idiom: a thread for each slot, blocked in a timed wait; a cancel wakes it.
//
// So a timer is a futex with a timeout: to arm it is one system call, to end it another, and between them the kernel
// switches threads. Cancel and deadline race for a word of the slot. The variant `callback` is in
// TimerStorm+Callback.swift: beyond some ten thousand timers nobody would give each a thread.

import ModelKit
import Synchronization
import Workloads

final class TimerStormSlots: Sendable {
  private enum Count: Int, CaseIterable, Sendable {
    case started, armed, fired, early, armedChecksum, endedChecksum, finished
  }
  enum CancelCount: Int, CaseIterable, Sendable { case tried, cancelled, missed }

  private let parameters: TimerStorm.Parameters
  private let schedule: TimerStorm.Schedule
  private let slots: [TimerSlot]
  private let counts: CountRows<Count>
  /// Of the pacer, or of each canceller.
  private let cancels: CountRows<CancelCount>
  private let batches: [TimerBatch]
  private let slotsArmed = Atomic(0)
  private let hasArmedAll = Semaphore()
  /// Nil where nothing is recorded.
  private let lateness: LatenessShards?
  private let pacer = Parker()
  /// Relaxed: who misses it goes round once more.
  private let isStopping = Atomic(false)

  /// Runs one trial.
  static func run(_ session: Session) throws {
    if session.request.variant == "callback" { return try TimerStormCallbacks.run(session) }
    let parameters = try session.parameters(TimerStorm.Parameters.init)
    try session.ready()
    _ = try session.awaitBegin()
    let cancellers = parameters.cancellers(workers: session.request.workers)
    try Limits.admit(units: parameters.outstanding, threads: parameters.outstanding + cancellers)
    let storm = TimerStormSlots(parameters, session, cancellers: cancellers)
    let units = try ThreadGroup.start(parameters.outstanding) { storm.run($0) }
    storm.hasArmedAll.wait()
    let armedAtStart = storm.slotsArmed.value
    let window = try session.window()
    storm.lateness?.window.fix(window)
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
        left = storm.slots.count { $0.stop() }
        units.join()
        return InProcessResult(latencies: storm.lateness?.merged() ?? [:])
      })
  }

  private init(_ parameters: TimerStorm.Parameters, _ session: Session, cancellers: Int) {
    self.parameters = parameters
    schedule = TimerStorm.Schedule(parameters, seed: session.request.seed, isGated: session.isGated)
    slots = (0..<parameters.outstanding).map { _ in TimerSlot() }
    counts = CountRows(rows: parameters.outstanding)
    cancels = CountRows(rows: cancellers)
    batches = (0..<max(1, cancellers)).map { _ in TimerBatch() }
    lateness = parameters.load == .flatOut ? nil : LatenessShards()
  }

  /// A slot's unit.
  private func run(_ number: Int) {
    let slot = slots[number]
    let counts = self.counts[number]
    let batch = batches[number % batches.count]
    let isFlatOut = parameters.load == .flatOut
    counts.add(.started)
    var end: TimerSlot.End?
    var now = monotonicNanoseconds()
    var round = 0
    while slot.arm(after: end) {
      let token = Int(truncatingIfNeeded: TimerStorm.token(slot: number, round: round))
      counts.add(.armed)
      counts.add(.armedChecksum, token)
      if round == 0 {
        if slotsArmed.add(1, ordering: .relaxed).newValue == slots.count { hasArmedAll.post() }
      } else if isFlatOut, end == .cancelled {
        batch.arrive(1)
      }
      let deadline = now + schedule.delay(slot: number, round: round)
      end = slot.wait(until: deadline)
      now = monotonicNanoseconds()
      counts.add(.endedChecksum, token)
      if end == .fired {
        counts.add(.fired)
        if now < deadline { counts.add(.early) } else { lateness?.record(now, deadline, slot: number) }
      }
      round += 1
    }
    counts.add(.finished)
  }

  /// The pacer.
  private func pace(from start: UInt64) {
    let counts = cancels[0]
    var tick = start
    while true {
      tick += TimerStorm.tickNanoseconds
      let isStopped = pacer.park(until: tick)
      if isStopped || isStopping.load(ordering: .relaxed) { return }
      let due = schedule.cancelsDue(afterNanoseconds: monotonicNanoseconds() - start)
      // A pacer that cannot keep up has ever more to make up for: so it looks for the end here too.
      while counts[.tried] < due, !isStopping.load(ordering: .relaxed) {
        let isCancelled = slots[schedule.slot(ofCancel: counts[.tried])].cancel()
        counts.add(.tried)
        counts.add(isCancelled ? .cancelled : .missed)
      }
    }
  }

  /// A canceller.
  private func cancel(_ canceller: Int) {
    let counts = cancels[canceller]
    let batch = batches[canceller]
    var slot = canceller
    guard slot < slots.count else { return }
    while !isStopping.load(ordering: .relaxed) {
      let size = min(TimerStorm.batch, (slots.count - slot - 1) / batches.count + 1)
      batch.begin(size)
      var missed = 0
      for _ in 0..<size {
        let isCancelled = slots[slot].cancel()
        counts.add(.tried)
        counts.add(isCancelled ? .cancelled : .missed)
        if !isCancelled { missed += 1 }
        slot += batches.count
      }
      batch.arrive(missed + 1)
      batch.wait()
      if slot >= slots.count { slot = canceller }
    }
  }

  private func ledger(armedAtStart: Int, left: Int) -> Ledger {
    [
      "unitsStarted": counts.sum(.started), "unitsFinished": counts.sum(.finished), "slotsArmedAtStart": armedAtStart,
      "timersArmed": counts.sum(.armed), "timersFired": counts.sum(.fired), "timersLeft": left,
      "timersCancelled": cancels.sum(.cancelled), "cancelsTried": cancels.sum(.tried),
      "cancelsMissed": cancels.sum(.missed), "firedEarly": counts.sum(.early),
      // A unit goes on because of its deadline only after it has taken the slot's word from every cancel.
      "firedAfterCancel": 0,
      "armedChecksum": counts.sum(.armedChecksum), "endedChecksum": counts.sum(.endedChecksum),
    ]
  }
}

extension TimerStorm.Parameters {
  /// Threads that cancel: the pacer, if there is one, or as many as there are workers.
  func cancellers(workers: Int) -> Int {
    switch load {
    case .paced(_, let cancelShare): cancelShare > 0 ? 1 : 0
    case .flatOut: workers
    }
  }
}
