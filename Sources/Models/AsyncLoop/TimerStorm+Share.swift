// One loop's share of timer-storm: its slots, and the pacer or the canceller that ends their timers.

import EventLoop
import ModelKit
import Synchronization
import Workloads

/// How a timer has ended.
private enum End { case fired, cancelled, left }

/// One slot: a timer, and the task that waits for it. Used on its loop only.
private final class Slot {
  let number: Int
  /// Whether a cancel has claimed the timer that was armed last.
  @exclusivity(unchecked) private(set) var isClaimed = false
  /// Whether somebody waits until it has armed.
  @exclusivity(unchecked) var isAwaited = false
  @exclusivity(unchecked) private var timer: EventLoop.Timer?
  @exclusivity(unchecked) private var continuation: UnsafeContinuation<End, Never>?

  init(_ number: Int) { self.number = number }

  /// Unchecked: a way for the timer's callback, which its own loop calls, to the slot. The callback goes with the timer,
  /// which the slot owns.
  private struct Reference: @unchecked Sendable {
    unowned(unsafe) let slot: Slot
  }

  func open(on loop: EventLoop) {
    let reference = Reference(slot: self)
    timer = EventLoop.Timer(on: loop) { reference.slot.resume(.fired) }
  }

  func close() { timer = nil }

  /// Arms the timer; `waiting` is resumed when it ends.
  func arm(atNanoseconds deadline: UInt64, _ waiting: UnsafeContinuation<End, Never>) {
    continuation = waiting
    isClaimed = false
    timer?.arm(atNanoseconds: deadline)
  }

  /// Ends the timer before its time. False: none is armed.
  func cancel(_ end: End) -> Bool {
    guard timer?.cancel() == true else { return false }
    isClaimed = true
    resume(end)
    return true
  }

  private func resume(_ end: End) {
    guard let waiting = continuation else { preconditionFailure("a timer has ended for which nobody waits") }
    continuation = nil
    waiting.resume(returning: end)
  }
}

/// A recorder for one loop, or for some where there are more loops than a trial may have recorders.
final class SharedRecorder: Sendable {
  private let recorder: Mutex<Recorder>

  init(_ recorder: Recorder) { self.recorder = Mutex(recorder) }

  func record(_ nanoseconds: UInt64) { recorder.withLock { $0.record(nanoseconds) } }
}

/// Unchecked: used on its loop only. All tasks that use it start there, and only ever wait for that loop's timers, for
/// each other, or for a semaphore, which wakes them where they wait.
final class StormShare: @unchecked Sendable {
  struct Counts: Sendable {
    var unitsStarted = 0
    var unitsFinished = 0
    var slotsArmed = 0
    var armed = 0
    var fired = 0
    var cancelled = 0
    var left = 0
    var early = 0
    var afterCancel = 0
    var tried = 0
    var missed = 0
    var armedChecksum: UInt64 = 0
    var endedChecksum: UInt64 = 0
    /// Within the window.
    var operations = 0

    mutating func add(_ other: Counts) {
      unitsStarted += other.unitsStarted
      unitsFinished += other.unitsFinished
      slotsArmed += other.slotsArmed
      armed += other.armed
      fired += other.fired
      cancelled += other.cancelled
      left += other.left
      early += other.early
      afterCancel += other.afterCancel
      tried += other.tried
      missed += other.missed
      armedChecksum &+= other.armedChecksum
      endedChecksum &+= other.endedChecksum
      operations += other.operations
    }

    func ledger(armedAtStart: Int) -> Ledger {
      [
        "unitsStarted": unitsStarted, "unitsFinished": unitsFinished, "slotsArmedAtStart": armedAtStart,
        "timersArmed": armed, "timersFired": fired, "timersCancelled": cancelled, "timersLeft": left,
        "firedEarly": early, "firedAfterCancel": afterCancel, "cancelsTried": tried, "cancelsMissed": missed,
        "armedChecksum": Int(bitPattern: UInt(armedChecksum)), "endedChecksum": Int(bitPattern: UInt(endedChecksum)),
      ]
    }
  }

  /// What a slot takes of the heap, rounded up.
  static let bytesPerSlot = 2_560
  /// Units that are started, and cancels that are made, before the others on this loop have their turn.
  private static let turn = 64

  let index: Int
  /// Released when the work is to end.
  let ended = AsyncSemaphore(0)
  private let loops: Int
  private let load: TimerStorm.Parameters.Load
  private let schedule: TimerStorm.Schedule
  private let recorder: SharedRecorder?
  private let stop: StopFlag
  private let slots: [Slot]
  // All of it confined to this loop, which is a promise that the compiler need not check at every access.
  @exclusivity(unchecked) private var units: [Task<Void, Never>] = []
  @exclusivity(unchecked) private var counts = Counts()
  @exclusivity(unchecked) private var window: Window?
  @exclusivity(unchecked) private var isEnding = false
  /// Slots that have not armed since they were started or cancelled, and who waits for the last of them.
  @exclusivity(unchecked) private var awaited = 0
  @exclusivity(unchecked) private var settling: UnsafeContinuation<Void, Never>?

  init(
    _ parameters: TimerStorm.Parameters, _ schedule: TimerStorm.Schedule, index: Int, loops: Int,
    recorder: SharedRecorder?, _ stop: StopFlag
  ) {
    self.index = index
    self.loops = loops
    self.schedule = schedule
    self.recorder = recorder
    self.stop = stop
    load = parameters.load
    slots = stride(from: index, to: parameters.outstanding, by: loops).map { Slot($0) }
  }

  /// Starts a unit for each slot. Returns how many have armed when all have.
  func start(on loop: EventLoop) async -> Int {
    awaited = slots.count
    for (index, slot) in slots.enumerated() {
      slot.open(on: loop)
      slot.isAwaited = true
      units.append(Task { await self.unit(index) })
      if index % Self.turn == 0 { await Task.yield() }
    }
    await settle()
    return counts.slotsArmed
  }

  /// From the first cancel to the last unit's end.
  func storm(from start: UInt64, _ window: Window) async throws -> Counts {
    self.window = window
    switch load {
    case .flatOut: await cancelAll()
    case .paced(_, let cancelShare) where cancelShare > 0: try await pace(from: start)
    case .paced: try await ended.acquire()
    }
    isEnding = true
    for slot in slots where slot.cancel(.left) { counts.left += 1 }
    for unit in units { await unit.value }
    for slot in slots { slot.close() }
    counts.unitsFinished = units.count
    return counts
  }

  /// A slot's unit: arms, waits, arms again.
  private func unit(_ index: Int) async {
    counts.unitsStarted += 1
    let slot = slots[index]
    var round = 0
    var now = monotonicNanoseconds()
    while !isEnding {
      let token = TimerStorm.token(slot: slot.number, round: round)
      let deadline = now + schedule.delay(slot: slot.number, round: round)
      if round == 0 { counts.slotsArmed += 1 }
      counts.armed += 1
      counts.armedChecksum &+= token
      let end = await withUnsafeContinuation { waiting in
        slot.arm(atNanoseconds: deadline, waiting)
        hasArmed(slot)
      }
      now = monotonicNanoseconds()
      counts.endedChecksum &+= token
      if end != .left, window?.contains(now) == true { counts.operations += 1 }
      if end == .fired { hasFired(slot, deadline, now) }
      round += 1
    }
  }

  private func hasFired(_ slot: Slot, _ deadline: UInt64, _ now: UInt64) {
    counts.fired += 1
    if slot.isClaimed { counts.afterCancel += 1 }
    guard now >= deadline else {
      counts.early += 1
      return
    }
    if window?.contains(now) == true { recorder?.record(now - deadline) }
  }

  private func hasArmed(_ slot: Slot) {
    guard slot.isAwaited else { return }
    slot.isAwaited = false
    awaited -= 1
    if awaited == 0, let waiting = settling {
      settling = nil
      waiting.resume()
    }
  }

  /// Waits until all slots that are awaited have armed; gives way where there is none.
  private func settle() async {
    if awaited == 0 { return await Task.yield() }
    await withUnsafeContinuation { settling = $0 }
  }

  /// The canceller: a batch of slots at a time, round after round.
  private func cancelAll() async {
    var next = 0
    while !stop.isUp, !slots.isEmpty {
      let end = min(next + TimerStorm.batch, slots.count)
      for slot in slots[next..<end] where cancel(slot) {
        slot.isAwaited = true
        awaited += 1
      }
      await settle()
      next = end == slots.count ? 0 : end
    }
  }

  /// The pacer: at each tick the cancels that are due. It makes those of this loop's slots; every loop has one.
  private func pace(from start: UInt64) async throws {
    var number = 0
    var made = 0
    while !stop.isUp {
      let due = schedule.cancelsDue(afterNanoseconds: monotonicNanoseconds() - start)
      while number < due, !stop.isUp {
        let slot = schedule.slot(ofCancel: number)
        number += 1
        guard slot % loops == index else { continue }
        _ = cancel(slots[slot / loops])
        made += 1
        if made % Self.turn == 0 { await Task.yield() }
      }
      let ticks = (monotonicNanoseconds() - start) / TimerStorm.tickNanoseconds
      try await EventLoop.sleep(untilNanoseconds: start + (ticks + 1) * TimerStorm.tickNanoseconds)
    }
  }

  private func cancel(_ slot: Slot) -> Bool {
    counts.tried += 1
    let isClaimed = slot.cancel(.cancelled)
    if isClaimed { counts.cancelled += 1 } else { counts.missed += 1 }
    return isClaimed
  }
}
