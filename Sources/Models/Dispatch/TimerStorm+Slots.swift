// The slots of timer-storm: each a unit with a timer source of its own.

import Dispatch
import ModelKit
import Synchronization
import Workloads

/// A slot's unit. Sendable because it is confined to its lane, but for the word that anybody may claim.
final class StormSlot: @unchecked Sendable {
  enum Owner {
    static let unit = 0
    static let deadline = 1
    static let cancel = 2
    static let drain = 3
  }
  private let number: Int
  private let shard: StormShard
  private let timer: any DispatchSourceTimer
  /// Whose the timer is: while it is armed the deadline's, until somebody claims it. Whoever claims it acquires what the
  /// arming released; the unit is told by a block.
  private let owner = Atomic(Owner.unit)
  private var round = -1
  private var deadline: UInt64 = 0
  /// Made once; see Unit.
  private var turn: (@convention(block) @Sendable () -> Void)!

  init(_ number: Int, of shard: StormShard) {
    self.number = number
    self.shard = shard
    timer = DispatchSource.makeTimerSource(queue: shard.lane)
    timer.setEventHandler { [unowned(unsafe) self] in fire() }
    timer.setCancelHandler { [unowned(unsafe) self] in self.shard.finish() }
    turn = { [unowned(unsafe) self] in resume() }
  }

  /// Starts the unit.
  func start() { shard.lane.async(execute: turn) }

  /// Ends the timer, if it is armed, and has the unit go on. Anywhere.
  func cancel() -> Bool {
    guard claim(for: Owner.cancel) else { return false }
    shard.lane.async(execute: turn)
    return true
  }

  private func claim(for claimant: Int) -> Bool {
    owner.compareExchange(
      expected: Owner.deadline, desired: claimant, successOrdering: .acquiring, failureOrdering: .relaxed
    ).exchanged
  }

  /// The unit goes on because of a cancel, or for the first time.
  private func resume() {
    if round < 0 {
      shard.slotsArmed.countAlone()
    } else {
      end()
    }
    arm(at: monotonicNanoseconds())
    if round == 0 { timer.activate() } else { shard.canceller?.hasArmed() }
  }

  /// The unit goes on because of the deadline. An event that an older deadline has left behind is none: the new deadline
  /// has an event of its own to come.
  private func fire() {
    let now = monotonicNanoseconds()
    guard now >= deadline, claim(for: Owner.unit) else { return }
    shard.timersFired.countAlone()
    if let recorder = shard.recorder, shard.window.contains(now) { recorder.record(now - deadline) }
    end()
    arm(at: now)
  }

  /// The drain ends the timer. On the lane; no unit arms any more.
  func leave() {
    guard claim(for: Owner.drain) else { return }  // ended already: its unit stops, or is about to
    shard.timersLeft.countAlone()
    shard.endedChecksum.addAlone(TimerStorm.token(slot: number, round: round))
    timer.cancel()
  }

  private func end() {
    shard.operations.countAlone()
    shard.endedChecksum.addAlone(TimerStorm.token(slot: number, round: round))
  }

  private func arm(at now: UInt64) {
    if shard.isStopping { return timer.cancel() }
    round += 1
    deadline = now + shard.schedule.delay(slot: number, round: round)
    shard.timersArmed.countAlone()
    shard.armedChecksum.addAlone(TimerStorm.token(slot: number, round: round))
    timer.schedule(deadline: DispatchTime(uptimeNanoseconds: deadline))
    owner.store(Owner.deadline, ordering: .releasing)
  }
}

/// What the slots of one lane share. Sendable because what is mutable is confined to the lane, or atomic, or written while
/// no slot is at work.
final class StormShard: @unchecked Sendable {
  let lane: DispatchQueue
  let schedule: TimerStorm.Schedule
  let slotsArmed = Atomic(0)
  let timersArmed = Atomic(0)
  let timersFired = Atomic(0)
  let timersLeft = Atomic(0)
  /// Timers that have ended otherwise than by the drain, counted when their units go on.
  let operations = Atomic(0)
  let unitsFinished = Atomic(0)
  let armedChecksum = Atomic<UInt64>(0)
  let endedChecksum = Atomic<UInt64>(0)
  /// With load=paced.
  let recorder: Recorder?
  /// Set before the window opens: what fires before is none of it.
  var window = Window(opens: .max, closes: .max)
  /// With load=flat-out.
  unowned(unsafe) var canceller: Canceller?
  var isStopping = false
  let units = DispatchGroup()
  /// Keeps the counts of two lanes out of one cache line.
  private let padding = InlineArray<16, Int>(repeating: 0)

  init(on lane: DispatchQueue, _ schedule: TimerStorm.Schedule, recorder: Recorder?) {
    self.lane = lane
    self.schedule = schedule
    self.recorder = recorder
  }

  func finish() {
    unitsFinished.countAlone()
    units.leave()
  }
}
