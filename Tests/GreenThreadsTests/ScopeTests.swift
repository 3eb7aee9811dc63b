import GreenThreads
import Testing

@Suite struct ScopeTests {
  @Test(arguments: [1, 2, 4])
  func scopeWaitsForItsChildren(workers: Int) throws {
    try Scheduler.run(workers: workers) {
      let done = Shared(0)
      try withScope { scope in
        for _ in 0..<50 {
          try scope.spawn {
            for _ in 0..<5 { yield() }
            try done.withLock { $0 += 1 }
          }
        }
      }
      #expect(try done.withLock { $0 } == 50)
    }
  }

  @Test(arguments: [1, 2, 4])
  func firstFailureCancelsSiblingsAndBodyAndIsRethrown(workers: Int) throws {
    try Scheduler.run(workers: workers) {
      let never = Channel<Int>(capacity: 0)
      let cancelled = Shared(0)
      #expect(throws: Boom(code: 1)) {
        try withScope { scope in
          for _ in 0..<5 {
            try scope.spawn {
              do { _ = try never.receive() } catch {
                try shielded { try cancelled.withLock { $0 += 1 } }
                throw error
              }
            }
          }
          try scope.spawn {
            yield()
            throw Boom(code: 1)
          }
          _ = try never.receive()
        }
      }
      #expect(try cancelled.withLock { $0 } == 5)
      // The unit itself was not cancelled.
      #expect(!isCancelled)
      try sleep(for: .nanoseconds(1))
    }
  }

  @Test func failingBodyCancelsItsChildren() throws {
    try Scheduler.run(workers: 2) {
      #expect(throws: Boom()) {
        try withScope { scope in
          try scope.spawn { try sleep(for: .seconds(1_000_000)) }
          yield()
          throw Boom()
        }
      }
    }
  }

  @Test func cancellationReachesGrandchildrenThatWaitInScopes() throws {
    try Scheduler.run(workers: 2) {
      try withScope { scope in
        try scope.spawn {
          try withScope { inner in
            try inner.spawn { try sleep(for: .seconds(1_000_000)) }
            try sleep(for: .seconds(1_000_000))
          }
        }
        for _ in 0..<10 { yield() }
        scope.cancel()
      }
    }
  }

  @Test func deadlineHoldsForChildrenToo() throws {
    try Scheduler.run(.seeded(9)) {
      let start = Scheduler.nowNanoseconds
      #expect(throws: DeadlineExceeded.self) {
        try withScope(timeout: .milliseconds(50)) { scope in
          try scope.spawn { try sleep(for: .seconds(10)) }
          try sleep(for: .milliseconds(20))
        }
      }
      #expect(Scheduler.nowNanoseconds - start == 50_000_000)
      try sleep(for: .seconds(5))
      #expect(Scheduler.nowNanoseconds - start == 5_050_000_000)
    }
  }

  @Test func spawnInAnEndedScopeIsAnError() throws {
    try Scheduler.run(workers: 1) {
      var escaped: Scope?
      try withScope { escaped = $0 }
      #expect(throws: SchedulerError.scopeEnded) { try escaped!.spawn {} }
    }
  }

  @Test func cancellationIsSticky() throws {
    try Scheduler.run(workers: 1) {
      let unit = try spawn {
        var thrown = 0
        for _ in 0..<3 { do { try sleep(for: .seconds(100)) } catch { thrown += 1 } }
        do { try checkpoint() } catch { thrown += 1 }
        try shielded { try sleep(for: .nanoseconds(1)) }
        return thrown
      }
      yield()
      unit.cancel()
      let unitResult = try unit.join()
      #expect(unitResult == 4)
    }
  }

  @Test(arguments: [1, 2])
  func deadlockIsReportedByNameAndUnwinds(workers: Int) throws {
    final class Witness: Sendable {}
    weak var held: Witness?
    do {
      try Scheduler.run(workers: workers) {
        let channel = Channel<Int>(capacity: 0)
        let witness = Witness()
        held = witness
        let stuck = try spawn(name: "stuck receiver") {
          defer { _ = witness }
          return try channel.receive()
        }
        _ = try stuck.join()
      }
      Issue.record("no deadlock was noticed")
    } catch let error as SchedulerError {
      #expect(error.description.contains("'stuck receiver' waits for a channel to receive from"))
      #expect(error.description.contains("'root' waits for the end of a unit"))
    }
    #expect(held == nil)
    held = nil
  }
}
