// A worker without work: what it tries, how it sleeps, and who rouses it.

import CContextSwitch
import CLinux
import Glibc
import Synchronization

extension UnsafeMutablePointer where Pointee == Worker {
  /// The next unit to run, off its processor; waits for one. Nil when the run has ended. Not for units.
  func nextUnit() -> UnitPointer? {
    if let unit = pointee.handed {
      pointee.handed = nil
      return offProcessor(unit)
    }
    while true {
      if let unit = pick() { return offProcessor(unit) }
      if pointee.core.pointee.stopping.load(ordering: .acquiring) { return nil }
      if let unit = pointee.solo ? sleepAlone() : searchOrSleep() { return offProcessor(unit) }
    }
  }

  /// Waits until whoever is leaving this unit has left it. Acquire: see `arrive`.
  private func offProcessor(_ unit: UnitPointer) -> UnitPointer {
    var spins = 0
    while unit.pointee.onProcessor.load(ordering: .acquiring) != 0 {
      spins += 1
      if spins < 1000 { gt_pause() } else { sched_yield() }
    }
    return unit
  }

  // MARK: One worker

  private func sleepAlone() -> UnitPointer? {
    let core = pointee.core
    if pointee.timers.pointee.earliest.load(ordering: .relaxed) != .max, fireTimers(of: pointee.timers) { return nil }
    if let unit = takeInjected() { return unit }
    // From here on a thread outside rouses us; what it queued before is seen now.
    pointee.awake.store(0, ordering: .relaxed)
    core.pointee.sleeping.store(1, ordering: .sequentiallyConsistent)
    pointee.sleepsInPoller = true
    defer {
      pointee.awake.store(1, ordering: .relaxed)  // the monitor watches no other
      core.pointee.sleeping.store(0, ordering: .sequentiallyConsistent)
      core.wakeMonitorIfParked()
    }
    guard core.pointee.injectorPointer.pointee.length.load(ordering: .sequentiallyConsistent) == 0 else { return nil }
    guard core.mayEverWake(from: self) else { return nil }
    if pointee.seeded, core.pointee.unitsInPoller.load(ordering: .relaxed) == 0 {
      core.pointee.virtualNow = Swift.max(core.pointee.virtualNow, pointee.timers.nextDeadline(solo: pointee.solo))
      return nil
    }
    pointee.counters.sleeps.add()
    poll(timeout: untilNextTimer)
    if pointee.seeded, pointee.ready.isEmpty, case let next = pointee.timers.nextDeadline(solo: pointee.solo),
      next != .max
    {
      core.pointee.virtualNow = Swift.max(core.pointee.virtualNow, next)
    }
    return nil
  }

  /// Nanoseconds, -1 for ever.
  private var untilNextTimer: Int64 {
    let earliest = pointee.timers.nextDeadline(solo: pointee.solo)
    guard earliest != .max else { return -1 }
    let now = pointee.core.now()
    return earliest <= now ? 0 : Int64(clamping: earliest - now)
  }

  // MARK: Several workers

  private func searchOrSleep() -> UnitPointer? {
    let core = pointee.core
    if pointee.timers.pointee.earliest.load(ordering: .relaxed) != .max, fireTimers(of: pointee.timers) { return nil }
    if let unit = takeInjected() { return unit }
    var isSearching = core.startSearching()
    while true {
      if isSearching, let unit = search() {
        core.stopSearching(from: self)
        return unit
      }
      guard let roused = sleep(wasSearching: isSearching) else { return nil }
      if pick(ifStopping: core) { return nil }
      // A rouser counts whom it rouses among the searching.
      isSearching = roused
      if !roused {
        // A timer or the poller ended the sleep; there is work in the queues now, or it was a false alarm.
        return nil
      }
    }
  }

  private func pick(ifStopping core: CorePointer) -> Bool { core.pointee.stopping.load(ordering: .acquiring) }

  /// Looks at all other workers' queues, from a random one on: first at the rings, then at the slots too, and at timers
  /// that their owner is late to fire.
  private func search() -> UnitPointer? {
    let core = pointee.core
    let n = core.pointee.workerCount
    for pass in 0..<3 {
      let start = Int(pointee.random.next() % UInt64(n))
      for i in 0..<n {
        let victim = core.pointee.workers + (start + i) % n
        if victim == self { continue }
        if let unit = steal(from: victim, desperate: pass == 2) { return unit }
      }
      if let unit = takeInjected() { return unit }
    }
    return nil
  }

  private func steal(from victim: WorkerPointer, desperate: Bool) -> UnitPointer? {
    var first: UnitPointer?
    let fresh = victim.pointee.fresh.takeOldestHalf { unit in
      // The oldest is the root of the largest subtree: that one to run, the others as our own fresh ones.
      if first == nil { first = unit } else if pointee.fresh.push(unit, solo: false) == nil { pushReady(unit) }
    }
    if fresh > 0 {
      pointee.counters.steals.add(UInt64(fresh))
      return first
    }
    let ready = victim.pointee.ready.steal(into: pointee.ready)
    if ready > 0 {
      pointee.counters.steals.add(UInt64(ready))
      return pointee.ready.pop(solo: false)
    }
    guard desperate else { return nil }
    let earliest = victim.pointee.timers.pointee.earliest.load(ordering: .relaxed)
    if earliest != .max, earliest <= core.now(), fireTimers(of: victim.pointee.timers) {
      if let unit = pointee.ready.pop(solo: false) { return unit }
    }
    let woken = victim.pointee.slot.load(ordering: .relaxed)
    // Acquire: pairs with the release in `makeReady`.
    if woken != 0,
      victim.pointee.slot.compareExchange(expected: woken, desired: 0, ordering: .acquiringAndReleasing).exchanged
    {
      pointee.counters.steals.add()
      return UnitPointer(bitPattern: woken)
    }
    return nil
  }

  private var core: CorePointer { pointee.core }

  /// True: roused by somebody, and counted as searching. False: woke by itself. Nil: did not sleep.
  ///
  /// Between its entry in the list of sleepers and `wakeByItself` a worker touches none of its stacks: others may take them
  /// (`StackPool.take(for:from:)`).
  private func sleep(wasSearching: Bool) -> Bool? {
    let roused = lieDown(wasSearching: wasSearching)
    core.wakeMonitorIfParked()
    return roused
  }

  private func lieDown(wasSearching: Bool) -> Bool? {
    pointee.awake.store(0, ordering: .relaxed)
    core.pointee.idleLock.lock()
    pointee.sleepsInPoller = false
    pointee.nextSleeper = core.pointee.sleepers
    core.pointee.sleepers = self
    core.pointee.sleeping.add(1, ordering: .sequentiallyConsistent)
    let allSleep = core.pointee.sleeping.load(ordering: .relaxed) == core.pointee.workerCount
    core.pointee.idleLock.unlock()
    if wasSearching { core.pointee.searching.subtract(1, ordering: .sequentiallyConsistent) }

    // Whoever queued something before it could see us asleep did not rouse us: look once more.
    if core.hasQueuedWork || core.pointee.stopping.load(ordering: .sequentiallyConsistent) { return wakeByItself() }
    if allSleep, !core.mayEverWake(from: self) { return wakeByItself() }

    pointee.counters.sleeps.add()
    let timeout = untilNextTimer
    // Acquire and release: the poller's event buffer passes from holder to holder.
    if core.pointee.pollerTaken.compareExchange(expected: false, desired: true, ordering: .acquiringAndReleasing)
      .exchanged
    {
      core.pointee.idleLock.lock()
      pointee.sleepsInPoller = true
      core.pointee.idleLock.unlock()
      if pointee.awake.load(ordering: .acquiring) == 0 { poll(timeout: timeout) }
      core.pointee.pollerTaken.store(false, ordering: .releasing)
    } else if timeout != 0 {
      pointee.counters.syscalls.add()
      if pointee.awake.load(ordering: .acquiring) == 0 {
        _ = clinux_futex_wait(pointee.awake.futexWord, 0, timeout)
      }
    }
    return wakeByItself()
  }

  /// Leaves the list of sleepers. True if a rouser was faster: it has removed and counted us.
  private func wakeByItself() -> Bool {
    core.pointee.idleLock.lock()
    defer { core.pointee.idleLock.unlock() }
    guard pointee.awake.load(ordering: .acquiring) == 0 else { return true }
    pointee.awake.store(1, ordering: .relaxed)
    if core.pointee.sleepers == self {
      core.pointee.sleepers = pointee.nextSleeper
    } else {
      var rover = core.pointee.sleepers
      while let worker = rover, worker.pointee.nextSleeper != self { rover = worker.pointee.nextSleeper }
      rover?.pointee.nextSleeper = pointee.nextSleeper
    }
    core.pointee.sleeping.subtract(1, ordering: .sequentiallyConsistent)
    return false
  }

  /// Wakes this worker, which the caller has removed from the sleepers and who holds the idle lock (or is alone).
  func rouse() {
    pointee.awake.store(1, ordering: .releasing)
    if pointee.sleepsInPoller {
      pointee.core.pointee.poller.interrupt()
    } else {
      _ = clinux_futex_wake(pointee.awake.futexWord, 1)
    }
  }
}

extension UnsafeMutablePointer where Pointee == Core {
  /// At most half of the workers search at once.
  fileprivate func startSearching() -> Bool {
    if 2 * pointee.searching.load(ordering: .relaxed) >= pointee.workerCount { return false }
    pointee.searching.add(1, ordering: .sequentiallyConsistent)
    return true
  }

  /// The last searcher to find something rouses the next: while it searched, nobody else was roused.
  fileprivate func stopSearching(from worker: WorkerPointer?) {
    let before = pointee.searching.subtract(1, ordering: .sequentiallyConsistent).oldValue
    if before == 1, hasQueuedWork { wakeOne(from: worker) }
  }

  var hasQueuedWork: Bool {
    if pointee.injectorPointer.pointee.length.load(ordering: .sequentiallyConsistent) > 0 { return true }
    for i in 0..<pointee.workerCount {
      let worker = pointee.workers + i
      if worker.pointee.fresh.count > 0 || !worker.pointee.ready.isEmpty { return true }
    }
    return false
  }

  /// Relaxed: a missed sleeper costs parallelism for a moment, not progress, since this worker will come to what it
  /// queued; and the next surplus, or the monitor, notices.
  @inlinable @inline(__always)
  func wakeOnSurplus(from worker: WorkerPointer) {
    if pointee.sleeping.load(ordering: .relaxed) > 0 { wakeOne(from: worker) }
  }

  /// Rouses one sleeper as a searcher, unless somebody searches already.
  @usableFromInline @inline(never)
  func wakeOne(from worker: WorkerPointer?) {
    guard pointee.searching.load(ordering: .sequentiallyConsistent) == 0,
      pointee.sleeping.load(ordering: .sequentiallyConsistent) > 0,
      pointee.searching.compareExchange(expected: 0, desired: 1, ordering: .sequentiallyConsistent).exchanged
    else { return }
    pointee.idleLock.lock()
    guard var chosen = pointee.sleepers else {
      pointee.idleLock.unlock()
      // Somebody may have gone to sleep since, and somebody else pushed a unit and relied on this search.
      return stopSearching(from: worker)
    }
    // The one in the poller only if there is no other: somebody should go on listening.
    if chosen.pointee.sleepsInPoller, let other = chosen.pointee.nextSleeper {
      chosen.pointee.nextSleeper = other.pointee.nextSleeper
      chosen = other
    } else {
      pointee.sleepers = chosen.pointee.nextSleeper
    }
    pointee.sleeping.subtract(1, ordering: .sequentiallyConsistent)
    chosen.rouse()
    pointee.idleLock.unlock()
    if let worker {
      worker.pointee.counters.wakes.add()
      worker.pointee.counters.syscalls.add()
    }
  }

  /// After a push to the injector by a thread that may not run units itself.
  func wakeForInjected() {
    if pointee.workerCount == 1 {
      // The sleeper stores `sleeping` before it looks at the injector; the push came before this load.
      if pointee.sleeping.load(ordering: .sequentiallyConsistent) > 0 { pointee.poller.interrupt() }
    } else {
      wakeOne(from: nil)
    }
  }

  /// A unit that was away is back, in the injector, or had not left. A worker may have found that nothing but this unit
  /// could ever wake it, and fallen asleep: where all sleep one is roused to look again, even if another seems to search,
  /// since that one may only be on its way to sleep, and not the last. Sequentially consistent, as are a sleeper's count
  /// of itself and its look at who is away: one of the two sees the other.
  func endAbsence() {
    pointee.unitsAway.subtract(1, ordering: .sequentiallyConsistent)
    guard pointee.sleeping.load(ordering: .sequentiallyConsistent) == pointee.workerCount else { return }
    if pointee.workerCount == 1 { return pointee.poller.interrupt() }
    pointee.idleLock.lock()
    if pointee.sleeping.load(ordering: .relaxed) == pointee.workerCount, let chosen = pointee.sleepers {
      pointee.sleepers = chosen.pointee.nextSleeper
      pointee.sleeping.subtract(1, ordering: .sequentiallyConsistent)
      pointee.searching.add(1, ordering: .sequentiallyConsistent)
      chosen.rouse()
    }
    pointee.idleLock.unlock()
  }

  /// Called by the last worker to fall asleep. False: it must not, because the run is over, or because it has just
  /// cancelled everything: no unit is runnable, and nothing that could make one so is under way.
  func mayEverWake(from worker: WorkerPointer) -> Bool {
    if pointee.unitsAway.load(ordering: .sequentiallyConsistent) > 0 { return true }
    if hasQueuedWork { return true }
    if liveUnits == 0 {
      if pointee.rootEnded.load(ordering: .sequentiallyConsistent) { stop() }
      return !pointee.rootEnded.load(ordering: .sequentiallyConsistent)
    }
    if pointee.unitsInPoller.load(ordering: .sequentiallyConsistent) > 0 { return true }
    for i in 0..<pointee.workerCount where (pointee.workers + i).pointee.timers.hasTimers { return true }
    breakDeadlock(from: worker)
    return false
  }
}

extension UnsafeMutablePointer where Pointee == TimerWheel {
  var hasTimers: Bool {
    pointee.lock.lock()
    defer { pointee.lock.unlock() }
    return pointee.count > 0
  }
}
