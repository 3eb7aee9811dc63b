// Queues longer than a ring is at first: it grows while its owner pushes and takes, and while thieves take.

import GreenThreads
import Synchronization
import Testing

// One after the other: under a sanitizer there is room for few stacks.
@Suite(.serialized) struct RunQueueTests {
  /// Several times the ring's first capacity; and, in the second, more than the injector passes on at once.
  @Test(arguments: [2000, 5000])
  func unitsThatYieldTakeTurnsHoweverManyTheyAre(units: Int) throws {
    let turns = 4
    let order = try Scheduler.run(workers: 1) {
      let order = Shared<[Int]>([])
      var started = 0
      var all = JoinSet<Void>()
      try withUnsafeMutablePointer(to: &started) { started in
        let started = UncheckedBox(started)
        for unit in 0..<units {
          try all.spawn {
            started.value.pointee += 1
            while started.value.pointee < units { yield() }
            for _ in 0..<turns {
              try order.withLock { $0.append(unit) }
              yield()
            }
          }
        }
        while try all.joinNext() != nil {}
      }
      return try order.withLock { $0 }
    }
    #expect(order.count == units * turns)
    // Whoever comes first comes first in each turn. The injector is looked at in between, and its units may cut in when
    // they begin, hence from the second turn on.
    let turn = { (n: Int) in Array(order[n * units..<(n + 1) * units]) }
    #expect(Set(turn(1)).count == units)
    for n in 2..<turns { #expect(turn(n) == turn(1)) }
  }

  /// Each unit finds that it runs on one worker at a time and as often as it asked, while others steal from rings that
  /// grow.
  @Test(arguments: [2, 4])
  func noUnitIsLostOrRunTwiceWhileRingsGrow(workers: Int) throws {
    let units = 3000
    let turns = 10
    // The last one counts violations.
    let running = UncheckedBox(UnsafeMutablePointer<Atomic<Int>>.allocate(capacity: units + 1))
    for i in 0...units { (running.value + i).initialize(to: Atomic(0)) }
    defer {
      running.value.deinitialize(count: units + 1)
      running.value.deallocate()
    }
    let total = try Scheduler.run(workers: workers) {
      var all = JoinSet<Int>()
      for unit in 0..<units {
        try all.spawn {
          var count = 0
          for _ in 0..<turns {
            if (running.value + unit).pointee.exchange(1, ordering: .acquiringAndReleasing) != 0 {
              (running.value + units).pointee.add(1, ordering: .relaxed)
            }
            count += 1
            (running.value + unit).pointee.store(0, ordering: .releasing)
            yield()
          }
          return count
        }
      }
      var total = 0
      while let count = try all.joinNext() { total += count }
      return total
    }
    #expect(total == units * turns)
    #expect((running.value + units).pointee.load(ordering: .relaxed) == 0)
  }

  /// Stacks go from worker to pool and back when more of them are idle than a worker keeps.
  @Test func unitsComeAndGoByTheThousand() throws {
    let sum = try Scheduler.run(workers: 1) {
      var sum = 0
      for wave in [1, 2500, 10, 1700] {
        for stack in [StackClass.small, .large] {
          var all = JoinSet<Int>()
          for i in 0..<wave {
            try all.spawn(stack: stack) {
              yield()
              return i
            }
          }
          while let value = try all.joinNext() { sum += value }
        }
      }
      return sum
    }
    #expect(sum == [1, 2500, 10, 1700].reduce(0) { $0 + $1 * ($1 - 1) })
  }
}

/// Unchecked: what it points to is guarded by the test that made it: by one worker, or by atomics.
private struct UncheckedBox<Value>: @unchecked Sendable {
  let value: Value
  init(_ value: Value) { self.value = value }
}
