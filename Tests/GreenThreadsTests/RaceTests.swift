// For each race that the design closes, a bounded stress test in which the two sides meet as often as possible, with
// several workers and under seeded orders. The others stand beside the primitive that they concern: timeout against
// event in TimerTests, firing against cancel in CallbackTests, a section's end against its hand-off in BlockingTests,
// cancel against event in ChannelTests, selects among themselves in ChannelTests.
import Glibc
import Synchronization
import Testing

@testable import GreenThreads

/// Real workers, or one that follows a seed.
struct Order: Sendable, CustomTestStringConvertible {
  var workers = 1
  var seed: UInt64?

  static let all = [1, 2, 4].map { Order(workers: $0) } + (1...12).map { Order(seed: $0) }

  var configuration: Scheduler.Configuration {
    var configuration = seed.map(Scheduler.Configuration.seeded) ?? Scheduler.Configuration(workers: workers)
    configuration.hogThreshold = nil
    return configuration
  }
  /// The number of rounds: a seeded run is for its order, not for its length.
  var rounds: Int { seed == nil ? 300 : 20 }
  var random: Seeded { Seeded(state: seed ?? UInt64(workers)) }
  var testDescription: String { seed.map { "seed \($0)" } ?? "\(workers) workers" }
}

func pause(_ random: inout Seeded) {
  for _ in 0..<random.next() % 4 { yield() }
}

@Suite struct RaceTests {
  /// A unit that announces its wait just as its waker comes: two units wake each other in turn.
  @Test(arguments: Order.all)
  func parkingRacesWithUnparking(order: Order) throws {
    let rounds = order.rounds * 10
    try Scheduler.run(order.configuration) {
      let there = Semaphore(permits: 0)
      let back = Semaphore(permits: 0)
      let other = try spawn {
        for _ in 0..<rounds {
          try there.acquire()
          back.release()
        }
      }
      for _ in 0..<rounds {
        there.release()
        try back.acquire()
      }
      try other.join()
    }
  }

  /// The handle is joined, given up on a timeout, or dropped while the unit ends. No result is lost or destroyed twice.
  @Test(arguments: Order.all)
  func joiningRacesWithEnding(order: Order) throws {
    let lives = Lives()
    let joined = Tally()
    let rounds = order.rounds
    try Scheduler.run(order.configuration) {
      try withScope { scope in
        for lane in 0..<4 {
          try scope.spawn {
            var random = order.random
            for _ in 0..<lane { _ = random.next() }
            for _ in 0..<rounds {
              let seed = random.next()
              @Sendable func witness() -> Witness {
                var random = Seeded(state: seed)
                pause(&random)
                return Witness(lives)
              }
              if random.next() % 3 == 0 {
                do {
                  try withDeadline(.nanoseconds(Int64(random.next() % 4000))) {
                    _ = try spawn(witness).join()
                    joined.count()
                  }
                } catch is DeadlineExceeded {}
                continue
              }
              let unit = try spawn(witness)
              pause(&random)
              if random.next() % 4 == 0 {
                unit.detach()
              } else {
                _ = try unit.join()
                joined.count()
              }
            }
          }
        }
      }
    }
    #expect(lives.counts == [4 * rounds, 4 * rounds])
    #expect(joined.total >= rounds)
  }

  /// Every unit that was let in has ended when the scope is left; whoever is refused gets an error.
  @Test(arguments: Order.all)
  func cancellingAScopeRacesWithSpawningInIt(order: Order) throws {
    try Scheduler.run(order.configuration) {
      var random = order.random
      for _ in 0..<order.rounds {
        let started = Tally()
        let ended = Tally()
        let seed = random.next()
        do {
          try withScope { scope in
            for lane in 0..<3 {
              try scope.spawn {
                var random = Seeded(state: seed &+ UInt64(lane))
                for _ in 0..<4 {
                  pause(&random)
                  try scope.spawn {
                    started.count()
                    defer { ended.count() }
                    try sleep(for: .seconds(1000))
                  }
                }
              }
            }
            pause(&random)
            scope.cancel()
          }
        } catch is CancellationError {
        } catch let error as SchedulerError { #expect(error == .scopeEnded) }
        #expect(started.total == ended.total)
      }
    }
  }

  /// What was sent before the close is received, and only that; nobody waits for ever.
  @Test(arguments: Order.all, [0, 2])
  func closingAChannelRacesWithItsUsers(order: Order, capacity: Int) throws {
    try Scheduler.run(order.configuration) {
      var random = order.random
      for _ in 0..<order.rounds {
        let channel = Channel<Int>(capacity: capacity)
        let never = Channel<Int>(capacity: 0)
        let sent = Tally()
        let received = Tally()
        let seed = random.next()
        try withScope { scope in
          for lane in 0..<2 {
            try scope.spawn {
              var random = Seeded(state: seed &+ UInt64(lane))
              do {
                for i in 0..<10 {
                  pause(&random)
                  if random.next() % 2 == 0 {
                    try channel.send(i)
                  } else {
                    try select(.send(i, to: channel), .receive(never) { _ in })
                  }
                  sent.count()
                }
              } catch is ChannelClosed {}
            }
            try scope.spawn {
              var random = Seeded(state: ~seed &+ UInt64(lane))
              var isOpen = true
              while isOpen {
                pause(&random)
                if random.next() % 2 == 0 {
                  if try channel.receive() == nil { isOpen = false } else { received.count() }
                } else {
                  try select(
                    .receive(channel) { if $0 == nil { isOpen = false } else { received.count() } },
                    .receive(never) { _ in })
                }
              }
            }
          }
          for _ in 0..<random.next() % 8 { yield() }
          channel.close()
        }
        #expect(sent.total == received.total)
      }
    }
  }

  /// The reader gets its byte, the end of the file or EBADF; and the number, reused at once, is never read by it.
  @Test(arguments: [1, 2, 4])
  func closingADescriptorRacesWithWhoWaitsForIt(workers: Int) throws {
    let order = Order(workers: workers)
    try Scheduler.run(order.configuration) {
      var random = order.random
      for _ in 0..<200 {
        let (reading, writing) = try Descriptor.pipe()
        let reader = try spawn {
          var byte: [UInt8] = [0]
          do {
            let count = try byte.withUnsafeMutableBytes { try reading.read(into: $0, timeout: .seconds(60)) }
            return count == 0 || byte[0] == 7
          } catch let error as IOError { return error.isClosed }
        }
        pause(&random)
        if random.next() % 2 == 0 { try? [7].withUnsafeBytes { try writing.write($0) } }
        if random.next() % 4 == 0 { writing.close() }
        reading.close()
        // Most likely the same numbers.
        let next = try Descriptor.pipe()
        try [9].withUnsafeBytes { try next.writing.write($0) }
        let isWell = try reader.join()
        #expect(isWell)
        var byte: [UInt8] = [0]
        let count = try byte.withUnsafeMutableBytes { try next.reading.read(into: $0, timeout: .seconds(60)) }
        #expect(count == 1 && byte == [9])
        writing.close()
        next.reading.close()
        next.writing.close()
      }
    }
  }

  /// Both rings, with their owner and three thieves on threads of their own: everything comes out once.
  @Test(arguments: [1, 2, 3, 4] as [UInt64])
  func stealingRacesWithPushingAndPopping(seed: UInt64) {
    let board = Board(seed: seed)
    var threads: [pthread_t] = []
    for thief in 0..<3 {
      var thread = pthread_t()
      let argument = Unmanaged.passRetained(Thief(board, thief))
      #expect(
        pthread_create(
          &thread, nil,
          {
            Unmanaged<Thief>.fromOpaque($0!).takeRetainedValue().steal()
            return nil
          }, argument.toOpaque()) == 0)
      threads.append(thread)
    }
    board.own()
    for thread in threads { pthread_join(thread, nil) }
    #expect(board.seen.allSatisfy { $0.value.load(ordering: .relaxed) == 1 })
  }
}

private final class Count: Sendable { let value = Atomic(0) }

/// Unchecked: rings are made for this, the rest is atomic or never changes.
private final class Board: @unchecked Sendable {
  let ready = ReadyRing()
  let fresh = FreshRing()
  let total = 20_000
  let seen: [Count]
  let left: Atomic<Int>
  private var random: Seeded

  init(seed: UInt64) {
    seen = (0..<total).map { _ in Count() }
    left = Atomic(total)
    random = Seeded(state: seed)
  }

  /// Numbers stand for units, which the rings only pass on.
  func unit(_ number: Int) -> UnitPointer { UnitPointer(bitPattern: 64 * (number + 1))! }

  func take(_ unit: UnitPointer) {
    seen[Int(bitPattern: unit) / 64 - 1].value.add(1, ordering: .relaxed)
    left.subtract(1, ordering: .relaxed)
  }

  func own() {
    var next = 0
    while next < total {
      for _ in 0..<random.next() % 6 where next < total {
        let pushed = next % 2 == 0 ? ready.push(unit(next)) : fresh.push(unit(next), solo: false) != nil
        if pushed { next += 1 } else { break }
      }
      for _ in 0..<random.next() % 3 {
        if let unit = ready.pop(solo: false) { take(unit) }
        if let unit = fresh.pop(solo: false) { take(unit) }
      }
    }
    while left.load(ordering: .relaxed) > 0 {
      if let unit = ready.pop(solo: false) { take(unit) }
      if let unit = fresh.pop(solo: false) { take(unit) }
    }
  }
}

private final class Thief: @unchecked Sendable {
  private let board: Board
  private let own = ReadyRing()
  private var random: Seeded

  init(_ board: Board, _ number: Int) {
    self.board = board
    random = Seeded(state: UInt64(number))
  }

  func steal() {
    while board.left.load(ordering: .relaxed) > 0 {
      if random.next() % 2 == 0 {
        _ = board.ready.steal(into: own)
        while let unit = own.pop(solo: false) { board.take(unit) }
      } else {
        _ = board.fresh.takeOldestHalf { board.take($0) }
      }
    }
  }
}
