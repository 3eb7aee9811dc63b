// The hop to threads that may block: results, bounds, cancellation, and that no thread is left.
import EventLoop
import Glibc

let blockingChecks: [Check] = [
  Check("blocking work runs on other threads and gives results and errors") { _ in
    try EventLoops.run {
      let here = pthread_self()
      try expect(try await EventLoops.blocking { pthread_self() } != here, "another thread")
      try expect(pthread_self() == here, "back on the loop")
      try await expectThrow("error") {
        try await EventLoops.blocking { throw Failure(description: "mine") }
      } _: {
        $0 is Failure
      }
    }
    awaitTheKernel { !threadNames().contains { $0.hasPrefix("blocking") } }
    try expect(threadNames().filter { $0.hasPrefix("blocking") }, [], "threads after run")
  },

  Check("blocking threads are bounded, and the loop runs meanwhile") { _ in
    try EventLoops.run(blockingThreads: 3) {
      let inside = Box(Guarded<(now: Int, most: Int)>((0, 0)))
      let gate = Box(Guarded<Bool>(false))
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<12 {
          group.addTask {
            try await EventLoops.blocking {
              inside.value.withLock {
                $0.now += 1
                $0.most = max($0.most, $0.now)
              }
              while !gate.value.withLock({ $0 }) { usleep(100) }
              inside.value.withLock { $0.now -= 1 }
            }
          }
        }
        // The threads wait for the loop, and it for them: none of this would end if one stopped the other.
        while inside.value.withLock({ $0.now }) < 3 { try await EventLoop.sleep(for: .milliseconds(1)) }
        // With nine more in line, time for a fourth to come in.
        try await EventLoop.sleep(for: .milliseconds(5))
        gate.value.withLock { $0 = true }
        try await group.waitForAll()
      }
      try expect(inside.value.withLock { $0.most }, 3, "most at once")
      try expect(threadNames().filter { $0.hasPrefix("blocking") }.count, 3, "threads")
    }
  },

  Check("work cancelled before it begins does not run; work that has begun ends") { _ in
    try EventLoops.run(blockingThreads: 1) {
      let gate = Box(Guarded<Bool>(false))
      let ran = Box(Guarded<Int>(0))
      let begun = Box(Guarded<Bool>(false))
      let first = Task {
        try await EventLoops.blocking { () -> Int in
          begun.value.withLock { $0 = true }
          while !gate.value.withLock({ $0 }) { usleep(100) }
          return 1
        }
      }
      let second = Task { try await EventLoops.blocking { ran.value.withLock { $0 += 1 } } }
      while !begun.value.withLock({ $0 }) { await Task.yield() }
      second.cancel()
      try await expectThrow("withdrawn") {
        try await second.value
      } _: {
        $0 is CancellationError
      }
      first.cancel()
      gate.value.withLock { $0 = true }
      try expect(try await first.value, 1, "the result of work that had begun")
      try await EventLoops.blocking {}
      try expect(ran.value.withLock { $0 }, 0, "withdrawn work ran")
    }
  },

  Check("blocking work raced by cancellation ends once") { seed in
    try EventLoops.run(count: 2, blockingThreads: 4) {
      let counts = Box(Guarded<(ran: Int, ended: Int, withdrawn: Int)>((0, 0, 0)))
      await withDiscardingTaskGroup { group in
        for lane in 0..<8 {
          group.addTask {
            var random = Seeded(state: seed &+ UInt64(lane))
            for _ in 0..<200 {
              let task = EventLoops.next().spawn {
                try await EventLoops.blocking { counts.value.withLock { $0.ran += 1 } }
              }
              for _ in 0..<random.next() % 6 { await Task.yield() }
              if random.next() % 2 == 0 { task.cancel() }
              do {
                try await task.value
                counts.value.withLock { $0.ended += 1 }
              } catch {
                counts.value.withLock { $0.withdrawn += 1 }
              }
            }
          }
        }
      }
      let (ran, ended, withdrawn) = counts.value.withLock { $0 }
      try expect(ran, ended, "work that ran and work whose task got its result")
      try expect(ended + withdrawn, 8 * 200, "all ended")
    }
  },
]
