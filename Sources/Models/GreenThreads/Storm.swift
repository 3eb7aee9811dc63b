// What timer-storm and its variant `callback` have in common: the pacer, the window, the recorders, the counts of what
// fired and what was cancelled.

import GreenThreads
import ModelKit
import Synchronization
import Workloads

final class Storm: Sendable {
  /// What happens to one slot in 16 when its timer fires: seldom enough for a lock, which guards the recorder.
  struct Shard: ~Copyable {
    let mutex = GreenThreads.Mutex()
    let recorder: Recorder?
    let started = Atomic(0), finished = Atomic(0)
    let fired = Atomic(0), early = Atomic(0), afterCancel = Atomic(0)
  }

  /// Of the pacer or of one canceller, written by it alone.
  struct Canceller: ~Copyable {
    let tried = Atomic(0), cancelled = Atomic(0)
  }

  let parameters: TimerStorm.Parameters
  let isPaced: Bool
  let schedule: TimerStorm.Schedule
  let shards: Rows<Shard>
  let cancellers: Rows<Canceller>
  /// Nil where nothing is recorded.
  let recorders: Recorders?
  /// Of the pacer and the cancellers. Relaxed: who misses it goes round once more.
  let stopping = Atomic(false)
  let slotsArmedAtStart = Atomic(0)
  let left = Atomic(0)
  /// The window, once all slots are armed; until then no timer counts. Relaxed, for nothing else goes by them.
  private let opens = Atomic(UInt64.max)
  private let closes = Atomic(UInt64.max)

  init(_ parameters: TimerStorm.Parameters, _ session: Session) {
    self.parameters = parameters
    schedule = TimerStorm.Schedule(parameters, seed: session.request.seed, isGated: session.isGated)
    if case .paced = parameters.load { isPaced = true } else { isPaced = false }
    let recorders = isPaced ? Recorders(count: Recorders.most) : nil
    self.recorders = recorders
    shards = Rows(count: Recorders.most) { Shard(recorder: recorders?[$0]) }
    cancellers = Rows(count: isPaced ? 1 : min(session.request.workers, parameters.outstanding)) { _ in Canceller() }
  }

  /// Slots that a canceller owns: every so many, from its own number on.
  func slots(ofCanceller canceller: Int) -> Int {
    (parameters.outstanding - canceller + cancellers.count - 1) / cancellers.count
  }

  /// From the moment at which all slots are armed to the drain.
  /// - Parameters:
  ///   - begun: the window as of `begin`. A million units take longer to start than the warm-up lasts.
  ///   - cancel: ends a slot's timer, if it has one, and says whether it did: the pacer's work.
  ///   - cancelAll: a canceller's life.
  /// - Returns: operations in the window.
  func conduct(
    _ session: Session, _ begun: Window, ledger: () -> Ledger,
    cancel: @escaping @Sendable (Int) throws -> Bool, cancelAll: @escaping @Sendable (Int) throws -> Void
  ) throws -> Int {
    let window = monotonicNanoseconds() < begun.opens ? begun : try session.window()
    opens.store(window.opens, ordering: .relaxed)
    closes.store(window.closes, ordering: .relaxed)
    return try withScope { scope in
      defer { stopping.store(true, ordering: .relaxed) }
      switch parameters.load {
      case .paced(_, let cancelShare):
        if cancelShare > 0 { try scope.spawn(name: "pacer") { try self.pace(cancel) } }
      case .flatOut:
        for canceller in 0..<cancellers.count {
          try scope.spawn(name: "canceller") { try cancelAll(canceller) }
        }
      }
      return try session.conduct(
        window, operations: { shards.sum { $0.fired.value } + cancellers.sum { $0.cancelled.value } }, ledger: ledger)
    }
  }

  private func pace(_ cancel: (Int) throws -> Bool) throws {
    let canceller = cancellers[0]
    let start = monotonicNanoseconds()
    var tick = start
    var tried = 0
    while !stopping.load(ordering: .relaxed) {
      tick += TimerStorm.tickNanoseconds
      var now = monotonicNanoseconds()
      if now < tick {
        try sleep(for: .nanoseconds(Int64(tick - now)))
        now = monotonicNanoseconds()
      }
      let due = schedule.cancelsDue(afterNanoseconds: now - start)
      while tried < due, !stopping.load(ordering: .relaxed) {
        canceller.pointee.tried.grow()
        if try cancel(schedule.slot(ofCancel: tried)) { canceller.pointee.cancelled.grow() }
        tried += 1
        if tried % TimerStorm.batch == 0 { yield() }
      }
    }
  }

  /// Counts a timer whose deadline has ended it.
  /// - Parameter now: the clock's reading when its unit or callback went on.
  func fired(slot: Int, at now: UInt64, deadline: UInt64) throws {
    let shard = shards[slot % shards.count]
    shard.pointee.fired.count()
    guard now >= deadline else { return shard.pointee.early.count() }
    guard let recorder = shard.pointee.recorder, now >= opens.load(ordering: .relaxed),
      now < closes.load(ordering: .relaxed)
    else { return }
    try shard.pointee.mutex.withLock { recorder.record(now - deadline) }
  }

  func ledger(armed: Int, armedChecksum: Int, endedChecksum: Int) -> Ledger {
    let tried = cancellers.sum { $0.tried.value }
    let cancelled = cancellers.sum { $0.cancelled.value }
    return [
      "unitsStarted": shards.sum { $0.started.value }, "unitsFinished": shards.sum { $0.finished.value },
      "slotsArmedAtStart": slotsArmedAtStart.value, "timersArmed": armed,
      "timersFired": shards.sum { $0.fired.value }, "timersCancelled": cancelled, "timersLeft": left.value,
      "firedEarly": shards.sum { $0.early.value }, "firedAfterCancel": shards.sum { $0.afterCancel.value },
      "cancelsTried": tried, "cancelsMissed": tried - cancelled,
      "armedChecksum": armedChecksum, "endedChecksum": endedChecksum,
    ]
  }
}
