// Sleeps, Task.sleep, deadlines: that they come, come in order, can be cancelled from anywhere, and leave nothing.
import CLinux
import EventLoop
import Glibc

let timerChecks: [Check] = [
  Check("sleeps end in the order of their deadlines, and never early") { seed in
    try EventLoops.run {
      guard let loop = EventLoop.current else { throw Failure(description: "no loop") }
      var random = Seeded(state: seed)
      // Only those have an order that were armed before the first of them was due. A machine that stands still meanwhile
      // gets another round, and twice the time.
      var lead: UInt64 = 10_000_000
      var wereTogether = false
      while !wereTogether {
        try expect(lead < 60_000_000_000, "500 sleeps were never armed at once")
        let first = clinux_monotonic_ns() + lead
        let deadlines = (0..<500).map { _ in first + random.next() % 50_000_000 }
        let order = Box(Guarded<[UInt64]>([]))
        try await withThrowingTaskGroup(of: Void.self) { group in
          for deadline in deadlines {
            group.addTask {
              try await EventLoop.sleep(untilNanoseconds: deadline)
              try expect(clinux_monotonic_ns() >= deadline, "a sleep ended early")
              order.value.withLock { $0.append(deadline / 1024) }
            }
          }
          while loop.pendingTimers < deadlines.count, clinux_monotonic_ns() < first { await Task.yield() }
          wereTogether = loop.pendingTimers == deadlines.count && clinux_monotonic_ns() < first
          try await group.waitForAll()
        }
        let ended = order.value.withLock { $0 }
        try expect(ended.sorted(), deadlines.map { $0 / 1024 }.sorted(), "sleeps ended")
        try expect(loop.pendingTimers, 0, "timers left")
        // Within one tick of 1024 ns the order is that of arming.
        if wereTogether { try expect(isInOrder(ended), "order of deadlines") }
        lead *= 2
      }
    }
  },

  Check("a million sleeps at once, all cancelled, leave the timer store empty") { _ in
    try EventLoops.run {
      guard let loop = EventLoop.current else { throw Failure(description: "no loop") }
      // A task is 1.4 KB, 1.4 GB in all; under a sanitizer several times that, so there a tenth has to do.
      let count = isSanitized ? 100_000 : 1_000_000
      var tasks: [Task<Void, any Error>] = []
      tasks.reserveCapacity(count)
      for index in 0..<count { tasks.append(Task { try await EventLoop.sleep(for: .seconds(3600 + index)) }) }
      while loop.pendingTimers < count { await Task.yield() }
      for task in tasks { task.cancel() }
      try expect(loop.pendingTimers, 0, "timers left after cancelling, before the tasks have run")
      var cancelled = 0
      for task in tasks {
        do { try await task.value } catch is CancellationError { cancelled += 1 }
      }
      try expect(cancelled, count, "cancelled")
      try expect(loop.counters.timersCancelled, UInt64(count), "counted")
      try expect(loop.counters.timersFired, 0, "fired")
    }
  },

  Check("a hundred thousand sleeps at once all end") { seed in
    let ended = try EventLoops.run(count: 2) { () -> Int in
      let ended = Box(Guarded<Int>(0))
      await withDiscardingTaskGroup { group in
        for index in 0..<100_000 {
          group.addTask {
            if index % 2 == 1 { await EventLoops.all[1].enter() }
            var random = Seeded(state: seed &+ UInt64(index))
            try? await EventLoop.sleep(for: .microseconds(Int(random.next() % 20_000)))
            ended.value.withLock { $0 += 1 }
          }
        }
      }
      return ended.value.withLock { $0 }
    }
    try expect(ended, 100_000, "sleeps ended")
  },

  Check("a sleep of a cancelled task throws at once") { _ in
    try EventLoops.run {
      let task = Task {
        while !Task.isCancelled { await Task.yield() }
        try await EventLoop.sleep(for: .seconds(1000))
      }
      await Task.yield()
      task.cancel()
      try await expectThrow("sleep") {
        try await task.value
      } _: {
        $0 is CancellationError
      }
      try expect(EventLoop.current?.pendingTimers, 0, "timers left")
    }
  },

  Check("sleeps raced by cancellation from other loops end once, one way or the other") { seed in
    let (fired, cancelled) = try EventLoops.run(count: 4) { () -> (Int, Int) in
      let counts = Box(Guarded<(Int, Int)>((0, 0)))
      let loops = EventLoops.all
      await withDiscardingTaskGroup { group in
        for lane in 0..<8 {
          group.addTask {
            var random = Seeded(state: seed &+ UInt64(lane))
            for _ in 0..<500 {
              let sleepTime = random.next() % 60_000
              let target = loops[Int(random.next() % 4)]
              let sleeper = target.spawn { try await EventLoop.sleep(for: .nanoseconds(Int(sleepTime))) }
              await loops[Int(random.next() % 4)].enter()
              let until = clinux_monotonic_ns() + random.next() % 60_000
              while clinux_monotonic_ns() < until { await Task.yield() }
              sleeper.cancel()
              do {
                try await sleeper.value
                counts.value.withLock { $0.0 += 1 }
              } catch { counts.value.withLock { $0.1 += 1 } }
            }
          }
        }
      }
      for loop in loops {
        try await loop.spawn { try expect(loop.pendingTimers, 0, "timers left on loop \(loop.index)") }.value
      }
      return counts.value.withLock { $0 }
    }
    try expect(fired + cancelled, 8 * 500, "sleeps ended")
  },

  Check("Task.sleep and clocks use the loop's timers") { _ in
    try EventLoops.run {
      let before = EventLoops.counters.timersArmed
      let start = ContinuousClock.now
      try await Task.sleep(for: .milliseconds(3))
      try await Task.sleep(nanoseconds: 1_000_000)
      try await SuspendingClock().sleep(for: .milliseconds(1))
      try await Task.sleep(until: .now + .milliseconds(1), clock: .continuous)
      try expect(ContinuousClock.now - start >= .milliseconds(6), "slept too short")
      try expect(EventLoops.counters.timersArmed, before + 4, "timers armed")
      // From here to the next sleep is one turn of the loop, in which no timer fires however long it takes.
      let task = Task { try await Task.sleep(for: .milliseconds(20)) }
      await Task.yield()
      task.cancel()
      try await expectThrow("Task.sleep") {
        try await task.value
      } _: {
        $0 is CancellationError
      }
      // The runtime leaves a cancelled sleep's job with the executor until its time; the loop's own sleep does not.
      try expect(EventLoop.current?.pendingTimers, 1, "timers left by a cancelled Task.sleep")
      while EventLoop.current?.pendingTimers != 0 { try await EventLoop.sleep(for: .milliseconds(10)) }
    }
  },

  Check("withDeadline returns results, throws errors, and cancels what takes too long") { _ in
    try EventLoops.run(count: 2) {
      for loop in EventLoops.all {
        await loop.enter()
        try expect(try await withDeadline(.seconds(100)) { 7 }, 7, "result")
        try await expectThrow("error") {
          try await withDeadline(.seconds(100)) { throw Failure(description: "mine") }
        } _: {
          ($0 as? Failure)?.description == "mine"
        }
        try await expectThrow("deadline") {
          try await withDeadline(.milliseconds(1)) { try await EventLoop.sleep(for: .seconds(100)) }
        } _: {
          $0 as? LoopError == .deadlineExceeded(.milliseconds(1))
        }
        // Cancelled from outside, it is a cancellation, not a deadline.
        let task = Task {
          try await withDeadline(.seconds(100)) { try await EventLoop.sleep(for: .seconds(100)) }
        }
        await Task.yield()
        task.cancel()
        try await expectThrow("cancelled") {
          try await task.value
        } _: {
          $0 is CancellationError
        }
        for other in EventLoops.all {
          try await other.spawn { try expect(other.pendingTimers, 0, "timers left") }.value
        }
      }
    }
  },

  Check("deadlines raced by results leave nothing behind") { seed in
    try EventLoops.run(count: 2) {
      let loops = EventLoops.all
      await withDiscardingTaskGroup { group in
        for lane in 0..<8 {
          group.addTask {
            var random = Seeded(state: seed &+ UInt64(lane))
            for _ in 0..<300 {
              await loops[Int(random.next() % 2)].enter()
              let work = Duration.nanoseconds(Int(random.next() % 80_000))
              let limit = Duration.nanoseconds(Int(random.next() % 80_000))
              let target = loops[Int(random.next() % 2)]
              _ = try? await withDeadline(limit) {
                await target.enter()
                try await EventLoop.sleep(for: work)
              }
            }
          }
        }
      }
      for loop in loops {
        try await loop.spawn { try expect(loop.pendingTimers, 0, "timers left on loop \(loop.index)") }.value
      }
    }
  },

  Check("callback timers fire once, on their loop, in order; cancelled and moved ones do not") { seed in
    try EventLoops.run(count: 2) {
      let loops = EventLoops.all
      for loop in loops {
        try await loop.spawn {
          var random = Seeded(state: seed)
          let log = Log()
          let start = clinux_monotonic_ns() + 20_000_000
          var timers: [EventLoop.Timer] = []
          for index in 0..<2000 {
            let deadline = start + random.next() % 5_000_000
            let timer = EventLoop.Timer(on: loop) { log.note(index, deadline) }
            timer.arm(atNanoseconds: index % 4 == 1 ? start : deadline)
            timers.append(timer)
          }
          for index in stride(from: 0, to: 2000, by: 4) {
            try expect(timers[index].cancel(), "it was armed")
            try expect(!timers[index].cancel(), "it is cancelled already")
            timers[index + 1].arm(atNanoseconds: start + random.next() % 5_000_000)
          }
          try expect(loop.pendingTimers, 1500, "armed")
          // Dropped handles: the wheel keeps what is armed.
          timers = []
          while log.count < 1500 { try await EventLoop.sleep(for: .milliseconds(1)) }
          try expect(Set(log.fired.map(\.index)).count, 1500, "each fires once")
          try expect(log.fired.allSatisfy { $0.loop == loop.index }, "on its loop")
          let unmoved = log.fired.filter { $0.index % 4 != 1 }
          try expect(unmoved.allSatisfy { $0.at >= $0.deadline }, "none early")
          // All were armed in one turn of the loop, hence before the first fired.
          try expect(isInOrder(unmoved.map { $0.deadline / 1024 }), "order of deadlines")
          try expect(log.fired.allSatisfy { $0.index % 4 != 0 }, "no cancelled one")
          try expect(loop.pendingTimers, 0, "timers left")
        }.value
      }
    }
  },

  Check("a callback may cancel and re-arm timers that are due with it") { seed in
    try EventLoops.run {
      guard let loop = EventLoop.current else { throw Failure(description: "no loop") }
      var random = Seeded(state: seed)
      for _ in 0..<200 {
        let ring = Ring()
        let due = clinux_monotonic_ns() + 1000
        for index in 0..<16 {
          let victim = Int(random.next() % 16)
          let rearms = random.next() % 2 == 0
          ring.timers.append(
            EventLoop.Timer(on: loop) {
              ring.fired[index] += 1
              let other = ring.timers[victim]
              if other.cancel() { ring.cancelled[victim] += 1 }
              if rearms, ring.budget > 0 {
                ring.budget -= 1
                ring.armed[victim] += 1
                other.arm(atNanoseconds: due)
              }
            })
          ring.armed[index] = 1
        }
        for timer in ring.timers { timer.arm(atNanoseconds: due) }
        while loop.pendingTimers > 0 { await Task.yield() }
        for index in 0..<16 {
          try expect(ring.fired[index] + ring.cancelled[index], ring.armed[index], "armed = fired + cancelled")
        }
        ring.timers = []
      }
    }
  },

  Check("a timer that arms itself again runs beside tasks, and ends with its loop") { _ in
    let freed = Box(Guarded<Int>(0))
    try EventLoops.run(count: 2) {
      for loop in EventLoops.all {
        try await loop.spawn {
          let ticks = Ticker(on: loop, freed: freed)
          ticks.start()
          while ticks.count < 20 { await Task.yield() }
        }.value
      }
    }
    // Both still tick. Their loops have let go of them, and of all that their callbacks hold.
    try expect(freed.value.withLock { $0 }, 2, "freed")
  },

  Check("a sleep cancelled and a deadline met after their loop has stopped do no harm") { _ in
    let ended = Box(Guarded<Int>(0))
    for round in 0..<6 {
      try EventLoops.run(count: 2) {
        let (here, there) = (EventLoops.all[0], EventLoops.all[1])
        let gate = AsyncSemaphore(0)
        // It knows nothing of its loop, so the loop goes while it sleeps.
        let sleeper = try await there.spawn { Task { try await EventLoop.sleep(for: .seconds(1000)) } }.value
        if round % 2 == 1 {
          there.spawn {
            try await withDeadline(.seconds(1000)) {
              await here.enter()
              try await gate.acquire()
            }
            ended.value.withLock { $0 += 1 }
          }
        }
        while try await there.spawn({ there.pendingTimers }).value < 1 + round % 2 {}
        await here.enter()
        // Runs when the loops have been told to stop: the other one does so at once.
        Task {
          awaitTheKernel { !threadNames().contains("loop-1") }
          sleeper.cancel()
          gate.release()
        }
      }
    }
    try expect(ended.value.withLock { $0 }, 3, "tasks that went on")
    // Tasks that wait when the loops stop are abandoned, on purpose. A search for leaks would find just that.
    if isSanitized {
      print("ok")
      fflush(nil)
      _exit(0)
    }
  },

  Check("untilCancelled ends with its task") { _ in
    try EventLoops.run {
      let task = Task { await Task.untilCancelled() }
      await Task.yield()
      task.cancel()
      await task.value
    }
  },
]

/// Whether times in ticks ascend. The wheel rounds up, so neighbouring ticks may have been one to it.
private func isInOrder(_ ticks: [UInt64]) -> Bool {
  zip(ticks, ticks.dropFirst()).allSatisfy { $0 <= $1 + 1 }
}

/// What timers have called. Unchecked: used on one loop only, as are the two below.
private final class Log: @unchecked Sendable {
  private(set) var fired: [(index: Int, loop: Int?, deadline: UInt64, at: UInt64)] = []
  var count: Int { fired.count }

  func note(_ index: Int, _ deadline: UInt64) {
    fired.append((index, EventLoop.current?.index, deadline, clinux_monotonic_ns()))
  }
}

private final class Ring: @unchecked Sendable {
  var timers: [EventLoop.Timer] = []
  var fired = [Int](repeating: 0, count: 16)
  var cancelled = [Int](repeating: 0, count: 16)
  var armed = [Int](repeating: 0, count: 16)
  /// Times that a callback may still arm another, so that the round ends.
  var budget = 20
}

private final class Ticker: @unchecked Sendable {
  private(set) var count = 0
  private let loop: EventLoop
  private let freed: Box<Guarded<Int>>
  private weak var timer: EventLoop.Timer?

  init(on loop: EventLoop, freed: Box<Guarded<Int>>) { (self.loop, self.freed) = (loop, freed) }

  deinit { freed.value.withLock { $0 += 1 } }

  func start() {
    let timer = EventLoop.Timer(on: loop) { self.tick() }
    self.timer = timer
    timer.arm(after: .microseconds(50))
  }

  private func tick() {
    count += 1
    timer?.arm(after: .microseconds(50))
  }
}
