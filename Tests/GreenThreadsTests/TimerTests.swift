import Testing

@testable import GreenThreads

@Suite struct TimerTests {
  /// Against a sorted list, with deadlines from nanoseconds to years apart.
  @Test(arguments: [1, 2, 3, 4, 5] as [UInt64])
  func wheelFiresWhatIsDueInOrderOfTick(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let count = 400
    let start: UInt64 = 1_000_000_000
    let wheel = WheelPointer.allocate(capacity: 1)
    wheel.initialize(to: TimerWheel(now: start))
    let units = UnitPointer(bitPattern: 64)!
    let nodes = TimerPointer.allocate(capacity: count)
    defer {
      wheel.deinitialize(count: 1)
      wheel.deallocate()
      nodes.deallocate()
    }
    for i in 0..<count {
      let span = UInt64(1) << (random.next() % 58)
      (nodes + i).initialize(to: TimerNode(deadline: start + random.next() % span, unit: units))
      wheel.arm(nodes + i, solo: true)
    }
    var left = Set(0..<count)
    for i in 0..<count where random.next() % 4 == 0 {
      wheel.cancel(nodes + i, solo: true)
      left.remove(i)
    }
    #expect(wheel.pointee.count == left.count)
    var now = start
    while !left.isEmpty {
      let next = left.map { nodes[$0].deadline }.min()!
      #expect(wheel.pointee.nextDeadline <= next)
      now = max(now, next) + random.next() % 3 * 1_000_000
      let due = Set(left.filter { nodes[$0].deadline <= now })
      var fired = Set<Int>()
      while let node = wheel.pointee.popDue(at: now) { fired.insert(node - nodes) }
      #expect(fired == due)
      left.subtract(due)
    }
    #expect(wheel.pointee.count == 0)
    #expect(wheel.pointee.nextDeadline == .max)
  }

  @Test func sleepersWakeInOrderOfTheirDeadlines() throws {
    try Scheduler.run(.seeded(11)) {
      let order = Channel<Int>(capacity: 100)
      try withScope { scope in
        for i in [5, 3, 9, 1, 7, 0, 8, 2, 6, 4] {
          try scope.spawn {
            try sleep(for: .microseconds(i * 3))
            try order.send(i)
          }
        }
      }
      for i in 0..<10 { #expect(try order.receive() == i) }
    }
  }

  @Test func sleepTakesAtLeastAsLongAsAsked() throws {
    try Scheduler.run(workers: 2) {
      let before = Scheduler.nowNanoseconds
      try sleep(for: .milliseconds(3))
      #expect(Scheduler.nowNanoseconds - before >= 3_000_000)
    }
  }

  /// Timers armed by one worker and cancelled by another, racing with their firing.
  @Test(arguments: [1, 2, 4])
  func timersThatRaceWithTheirEventsLeaveNothingBehind(workers: Int) throws {
    var configuration = Scheduler.Configuration(workers: workers)
    configuration.hogThreshold = nil
    let counters = try Scheduler.runCounting(configuration) {
      try withScope { scope in
        for pair in 0..<16 {
          let channel = Channel<Int>(capacity: 0)
          let silent = Channel<Int>(capacity: 0)
          try scope.spawn {
            // One timer at least, even if each of the senders below is faster than its receiver.
            #expect(throws: DeadlineExceeded.self) { try silent.receive(timeout: .microseconds(pair * 7)) }
            var got = 0
            while got < 50 {
              do {
                guard try channel.receive(timeout: .microseconds(pair * 7)) != nil else { return }
                got += 1
              } catch is DeadlineExceeded { yield() }
            }
          }
          try scope.spawn { for i in 0..<50 { try channel.send(i) } }
        }
      }
    }.counters
    let total = counters.reduce(Counters(), +)
    #expect(total.timersArmed >= 16)
    #expect(total.timersFired <= total.timersArmed)
  }
}
