// A worker: the queues, timers and stacks that one thread at a time uses to run units.
//
// A worker is not a thread. `Carrier` is the thread that carries it, and `blocking { }` moves a worker from a thread
// that is stuck in the kernel to another one. Code of units reaches its worker through its own block, and reads that
// field again after each switch.

import CContextSwitch
import CLinux
import Synchronization

@usableFromInline typealias WorkerPointer = UnsafeMutablePointer<Worker>
@usableFromInline typealias CarrierPointer = UnsafeMutablePointer<Carrier>
@usableFromInline typealias CorePointer = UnsafeMutablePointer<Core>

@usableFromInline
struct Worker: ~Copyable {
  @usableFromInline let core: CorePointer
  let index: Int
  /// Nobody else runs units: the locked instructions that only guard against other workers are left out.
  @usableFromInline let solo: Bool
  /// The order of the run queue comes from a seed.
  @usableFromInline let seeded: Bool
  @usableFromInline let handsOverAccesses: Bool

  @usableFromInline var carrier: CarrierPointer

  /// The unit woken last, run next: it is hot in the cache, and its waker is often about to wait for it. Only the owner
  /// fills it, when empty; a thief empties it with a compare-and-swap, as a last resort.
  @usableFromInline let slot = Atomic<UInt>(0)
  /// Units run from the slot in a row. Two units that wake each other would otherwise keep all others waiting.
  @usableFromInline var slotRuns: UInt32 = 0
  @usableFromInline static var slotRunLimit: UInt32 { 61 }
  /// Switches until the next look at timers, the injector and the poller.
  @usableFromInline var countdown = Worker.maintenanceInterval
  @usableFromInline static var maintenanceInterval: UInt32 { 61 }

  @usableFromInline let fresh = FreshRing()
  @usableFromInline let ready = ReadyRing()

  /// The context that was left in the last switch: the address of its unit, with bit 0 set if that unit is finished and
  /// nobody will join it. 0: the worker's own loop.
  @usableFromInline var departed: UInt = 0
  /// The unit to run next although another worker may still be leaving it: the loop waits for that, since a unit that
  /// waited here, itself not yet off its processor, could be what the other worker waits for.
  @usableFromInline var handed: UnitPointer?

  /// Stacks ready for use, most recently used first, by class.
  @usableFromInline var freeSmall: UnitPointer?
  @usableFromInline var freeLarge: UnitPointer?
  @usableFromInline var freeSmallCount = 0
  /// The most free stacks of a class that this worker keeps; 0 from the first refusal on. Relaxed: a worker that sees it
  /// late shares a stack later.
  let keeps = Atomic<Int>(Worker.mostStacks)
  @usableFromInline var freeLargeCount = 0
  @usableFromInline var nextUnitID: UInt64

  let timers: WheelPointer
  var random: SplitMix64

  /// 1: running; 0: asleep, or about to be. The futex of a sleeping worker.
  let awake = Atomic<UInt32>(1)
  /// Guarded by the core's idle lock.
  var sleepsInPoller = false
  var nextSleeper: WorkerPointer?

  /// `epoch << 1 | 1` while the unit on this worker is in a `blocking` section, 0 otherwise. See Blocking.swift.
  let blockingWord = Atomic<UInt64>(0)
  var blockingEpoch: UInt64 = 0
  /// The unit that runs, or 0, for the monitor. Relaxed: it only reports with it.
  @usableFromInline let running = Atomic<UInt>(0)
  /// Set by the monitor when the running unit should give others a turn; read by `checkpoint`. Relaxed: a hint.
  @usableFromInline let turnIsOver = Atomic<Bool>(false)

  @usableFromInline let counters = WorkerCounters()

  init(core: CorePointer, index: Int, carrier: CarrierPointer, configuration: Scheduler.Configuration, now: UInt64) {
    self.core = core
    self.index = index
    self.carrier = carrier
    seeded = configuration.seed != nil
    solo = configuration.workers == 1
    handsOverAccesses = configuration.handsOverExclusiveAccesses
    nextUnitID = UInt64(index) + 1
    timers = .allocate(capacity: 1)
    timers.initialize(to: TimerWheel(now: now))
    random = SplitMix64(seed: (configuration.seed ?? now) &+ UInt64(index))
  }

  deinit {
    timers.deinitialize(count: 1)
    timers.deallocate()
  }
}

/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).
struct SplitMix64: RandomNumberGenerator {
  var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

// MARK: Choosing

extension UnsafeMutablePointer where Pointee == Worker {
  /// The next unit to run, from this worker's own queues: the slot, then units that never ran, then the others in turn.
  @inlinable @inline(__always)
  func pick() -> UnitPointer? {
    pointee.countdown &-= 1
    if pointee.countdown == 0, let unit = maintain() { return unit }
    if pointee.seeded { return pickSeeded() }
    let woken = pointee.slot.load(ordering: .relaxed)
    if woken != 0 {
      if pointee.slotRuns < Worker.slotRunLimit || pointee.ready.isEmpty {
        if pointee.solo {
          pointee.slot.store(0, ordering: .relaxed)
          pointee.slotRuns &+= 1
          return UnitPointer(bitPattern: woken)
        }
        // Acquire-release with thieves, who may have taken it since.
        if pointee.slot.compareExchange(expected: woken, desired: 0, ordering: .acquiringAndReleasing).exchanged {
          pointee.slotRuns &+= 1
          return UnitPointer(bitPattern: woken)
        }
      }
    }
    pointee.slotRuns = 0
    if let unit = pointee.fresh.pop(solo: pointee.solo) { return unit }
    return pointee.ready.pop(solo: pointee.solo)
  }

  /// Everything that need not happen at each switch. A unit returned comes from the injector, whose units would starve
  /// behind a worker that never runs dry.
  @usableFromInline @inline(never)
  func maintain() -> UnitPointer? {
    pointee.countdown = Worker.maintenanceInterval
    let core = pointee.core
    if pointee.timers.pointee.earliest.load(ordering: .relaxed) != .max {
      pointee.countdown = Worker.maintenanceInterval / 4
      fireTimers(of: pointee.timers)
    }
    if core.pointee.poller.isUsed { poll(timeout: 0) }
    if !pointee.solo, !pointee.ready.isEmpty || pointee.fresh.count > 0 { core.wakeOnSurplus(from: self) }
    if core.pointee.injectorPointer.pointee.length.load(ordering: .relaxed) > 0 {
      // Oldest of the fresh too, or depth-first order could starve the first units of a wide tree.
      return takeInjected()
    }
    return nil
  }

  func takeInjected() -> UnitPointer? {
    let core = pointee.core
    let length = core.pointee.injectorPointer.pointee.length.load(ordering: .relaxed)
    guard length > 0 else { return nil }
    let room = pointee.ready.room
    let share = Swift.max(1, Swift.min(length / core.pointee.workerCount + 1, 128, room))
    return core.pointee.injectorPointer.take(share) { unit in pushReady(unit) }
  }

  /// The seeded order: every runnable unit is equally likely to be next.
  @usableFromInline @inline(never)
  func pickSeeded() -> UnitPointer? {
    let bag = pointee.core.pointee.bag
    let woken = pointee.slot.load(ordering: .relaxed)
    if let unit = UnitPointer(bitPattern: woken) {
      pointee.slot.store(0, ordering: .relaxed)
      bag.pointee.append(unit)
    }
    while let unit = pointee.fresh.pop(solo: true) { bag.pointee.append(unit) }
    while let unit = pointee.ready.pop(solo: true) { bag.pointee.append(unit) }
    while let unit = pointee.core.pointee.injectorPointer.take(1, rest: { _ in }) { bag.pointee.append(unit) }
    guard !bag.pointee.isEmpty else { return nil }
    let index = Int(pointee.random.next() % UInt64(bag.pointee.count))
    bag.pointee.swapAt(index, bag.pointee.count - 1)
    return bag.pointee.removeLast()
  }

  /// In a seeded run, every operation of a primitive is a place where another unit may run first.
  @inlinable @inline(__always)
  func explore(_ unit: UnitPointer) {
    if pointee.seeded { exploreSlowly(unit) }
  }

  @usableFromInline @inline(never)
  func exploreSlowly(_ unit: UnitPointer) {
    if pointee.random.next() & 3 == 0 { yieldUnit(unit) }
  }
}

// MARK: Making ready

extension UnsafeMutablePointer where Pointee == Worker {
  /// Queues a unit that the unit running here has just woken. No other worker is roused for the first such unit, only
  /// for a surplus: the waker is likely to wait soon, and rousing costs 3.9 times the throughput of spawn and join.
  @inlinable @inline(__always)
  func makeReady(_ unit: UnitPointer) {
    let occupant = pointee.slot.load(ordering: .relaxed)
    if occupant == 0 {
      // Release: publishes the unit to a thief of the slot. Nobody else fills the slot, so no exchange is needed.
      pointee.slot.store(UInt(bitPattern: unit), ordering: .releasing)
    } else {
      pushReady(unit)
      if !pointee.solo { pointee.core.wakeOnSurplus(from: self) }
    }
  }

  @inlinable @inline(__always)
  func pushReady(_ unit: UnitPointer) {
    if !pointee.ready.push(unit) { overflowReady(unit) }
  }

  /// The ring is full: it grows. If it may not, half of it, and the unit, go to the injector in one piece.
  @usableFromInline @inline(never)
  func overflowReady(_ unit: UnitPointer) {
    if pointee.ready.grow() {
      _ = pointee.ready.push(unit)
      return
    }
    var first = unit
    unit.pointee.next = nil
    var last: UnitPointer?
    var count = 1
    for _ in 0..<pointee.ready.count / 2 {
      guard let older = pointee.ready.pop(solo: pointee.solo) else { break }
      if let last { last.pointee.next = older } else { first = older }
      last = older
      count += 1
    }
    last?.pointee.next = unit
    pointee.core.pointee.injectorPointer.push(from: first, to: unit, count: count)
  }

  @inlinable @inline(__always)
  func pushFresh(_ unit: UnitPointer) {
    guard let before = pointee.fresh.push(unit, solo: pointee.solo) else { return overflowFresh(unit) }
    if before != 0, !pointee.solo { pointee.core.wakeOnSurplus(from: self) }
  }

  @usableFromInline @inline(never)
  func overflowFresh(_ unit: UnitPointer) {
    var first: UnitPointer?
    var last: UnitPointer?
    let count = pointee.fresh.takeOldestHalf { older in
      older.pointee.next = nil
      if let last { last.pointee.next = older } else { first = older }
      last = older
    }
    if let first, let last { pointee.core.pointee.injectorPointer.push(from: first, to: last, count: count) }
    // Thieves only make room.
    _ = pointee.fresh.push(unit, solo: pointee.solo)
    if !pointee.solo { pointee.core.wakeOnSurplus(from: self) }
  }

  func makeReady(chain first: UnitPointer?) {
    var rover = first
    while let unit = rover {
      rover = unit.pointee.next
      pushReady(unit)
    }
  }

  @discardableResult
  func fireTimers(of wheel: WheelPointer) -> Bool {
    let (units, callbacks, count) = wheel.expire(now: pointee.core.now(), solo: pointee.solo)
    guard count > 0 else { return false }
    pointee.counters.timersFired.add(UInt64(count))
    makeReady(chain: units)
    if let callbacks { start(callbacks) }
    return true
  }
}
