import Glibc
import GreenThreads
import Synchronization
import Testing

@Suite struct CallbackTests {
  @Test func timersFireInOrderAndOnTheClock() throws {
    try Scheduler.run(.seeded(4)) {
      let start = Scheduler.nowNanoseconds
      let fired = Channel<(number: Int, time: UInt64)>(capacity: 100)
      for i in [5, 3, 9, 1, 7, 0, 8, 2, 6, 4] {
        Timer(after: .microseconds(i * 3)) { try? fired.send((i, Scheduler.nowNanoseconds - start)) }
      }
      for i in 0..<10 {
        let (number, time) = try fired.receive()!
        #expect(number == i)
        #expect(time == UInt64(i) * 3000)
      }
      Timer(at: start + 1_000_000) { try? fired.send((100, Scheduler.nowNanoseconds - start)) }
      Timer(after: .seconds(-1)) { try? fired.send((101, 0)) }
      let atOnce = try fired.receive()!
      let later = try fired.receive()!
      #expect(atOnce.number == 101)
      #expect(later == (100, 1_000_000))
    }
  }

  /// Nothing else could wake the unit that waits.
  @Test(arguments: [1, 2])
  func anArmedTimerIsNoDeadlock(workers: Int) throws {
    try Scheduler.run(workers: workers) {
      let channel = Channel<Int>(capacity: 0)
      Timer(after: .milliseconds(2)) { try? channel.send(5) }
      let received = try channel.receive()
      #expect(received == 5)
    }
  }

  @Test func cancelPreventsTheFiringOnce() throws {
    try Scheduler.run(.seeded(2)) {
      let tally = Tally()
      let timer = Timer(after: .seconds(5)) { tally.count() }
      let copy = timer
      #expect(copy.cancel())
      #expect(!timer.cancel())
      // Most likely the same node: the old handle must not reach it.
      let next = Timer(after: .seconds(5)) { tally.count() }
      #expect(!timer.cancel())
      try sleep(for: .seconds(6))
      #expect(tally.total == 1)
      #expect(!next.cancel())
    }
  }

  @Test(arguments: [1, 2])
  func timersLeftAtTheEndAreDiscardedAndTheirHandlesHarmless(workers: Int) throws {
    let lives = Lives()
    let tally = Tally()
    let left = try Scheduler.run(workers: workers) {
      let witness = Witness(lives)
      let cancelled = Timer(after: .seconds(3600)) { _ = witness }
      cancelled.cancel()
      return (0..<600).map { _ in
        Timer(after: .seconds(3600)) {
          _ = witness
          tally.count()
        }
      }
    }
    #expect(lives.counts == [1, 1])
    #expect(tally.total == 0)
    try Scheduler.run(workers: workers) { for timer in left { #expect(!timer.cancel()) } }
  }

  /// They may wait and spawn; what is due together waits for them.
  @Test(arguments: [1, 2])
  func callbacksAreUnits(workers: Int) throws {
    try Scheduler.run(workers: workers) {
      let done = Channel<Int>(capacity: 0)
      for i in 0..<50 {
        Timer(after: .zero) {
          try? sleep(for: .microseconds(20))
          try? spawn { try done.send(i) }.detach()
        }
      }
      var seen = Set<Int>()
      for _ in 0..<50 { seen.insert(try done.receive()!) }
      #expect(seen.count == 50)
    }
  }

  @Test(arguments: [1, 2])
  func withoutAStackCallbacksRunLater(workers: Int) throws {
    var configuration = Scheduler.Configuration(workers: workers)
    configuration.maximumUnits = 3
    try Scheduler.run(configuration) {
      let tally = Tally()
      let gate = Channel<Void>(capacity: 0)
      for _ in 0..<2 { try spawn { _ = try gate.receive() }.detach() }
      for _ in 0..<10 { Timer(after: .zero) { tally.count() } }
      // They have come due, twice.
      while Scheduler.counters.reduce(Counters(), +).timersFired < 20 { yield() }
      #expect(tally.total == 0)
      gate.close()
      while tally.total < 10 { yield() }
    }
  }

  /// Each timer fires or is cancelled, whoever cancels it, and on whichever worker.
  @Test(arguments: [1, 2, 4], [1, 2] as [UInt64])
  func firingRacesWithCancellation(workers: Int, seed: UInt64) throws {
    let perUnit = 400
    let lives = Lives()
    let fired = Tally()
    let cancelled = Tally()
    var configuration = Scheduler.Configuration(workers: workers)
    configuration.hogThreshold = nil
    let counters = try Scheduler.runCounting(configuration) {
      let handles = Channel<Timer>(capacity: 8)
      try withScope { scope in
        let armers = WaitGroup()
        for unit in 0..<4 {
          armers.add()
          try scope.spawn {
            var random = Seeded(state: seed &* 31 &+ UInt64(unit))
            for _ in 0..<perUnit {
              let witness = Witness(lives)
              try handles.send(
                Timer(after: .nanoseconds(Int64(random.next() % 40_000))) {
                  _ = witness
                  fired.count()
                })
              if random.next() % 8 == 0 { yield() }
            }
            armers.done()
          }
        }
        for unit in 0..<3 {
          try scope.spawn {
            var random = Seeded(state: seed &* 17 &+ UInt64(unit))
            while let timer = try handles.receive() {
              for _ in 0..<random.next() % 4 { yield() }
              if timer.cancel() { cancelled.count() }
              #expect(!timer.cancel())
            }
          }
        }
        try armers.wait()
        handles.close()
      }
      while fired.total + cancelled.total < 4 * perUnit { yield() }
    }.counters
    #expect(fired.total + cancelled.total == 4 * perUnit)
    #expect(lives.counts == [4 * perUnit, 4 * perUnit])
    #expect(counters.reduce(Counters(), +).timersFired == UInt64(fired.total))
  }
}

/// A seeded generator (SplitMix64), so that a stress test can be run again.
struct Seeded: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
