// The monitor: a thread that watches the workers, since units cannot be preempted.
//
// It takes workers from threads that stay in a `blocking` section, reports units that hog their worker, asks such units
// to give way at their next `checkpoint`, and rouses a sleeper where a runnable unit waits behind one that computes. It
// looks every 20 µs while it finds something to do, and backs off to 10 ms (the intervals of Go's sysmon); while all
// workers sleep it sleeps too. On its way it gives the memory of idle stacks back to the system.
//
// Its looks are switches that the program did not ask for: a server whose only worker naps two thousand times a second
// paid one and a half of them for each request while the monitor started to look every 20 µs after each nap. One worker
// has no sleepers to rouse, so that only `blocking` sections are urgent, and those announce themselves to a monitor that
// rests. It then looks often only after it has found one.

import CContextSwitch
import CLinux
import Glibc
import Synchronization

/// What the monitor waits for, as the word that it waits on.
enum MonitorState {
  /// Nothing but its next look.
  static let looking: UInt32 = 0
  /// The end of all workers' sleep.
  static let parked: UInt32 = 1
  /// Its next look, which is far, or a `blocking` section.
  static let resting: UInt32 = 2
}

private struct Watched {
  var switches: UInt64 = 0
  var since: UInt64 = 0
  var reported = false
  /// CPU time of the carrying thread when the unit was first seen to be stuck; nil before.
  var processorTime: UInt64?
  var blockingWord: UInt64 = 0
}

extension UnsafeMutablePointer where Pointee == Core {
  func startMonitor() -> Int32 {
    var thread = pthread_t()
    let error = pthread_create(
      &thread, nil,
      { argument in
        argument.unsafelyUnwrapped.assumingMemoryBound(to: Core.self).monitor()
        return nil
      }, self)
    if error == 0 { pointee.monitorThread = thread }
    return error
  }

  func wakeMonitor() {
    pointee.monitorState.store(MonitorState.looking, ordering: .sequentiallyConsistent)
    _ = clinux_futex_wake(pointee.monitorState.futexWord, 1)
  }

  /// For a worker that has stopped to count as asleep. Sequentially consistent, as is that, and as is the monitor's look
  /// at `sleeping` after it announced that it parks: one of the two sees the other.
  func wakeMonitorIfParked() {
    if pointee.monitorState.load(ordering: .sequentiallyConsistent) == MonitorState.parked { wakeMonitor() }
  }

  private func monitor() {
    clinux_set_timer_slack(1)
    let n = pointee.workerCount
    var watched = [Watched](repeating: Watched(), count: n)
    var pause: Int64 = 20_000
    var idleRounds = 0
    // After a park comes a rest by the clock: on one processor the monitor only runs while the worker naps, and would
    // find it asleep each time.
    var hasRested = true
    var trimmedAt = clinux_monotonic_ns()
    let hogNanoseconds = pointee.configuration.hogThreshold.map { UInt64(clamping: $0.wholeNanoseconds) } ?? .max
    while !pointee.stopping.load(ordering: .acquiring) {
      var acted = false
      let now = clinux_monotonic_ns()
      for i in 0..<n {
        acted = watch(pointee.workers + i, &watched[i], now: now, hogNanoseconds: hogNanoseconds) || acted
      }
      if now &- trimmedAt >= Self.trimInterval {
        trimStacks()
        trimmedAt = now
      }
      if acted {
        idleRounds = 0
        pause = 20_000
      } else {
        idleRounds += 1
        if idleRounds > 50 { pause = Swift.min(pause * 2, 10_000_000) }
      }
      if pause == 10_000_000, hasRested, pointee.sleeping.load(ordering: .relaxed) == n {
        hasRested = false
        pointee.monitorState.store(MonitorState.parked, ordering: .sequentiallyConsistent)
        if pointee.sleeping.load(ordering: .sequentiallyConsistent) == n,
          !pointee.stopping.load(ordering: .sequentiallyConsistent)
        {
          let limit = hasIdleStacks ? Int64(Self.trimInterval) : -1
          _ = clinux_futex_wait(pointee.monitorState.futexWord, MonitorState.parked, limit)
        }
        pointee.monitorState.store(MonitorState.looking, ordering: .relaxed)
        if n > 1 {
          idleRounds = 0
          pause = 20_000
        }
      } else if pause >= 1_000_000 {
        hasRested = true
        // Sequentially consistent, as are the store and the load in `enterBlocking`: either this sees the section, or
        // the section sees that the monitor rests.
        pointee.monitorState.store(MonitorState.resting, ordering: .sequentiallyConsistent)
        if !pointee.stopping.load(ordering: .sequentiallyConsistent), !hasNewSection(watched) {
          _ = clinux_futex_wait(pointee.monitorState.futexWord, MonitorState.resting, pause)
        }
        pointee.monitorState.store(MonitorState.looking, ordering: .relaxed)
      } else {
        // Nothing stores another value while it looks, so this is a sleep.
        _ = clinux_futex_wait(pointee.monitorState.futexWord, MonitorState.looking, pause)
      }
    }
  }

  /// Whether a worker is in a `blocking` section that has not been seen yet.
  private func hasNewSection(_ watched: [Watched]) -> Bool {
    for i in 0..<pointee.workerCount {
      let word = (pointee.workers + i).pointee.blockingWord.load(ordering: .sequentiallyConsistent)
      if word & 1 == 1 && word != watched[i].blockingWord { return true }
    }
    return false
  }

  private func watch(_ worker: WorkerPointer, _ seen: inout Watched, now: UInt64, hogNanoseconds: UInt64) -> Bool {
    var acted = false
    let blockingWord = worker.pointee.blockingWord.load(ordering: .acquiring)
    if blockingWord & 1 == 1 {
      // The second look at the same section: it has lasted for at least one pause.
      if blockingWord == seen.blockingWord, handOff(worker, blockingWord) { acted = true }
      acted = acted || blockingWord != seen.blockingWord
      seen.blockingWord = blockingWord
      seen.since = now
      // From here on another thread may carry the worker, whose clock says something else.
      seen.processorTime = nil
      return acted
    }
    seen.blockingWord = blockingWord

    let switches = worker.pointee.counters.switches.load() &+ worker.pointee.counters.turnsKept.load()
    let running = UnitPointer(bitPattern: worker.pointee.running.load(ordering: .relaxed))
    guard switches == seen.switches, running != nil, worker.pointee.awake.load(ordering: .relaxed) == 1 else {
      seen.switches = switches
      seen.since = now
      seen.reported = false
      seen.processorTime = nil
      return false
    }
    let stuck = now &- seen.since
    // Work that the running unit keeps from others, and that the policy of rousing on surplus did not announce.
    if stuck >= 50_000, pointee.sleeping.load(ordering: .relaxed) > 0,
      worker.pointee.slot.load(ordering: .relaxed) != 0 || worker.pointee.fresh.count > 0
        || !worker.pointee.ready.isEmpty
    {
      wakeOne(from: nil)
      acted = true
    }
    if stuck >= 10_000_000 { worker.pointee.turnIsOver.store(true, ordering: .relaxed) }
    // Its thread may have been kept from running: only time on the processor counts.
    guard stuck >= 100_000, hogNanoseconds != .max, !seen.reported, let unit = running,
      let used = worker.pointee.carrier.processorTime
    else { return acted }
    guard let before = seen.processorTime else {
      seen.processorTime = used
      return acted
    }
    if used &- before >= hogNanoseconds {
      seen.reported = true
      worker.pointee.counters.hogs.add()
      // The unit may end at any moment: its block stays mapped, and a torn label would at worst name the wrong one.
      let label = gt_label_peek(UnsafeRawPointer(unit).assumingMemoryBound(to: gt_label.self))
      let name = label.name.map { " '\(String(cString: $0))'" } ?? ""
      Diagnostics.warn(
        "unit \(label.id)\(name) has run for \((used &- before) / 1_000_000) ms on worker \(worker.pointee.index) without waiting; "
          + "call checkpoint() in long computations, and blocking { } around calls that block")
    }
    return acted
  }

  private func handOff(_ worker: WorkerPointer, _ word: UInt64) -> Bool {
    // Counted first: a worker that finds itself without work must not take the absent unit for a deadlock.
    pointee.unitsAway.add(1, ordering: .sequentiallyConsistent)
    let done = carry(worker) {
      // Acquire: what the unit's thread wrote to the worker. Release: nothing, but symmetric with the other side.
      worker.pointee.blockingWord.compareExchange(expected: word, desired: 0, ordering: .acquiringAndReleasing)
        .exchanged
    }
    if done {
      worker.pointee.counters.handOffs.add()
    } else {
      endAbsence()
    }
    return done
  }

  // MARK: Deadlock

  /// All workers are idle and no timer, descriptor or thread can wake any unit. Says who waits for what, and cancels
  /// all units, so that they unwind; `Scheduler.run` then throws.
  func breakDeadlock(from worker: WorkerPointer) {
    let first = pointee.deadlockReport == nil
    var lines: [String] = []
    var count = 0
    var woken = 0
    forEachLiveUnit { unit in
      count += 1
      if lines.count < 20 {
        lines.append("  \(unit.name) waits for \(unit.pointee.waitingFor.map { String(cString: $0) } ?? "its start")")
      }
    }
    if count > lines.count { lines.append("  and \(count - lines.count) more") }
    let report =
      "deadlock: all \(count) units wait, and nothing is left that could wake one:\n" + lines.joined(separator: "\n")
    if first { pointee.deadlockReport = report }
    forEachLiveUnit { unit in
      if unit.markCancelled() {
        woken += 1
        worker.pushReady(unit)
      }
    }
    guard woken > 0 else {
      Diagnostics.warn("\(report)\nand none of them can be cancelled")
      abort()
    }
  }
}
