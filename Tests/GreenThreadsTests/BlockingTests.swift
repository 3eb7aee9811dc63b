import Glibc
import Synchronization
import Testing

@testable import GreenThreads

final class Tally: Sendable {
  private let value = Atomic(0)
  func count() { value.add(1, ordering: .relaxed) }
  var total: Int { value.load(ordering: .relaxed) }
}

@Suite struct BlockingTests {
  /// The unit in the blocking section waits on a pipe that only another unit of the same worker fills: without a
  /// hand-off neither could go on. A run that hangs fails by the limit.
  @Test(.timeLimit(.minutes(10)), arguments: [1, 2])
  func blockedUnitDoesNotKeepItsWorker(workers: Int) throws {
    var ends: [Int32] = [0, 0]
    #expect(Glibc.pipe(&ends) == 0)
    let (reading, writing) = (ends[0], ends[1])
    var configuration = Scheduler.Configuration(workers: workers)
    configuration.hogThreshold = nil
    let inside = Tally()
    let counters = try Scheduler.runCounting(configuration) {
      try withScope { scope in
        for _ in 0..<workers {
          try scope.spawn {
            var byte: UInt8 = 0
            let n = blocking {
              inside.count()
              return Glibc.read(reading, &byte, 1)
            }
            #expect(n == 1)
          }
        }
        // As many sections as there are workers, and here a unit that runs: one of them has been handed off.
        while inside.total < workers { yield() }
        for _ in 0..<workers {
          var byte: UInt8 = 1
          #expect(Glibc.write(writing, &byte, 1) == 1)
        }
      }
    }.counters
    close(reading)
    close(writing)
    let total = counters.reduce(Counters(), +)
    #expect(total.handOffs >= 1)
    #expect(total.blockingCalls == UInt64(workers))
  }

  @Test func blockingPassesResultsAndErrorsOn() throws {
    try Scheduler.run(workers: 1) {
      #expect(blocking { 5 } == 5)
      #expect(throws: Boom()) { try blocking { () throws -> Int in throw Boom() } }
    }
  }

  /// Many hand-offs, racing with the ends of their sections.
  @Test(arguments: [1, 2])
  func handOffsRaceWithTheirSectionsEnds(workers: Int) throws {
    let tally = Tally()
    try Scheduler.run(workers: workers) {
      try withScope { scope in
        for i in 0..<8 {
          try scope.spawn {
            for round in 0..<20 {
              blocking { _ = usleep(UInt32((i * 13 + round * 7) % 60)) }
              tally.count()
            }
          }
        }
      }
    }
    #expect(tally.total == 160)
  }

  /// The last unit may come back from its section, or fail to be handed off from it, while the workers look for the last
  /// time who is away before they sleep: they must learn that the run is over. A run that hangs fails by the limit.
  @Test(.timeLimit(.minutes(10)), arguments: [1, 2])
  func runEndsHoweverItsLastSectionEnds(workers: Int) throws {
    for run in 0..<100 {
      let tally = Tally()
      try Scheduler.run(workers: workers) {
        try withScope { scope in
          for i in 0..<3 {
            try scope.spawn {
              blocking { _ = usleep(UInt32((i * 13 + run * 7) % 60)) }
              tally.count()
            }
          }
        }
      }
      #expect(tally.total == 3)
    }
  }

  /// The monitor must watch a worker that has slept as it did before. A run that hangs fails by the limit.
  @Test(.timeLimit(.minutes(10)), arguments: [false, true])
  func checkpointGivesOthersATurn(afterASleep: Bool) throws {
    try Scheduler.run(workers: 1) {
      if afterASleep { try sleep(for: .milliseconds(1)) }
      let tally = Tally()
      let other = try spawn { tally.count() }
      while tally.total == 0 { try checkpoint() }
      try other.join()
    }
  }

  /// There is no monitor to say that the unit's turn is over: the order itself must give the other one a turn.
  @Test(arguments: [1, 2, 3] as [UInt64])
  func checkpointGivesOthersATurnInSeededRuns(seed: UInt64) throws {
    try Scheduler.run(.seeded(seed)) {
      let tally = Tally()
      let other = try spawn { tally.count() }
      while tally.total == 0 { try checkpoint() }
      try other.join()
    }
  }

  /// A computation without waits is stopped by its deadline, and by a cancellation.
  @Test(.timeLimit(.minutes(10))) func checkpointEndsALongComputation() throws {
    var configuration = Scheduler.Configuration(workers: 2)
    configuration.hogThreshold = nil
    try Scheduler.run(configuration) {
      #expect(throws: DeadlineExceeded.self) {
        try withDeadline(.milliseconds(5)) { while true { try checkpoint() } }
      }
      let endless = try spawn { while true { try checkpoint() } }
      try sleep(for: .milliseconds(1))
      endless.cancel()
      expect(endless, throws: CancellationError.self)
    }
  }

  /// The same seed gives the same interleaving, and another one gives, among many, a different one.
  @Test func seededRunsRepeat() throws {
    func trace(_ seed: UInt64) throws -> [Int] {
      try Scheduler.run(.seeded(seed)) {
        let log = Shared([Int]())
        try withScope { scope in
          for id in 0..<6 {
            try scope.spawn {
              for _ in 0..<4 {
                try log.withLock { $0.append(id) }
                yield()
              }
            }
          }
        }
        return try log.withLock { $0 }
      }
    }
    let traces = try (0..<8 as Range<UInt64>).map(trace)
    #expect(try (0..<8 as Range<UInt64>).map(trace) == traces)
    #expect(Set(traces).count > 4)
  }

  /// A lost update that only some interleavings show: the explorer must find it.
  @Test func seedsFindARace() throws {
    func lastValue(_ seed: UInt64) throws -> Int {
      try Scheduler.run(.seeded(seed)) {
        final class Cell: @unchecked Sendable { var n = 0 }
        let cell = Cell()
        let unrelated = GreenThreads.Mutex()
        try withScope { scope in
          for _ in 0..<2 {
            try scope.spawn {
              let n = cell.n
              try unrelated.withLock {}
              cell.n = n + 1
            }
          }
        }
        return cell.n
      }
    }
    let values = Set(try (0..<50 as Range<UInt64>).map(lastValue))
    #expect(values == [1, 2])
  }
}
