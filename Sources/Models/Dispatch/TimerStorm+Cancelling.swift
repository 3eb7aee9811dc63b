// Who cancels in timer-storm: a pacer, or as many cancellers as there are workers.

import Dispatch
import ModelKit
import Synchronization
import Workloads

/// With load=paced: a repeating timer makes the cancels that are due. Sendable because it is confined to its lane; its
/// counts may be read anywhere.
final class Pacer: @unchecked Sendable {
  let cancelled = Atomic(0)
  let tried = Atomic(0)
  private let timer: any DispatchSourceTimer
  private let ended = DispatchGroup()

  init(_ slots: [StormSlot], _ schedule: TimerStorm.Schedule, on lane: DispatchQueue) {
    timer = DispatchSource.makeTimerSource(queue: lane)
    let start = monotonicNanoseconds()
    timer.schedule(
      deadline: DispatchTime(uptimeNanoseconds: start + TimerStorm.tickNanoseconds),
      repeating: .nanoseconds(Int(TimerStorm.tickNanoseconds)))
    timer.setEventHandler { [unowned(unsafe) self] in
      let due = schedule.cancelsDue(afterNanoseconds: monotonicNanoseconds() - start)
      for number in tried.value..<max(due, tried.value) {
        if slots[schedule.slot(ofCancel: number)].cancel() { cancelled.countAlone() }
        tried.countAlone()
      }
    }
    ended.enter()
    timer.setCancelHandler { [ended] in ended.leave() }
    timer.activate()
  }

  func stop() {
    timer.cancel()
    ended.wait()
  }
}

/// With load=flat-out: goes round the slots of one lane, on that lane, a batch a turn; the slot of the batch that arms
/// last schedules the next.
final class Canceller: Unit, @unchecked Sendable {
  let cancelled = Atomic(0)
  let tried = Atomic(0)
  private let slots: [StormSlot]
  private unowned(unsafe) let shard: StormShard
  private var position = 0
  private var unarmed = 0
  private let ended = DispatchGroup()

  /// - Parameter slots: those of the shard, in ascending order; at least one.
  init(_ slots: [StormSlot], of shard: StormShard) {
    self.slots = slots
    self.shard = shard
    super.init(on: shard.lane)
  }

  func start() {
    ended.enter()
    lane.async { [unowned(unsafe) self] in wake() }
  }

  /// On the lane: a slot whose timer has been cancelled has armed the next.
  func hasArmed() {
    unarmed -= 1
    if unarmed == 0 { wake() }
  }

  override func run() {
    if isStopping.load(ordering: .relaxed) { return ended.leave() }
    let end = min(position + TimerStorm.batch, slots.count)
    for index in position..<end {
      if slots[index].cancel() {
        cancelled.countAlone()
        unarmed += 1
      }
      tried.countAlone()
    }
    position = end == slots.count ? 0 : end
    if unarmed == 0 { wake() }
  }

  /// Relaxed: it orders nothing, and a batch later is soon enough.
  private let isStopping = Atomic(false)

  /// Asks it to end after its batch.
  func stop() { isStopping.store(true, ordering: .relaxed) }
  func join() { ended.wait() }
}
