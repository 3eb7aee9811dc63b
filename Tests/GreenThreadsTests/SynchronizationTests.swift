import GreenThreads
import Testing

@Suite struct SynchronizationTests {
  @Test(arguments: [1, 2, 4])
  func mutexExcludes(workers: Int) throws {
    final class Box: @unchecked Sendable { var n = 0 }
    let box = Box()
    try Scheduler.run(workers: workers) {
      let mutex = Mutex()
      try withScope { scope in
        for _ in 0..<20 {
          try scope.spawn {
            for i in 0..<200 {
              try mutex.lock()
              let n = box.n
              if i % 16 == 0 { yield() }
              box.n = n + 1
              mutex.unlock()
            }
          }
        }
      }
    }
    #expect(box.n == 4000)
  }

  @Test func mutexIsHandedOverInOrder() throws {
    try Scheduler.run(workers: 1) {
      let mutex = Mutex()
      let order = Channel<Int>(capacity: 10)
      try mutex.lock()
      try withScope { scope in
        for id in 0..<5 {
          try scope.spawn {
            try mutex.withLock { try order.send(id) }
          }
          yield()
        }
        mutex.unlock()
        #expect(mutex.tryLock() == false)
      }
      for id in 0..<5 { #expect(try order.receive() == id) }
    }
  }

  @Test(arguments: [1, 2])
  func cancelledLockThrowsAndLeavesTheMutexUsable(workers: Int) throws {
    try Scheduler.run(workers: workers) {
      let mutex = Mutex()
      try mutex.lock()
      let waiter = try spawn { try mutex.lock() }
      yield()
      waiter.cancel()
      expect(waiter, throws: CancellationError.self)
      mutex.unlock()
      try mutex.withLock {}
    }
  }

  @Test(arguments: [1, 2, 4])
  func conditionWakesOnSignalAndBroadcast(workers: Int) throws {
    try Scheduler.run(workers: workers) {
      let mutex = Mutex()
      let changed = Condition()
      final class State: @unchecked Sendable { var tokens = 0, taken = 0 }
      let state = State()
      try withScope { scope in
        for _ in 0..<10 {
          try scope.spawn {
            try mutex.withLock {
              while state.tokens == 0 { try changed.wait(mutex) }
              state.tokens -= 1
              state.taken += 1
            }
          }
        }
        for _ in 0..<5 {
          try mutex.withLock { state.tokens += 1 }
          changed.signal()
        }
        try mutex.withLock { state.tokens += 5 }
        changed.broadcast()
      }
      #expect(state.taken == 10)
    }
  }

  @Test func conditionHoldsTheMutexAgainAfterTimeout() throws {
    try Scheduler.run(.seeded(1)) {
      let mutex = Mutex()
      let changed = Condition()
      try mutex.withLock {
        #expect(throws: DeadlineExceeded.self) { try changed.wait(mutex, timeout: .milliseconds(1)) }
        #expect(mutex.tryLock() == false)
      }
    }
  }

  @Test(arguments: [1, 2, 4])
  func semaphoreBoundsHowManyAreInside(workers: Int) throws {
    try Scheduler.run(workers: workers) {
      let semaphore = Semaphore(permits: 3)
      let inside = Shared((now: 0, most: 0))
      try withScope { scope in
        for _ in 0..<30 {
          try scope.spawn {
            try semaphore.acquire()
            try inside.withLock {
              $0.now += 1
              $0.most = max($0.most, $0.now)
            }
            yield()
            try inside.withLock { $0.now -= 1 }
            semaphore.release()
          }
        }
      }
      let most = try inside.withLock { $0.most }
      #expect(most <= 3)
      #expect(most >= 1)
    }
  }

  @Test(arguments: [1, 2, 4])
  func waitGroupReturnsWhenAllAreDone(workers: Int) throws {
    try Scheduler.run(workers: workers) {
      let group = WaitGroup()
      let done = Shared(0)
      for _ in 0..<50 {
        group.add()
        try spawn {
          yield()
          try done.withLock { $0 += 1 }
          group.done()
        }.detach()
      }
      try group.wait()
      #expect(try done.withLock { $0 } == 50)
    }
  }

  @Test func unitLocalsBelongToTheirUnit() throws {
    let lives = Lives()
    try Scheduler.run(workers: 1) {
      let local = UnitLocal(0)
      let token = UnitLocal<Witness?>(nil)
      local.value = 1
      let other = try spawn {
        #expect(local.value == 0)
        local.value = 2
        token.value = Witness(lives)
        yield()
        return local.value
      }
      yield()
      local.value += 10
      let otherResult = try other.join()
      #expect(otherResult == 2)
      #expect(local.value == 11)
    }
    #expect(lives.counts == [1, 1])
  }

  @Test func exclusiveAccessesTravelWithTheirUnit() throws {
    final class Box: @unchecked Sendable { var n = 0 }
    @Sendable func bump(_ n: inout Int, _ times: Int) {
      for _ in 0..<times {
        n += 1
        yield()
      }
    }
    let boxes = (0..<16).map { _ in Box() }
    try Scheduler.run(workers: 2) {
      try withScope { scope in
        for box in boxes { try scope.spawn { bump(&box.n, 300) } }
      }
    }
    for box in boxes { #expect(box.n == 300) }
  }
}
