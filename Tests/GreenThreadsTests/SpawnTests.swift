import GreenThreads
import Synchronization
import Testing

struct Boom: Error, Equatable { var code = 0 }

/// Counts across units; only its own lock protects it.
final class Shared<Value>: @unchecked Sendable {
  private let mutex = GreenThreads.Mutex()
  private var value: Value
  init(_ value: Value) { self.value = value }
  func withLock<T>(_ body: (inout Value) throws -> T) throws -> T { try mutex.withLock { try body(&value) } }
}

/// A handle cannot be captured, hence not joined inside of `#expect`.
func expect<T, E: Error & Equatable>(
  _ handle: consuming JoinHandle<T>, throws expected: E, sourceLocation: SourceLocation = #_sourceLocation
) {
  do {
    _ = try handle.join()
    Issue.record("the unit did not throw", sourceLocation: sourceLocation)
  } catch { #expect(error as? E == expected, sourceLocation: sourceLocation) }
}

func expect<T, E: Error>(
  _ handle: consuming JoinHandle<T>, throws expected: E.Type, sourceLocation: SourceLocation = #_sourceLocation
) {
  do {
    _ = try handle.join()
    Issue.record("the unit did not throw", sourceLocation: sourceLocation)
  } catch { #expect(error is E, sourceLocation: sourceLocation) }
}

@Suite struct SpawnTests {
  @Test(arguments: [1, 2, 4])
  func runReturnsWhatItsBodyReturns(workers: Int) throws {
    #expect(try Scheduler.run(workers: workers) { 42 } == 42)
  }

  @Test func runThrowsWhatItsBodyThrows() {
    #expect(throws: Boom(code: 3)) { try Scheduler.run(workers: 2) { throw Boom(code: 3) } }
  }

  @Test(arguments: [1, 2, 4])
  func joinReturnsResultsOfEverySize(workers: Int) throws {
    try Scheduler.run(workers: workers) {
      let small = try spawn { 7 }
      let text = try spawn { String(repeating: "long enough for the heap ", count: 4) }
      let large = try spawn { (1, 2, 3, 4, 5, 6, 7, 8) }
      let smallResult = try small.join()
      #expect(smallResult == 7)
      #expect(try text.join().count == 100)
      let tuple = try large.join()
      #expect([tuple.0, tuple.3, tuple.7] == [1, 4, 8])
    }
  }

  @Test func joinThrowsTheUnitsError() throws {
    try Scheduler.run(workers: 1) {
      let handle = try spawn { () throws -> Int in throw Boom(code: 9) }
      expect(handle, throws: Boom(code: 9))
    }
  }

  @Test(arguments: [1, 2])
  func runWaitsForDetachedUnits(workers: Int) throws {
    final class Flag: @unchecked Sendable { var isSet = false }
    let flag = Flag()
    try Scheduler.run(workers: workers) {
      try spawn {
        for _ in 0..<100 { yield() }
        flag.isSet = true
      }.detach()
    }
    #expect(flag.isSet)
  }

  @Test(arguments: [1, 2])
  func resultsOfUnitsThatNobodyJoinsAreDestroyed(workers: Int) throws {
    let lives = Lives()
    try Scheduler.run(workers: workers) {
      // One ends before its handle is given up, the other after.
      let first = try spawn { Witness(lives) }
      for _ in 0..<10 { yield() }
      first.detach()
      _ = try spawn {
        yield()
        return Witness(lives)
      }
    }
    #expect(lives.counts == [2, 2])
  }

  @Test func yieldLetsOthersRunInTurn() throws {
    try Scheduler.run(workers: 1) {
      let log = Shared([Int]())
      var set = JoinSet<Void>()
      for id in 0..<3 {
        try set.spawn {
          for _ in 0..<3 {
            try log.withLock { $0.append(id) }
            yield()
          }
        }
      }
      while try set.joinNext() != nil {}
      let order = try log.withLock { $0 }
      #expect(order.count == 9)
      #expect(Set(order[0..<3]).count == 3)
      #expect(order[0..<3] == order[3..<6])
      #expect(order[3..<6] == order[6..<9])
    }
  }

  /// First-in-first-out order would have a whole level of it alive at once.
  @Test(arguments: [1, 2])
  func forkJoinTreeRunsDepthFirst(workers: Int) throws {
    final class Alive: Sendable {
      let now = Atomic(0)
      let most = Atomic(0)
    }
    @Sendable func tree(_ depth: Int, _ alive: Alive) throws -> Int {
      let now = alive.now.add(1, ordering: .relaxed).newValue
      alive.most.max(now, ordering: .relaxed)
      defer { alive.now.subtract(1, ordering: .relaxed) }
      if depth == 0 { return 1 }
      var set = JoinSet<Int>()
      for _ in 0..<8 { try set.spawn { try tree(depth - 1, alive) } }
      var sum = 0
      while let leaves = try set.joinNext() { sum += leaves }
      return sum
    }
    let alive = Alive()
    let leaves = try Scheduler.run(workers: workers) { try tree(4, alive) }
    let most = alive.most.load(ordering: .relaxed)
    #expect(leaves == 4096)
    #expect(most <= 64 * workers)
  }

  @Test(arguments: [1, 2, 4])
  func joinSetYieldsResultsInOrder(workers: Int) throws {
    try Scheduler.run(workers: workers) {
      var set = JoinSet<Int>()
      for i in 0..<500 {
        try set.spawn {
          if i % 3 == 0 { yield() }
          return i
        }
      }
      for i in 0..<500 { #expect(try set.joinNext() == i) }
      #expect(try set.joinNext() == nil)
    }
  }

  @Test func largeStacksHoldDeepRecursion() throws {
    @Sendable func depth(_ n: Int) -> Int {
      withUnsafeTemporaryAllocation(byteCount: 1024, alignment: 8) { buffer in
        buffer[0] = UInt8(truncatingIfNeeded: n)
        return n == 0 ? Int(buffer[0]) : depth(n - 1) + 1
      }
    }
    try Scheduler.run(workers: 1) {
      // ~200 KiB of temporary allocations, more than a small stack has.
      let reached = try spawn(stack: .large) { depth(120) }.join()
      #expect(reached == 120)
    }
  }

  @Test func spawnThrowsWhenThereIsNoStackLeftAndRecovers() throws {
    var configuration = Scheduler.Configuration(workers: 1)
    configuration.maximumUnits = 20
    try Scheduler.run(configuration) {
      let gate = Channel<Void>(capacity: 0)
      var started = 0
      #expect(throws: SchedulerError.unitsExhausted(limit: 20)) {
        while true {
          try spawn { _ = try gate.receive() }.detach()
          started += 1
        }
      }
      #expect(started == 19)
      gate.close()
      yield()
      for _ in 0..<5 { yield() }
      let five = try spawn { 5 }.join()
      #expect(five == 5)
    }
  }

  @Test func countersBalance() throws {
    var configuration = Scheduler.Configuration(workers: 2)
    configuration.hogThreshold = nil
    let counters = try Scheduler.runCounting(configuration) {
      var set = JoinSet<Void>()
      for _ in 0..<100 { try set.spawn { yield() } }
      while try set.joinNext() != nil {}
    }.counters
    let total = counters.reduce(Counters(), +)
    #expect(total.unitsStarted == 101)
    #expect(total.unitsFinished == 101)
    #expect(total.switches >= 101)
  }

  @Test func workerCountOutOfRangeIsAnError() {
    #expect(throws: SchedulerError.workers(0)) { try Scheduler.run(workers: 0) {} }
    #expect(throws: SchedulerError.workers(1000)) { try Scheduler.run(workers: 1000) {} }
  }
}
