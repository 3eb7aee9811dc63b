import GreenThreads
import Testing

@Suite struct ChannelTests {
  @Test(arguments: [1, 2, 4], [0, 1, 7])
  func everyValueArrivesOnceAndInOrderOfItsSender(workers: Int, capacity: Int) throws {
    try Scheduler.run(workers: workers) {
      let channel = Channel<(sender: Int, value: Int)>(capacity: capacity)
      let received = Shared([[Int]](repeating: [], count: 4))
      try withScope { scope in
        let senders = WaitGroup()
        for sender in 0..<4 {
          senders.add()
          try scope.spawn {
            for value in 0..<100 { try channel.send((sender, value)) }
            senders.done()
          }
        }
        try scope.spawn {
          while let (sender, value) = try channel.receive() { try received.withLock { $0[sender].append(value) } }
        }
        try senders.wait()
        channel.close()
      }
      for values in try received.withLock({ $0 }) { #expect(values == Array(0..<100)) }
    }
  }

  @Test(arguments: [1, 2, 4])
  func severalReceiversShareTheValues(workers: Int) throws {
    try Scheduler.run(workers: workers) {
      let channel = Channel<Int>(capacity: 2)
      let sum = Shared(0)
      try withScope { scope in
        for _ in 0..<5 {
          try scope.spawn { while let value = try channel.receive() { try sum.withLock { $0 += value } } }
        }
        for value in 1...500 { try channel.send(value) }
        channel.close()
      }
      #expect(try sum.withLock { $0 } == 125_250)
    }
  }

  @Test func fullChannelMakesTheSenderWait() throws {
    try Scheduler.run(workers: 1) {
      let channel = Channel<Int>(capacity: 2)
      let sent = Shared(0)
      let sender = try spawn {
        for i in 0..<5 {
          try channel.send(i)
          try sent.withLock { $0 += 1 }
        }
      }
      for _ in 0..<20 { yield() }
      #expect(try sent.withLock { $0 } == 2)
      for i in 0..<5 { #expect(try channel.receive() == i) }
      try sender.join()
    }
  }

  @Test func closeFailsSendersAndDrainsReceivers() throws {
    try Scheduler.run(workers: 1) {
      let channel = Channel<Int>(capacity: 1)
      try channel.send(1)
      let blocked = try spawn { try channel.send(2) }
      yield()
      channel.close()
      expect(blocked, throws: ChannelClosed.self)
      #expect(throws: ChannelClosed.self) { try channel.send(3) }
      #expect(try channel.receive() == 1)
      #expect(try channel.receive() == nil)
    }
  }

  @Test func valuesLeftInAChannelAreDestroyed() throws {
    final class Witness: Sendable {}
    weak var left: Witness?
    try Scheduler.run(workers: 1) {
      let channel = Channel<Witness>(capacity: 2)
      let witness = Witness()
      left = witness
      try channel.send(witness)
    }
    #expect(left == nil)
    left = nil
  }

  @Test func receiveTimesOutOnTheVirtualClock() throws {
    try Scheduler.run(.seeded(3)) {
      let channel = Channel<Int>(capacity: 0)
      let before = Scheduler.nowNanoseconds
      #expect(throws: DeadlineExceeded.self) { try channel.receive(timeout: .seconds(3600)) }
      #expect(Scheduler.nowNanoseconds - before == 3_600_000_000_000)
      // The waiter that gave up must not swallow a value.
      let receiver = try spawn { try channel.receive() }
      try channel.send(5)
      let receiverResult = try receiver.join()
      #expect(receiverResult == 5)
    }
  }

  @Test(arguments: [1, 2, 4])
  func cancelledReceiversLoseNoValue(workers: Int) throws {
    try Scheduler.run(workers: workers) {
      for round in 0..<100 {
        let channel = Channel<Int>(capacity: 0)
        let receiver = try spawn { try channel.receive() }
        let sender = try spawn { try channel.send(round) }
        if round % 2 == 0 { yield() }
        receiver.cancel()
        let got = try? receiver.join()
        if got == .some(.some(round)) {
          try sender.join()
        } else {
          #expect(try channel.receive() == round)
          try sender.join()
        }
      }
    }
  }

  @Test(arguments: [1, 2, 4])
  func selectTakesEachValueExactlyOnce(workers: Int) throws {
    try Scheduler.run(workers: workers) {
      let a = Channel<Int>(capacity: 0)
      let b = Channel<Int>(capacity: 3)
      let sum = Shared(0)
      try withScope { scope in
        try scope.spawn { for i in 1...200 { try a.send(i) } }
        try scope.spawn { for i in 1...200 { try b.send(1000 * i) } }
        for _ in 0..<2 {
          try scope.spawn {
            for _ in 0..<200 {
              try select(
                .receive(a) { value in try sum.withLock { $0 += value! } },
                .receive(b) { value in try sum.withLock { $0 += value! } })
            }
          }
        }
      }
      #expect(try sum.withLock { $0 } == 20_100 * 1001)
    }
  }

  @Test func selectSendsAndReceivesBetweenSelects() throws {
    try Scheduler.run(workers: 2) {
      let there = Channel<Int>(capacity: 0)
      let back = Channel<Int>(capacity: 0)
      let other = try spawn {
        var seen = 0
        for _ in 0..<200 { try select(.receive(there) { seen += $0! }, .send(1, to: back)) }
        return seen
      }
      var seen = 0
      for _ in 0..<200 { try select(.send(1, to: there), .receive(back) { seen += $0! }) }
      let others = try other.join()
      #expect(others + seen == 200)
    }
  }

  @Test func selectTimesOutAndLeavesNothingBehind() throws {
    try Scheduler.run(.seeded(5)) {
      let a = Channel<Int>(capacity: 0)
      let b = Channel<Int>(capacity: 0)
      #expect(throws: DeadlineExceeded.self) {
        try select(.receive(a) { _ in }, .send(1, to: b), timeout: .milliseconds(5))
      }
      let sender = try spawn { try a.send(7) }
      #expect(try a.receive() == 7)
      try sender.join()
    }
  }
}
