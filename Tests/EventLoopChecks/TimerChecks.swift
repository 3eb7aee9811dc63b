// Sleeps, Task.sleep, deadlines: that they come, come in order, can be cancelled from anywhere, and leave nothing.
import CLinux
import EventLoop
import Glibc

let timerChecks: [Check] = [
  Check("sleeps end in the order of their deadlines, and never early") { seed in
    try EventLoops.run {
      var random = Seeded(state: seed)
      let start = clinux_monotonic_ns()
      // Far enough for all to be armed before the first is due, in a sanitizer's build too.
      let deadlines = (0..<500).map { _ in start + 300_000_000 + random.next() % 50_000_000 }
      let order = Box(Guarded<[UInt64]>([]))
      try await withThrowingTaskGroup(of: Void.self) { group in
        for deadline in deadlines {
          group.addTask {
            try await EventLoop.sleep(untilNanoseconds: deadline)
            try expect(clinux_monotonic_ns() >= deadline, "a sleep ended early")
            order.value.withLock { $0.append(deadline / 1024) }
          }
        }
        try await group.waitForAll()
      }
      let ended = order.value.withLock { $0 }
      try expect(ended.count, 500, "sleeps ended")
      // Within one tick of 1024 ns the order is that of arming.
      for (a, b) in zip(ended, ended.dropFirst()) { try expect(a <= b + 1, "order of deadlines") }
      try expect(EventLoop.current?.pendingTimers, 0, "timers left")
    }
  },

  Check("a million cancelled sleeps leave the timer store empty") { _ in
    try EventLoops.run {
      guard let loop = EventLoop.current else { throw Failure(description: "no loop") }
      // A thousand tasks at a time hold a thousand timers each in turn: tasks cost 1.3 KB, timers are what is checked.
      var cancelled = 0
      for _ in 0..<100 {
        let tasks = (0..<10_000).map { index in
          Task { try await EventLoop.sleep(for: .seconds(60 + index)) }
        }
        await Task.yield()
        while loop.pendingTimers < 10_000 { await Task.yield() }
        for task in tasks { task.cancel() }
        try expect(loop.pendingTimers, 0, "timers left after cancelling, before the tasks have run")
        for task in tasks {
          do { try await task.value } catch is CancellationError { cancelled += 1 }
        }
      }
      try expect(cancelled, 1_000_000, "cancelled")
      try expect(loop.counters.timersCancelled, 1_000_000, "counted")
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
      try await EventLoop.sleep(for: .milliseconds(30))
      try expect(EventLoop.current?.pendingTimers, 0, "timers left after its time")
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

  Check("untilCancelled ends with its task") { _ in
    try EventLoops.run {
      let task = Task { await Task.untilCancelled() }
      await Task.yield()
      task.cancel()
      await task.value
    }
  },
]
