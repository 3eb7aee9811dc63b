// Channel, semaphore, mutex: order, capacity, closing, cancellation, and nothing lost under stress.
import EventLoop
import Glibc

let syncChecks: [Check] = [
  Check("a channel keeps order and capacity") { _ in
    try EventLoops.run {
      for capacity in [0, 1, 7] {
        let channel = AsyncChannel<Int>(capacity: capacity)
        let sender = Task {
          for value in 0..<1000 { try await channel.send(value) }
          channel.close()
        }
        // The sender gets as far as the capacity, and no further.
        for _ in 0..<50 { await Task.yield() }
        try expect(channel.count, capacity, "elements in a channel of \(capacity)")
        var values: [Int] = []
        for try await value in channel { values.append(value) }
        try await sender.value
        try expect(values, Array(0..<1000), "values through \(capacity)")
      }
    }
  },

  Check("a channel hands over elements of any size and kind") { _ in
    try EventLoops.run {
      struct Wide: Sendable, Equatable {
        var words: [Int]
        var a = 1
        var b = 2
        var c = 3
        var d = 4
        var e = 5
      }
      for capacity in [0, 2] {
        let wide = AsyncChannel<Wide>(capacity: capacity)
        let text = AsyncChannel<String>(capacity: capacity)
        let nothing = AsyncChannel<Void>(capacity: capacity)
        let sender = Task {
          for index in 0..<100 {
            try await wide.send(Wide(words: Array(0..<index)))
            try await text.send(String(repeating: "x", count: index))
            try await nothing.send(())
          }
        }
        for index in 0..<100 {
          try expect(try await wide.receive(), Wide(words: Array(0..<index)), "wide")
          try expect(try await text.receive(), String(repeating: "x", count: index), "text")
          try expect(try await nothing.receive() != nil, "void")
        }
        try await sender.value
      }
    }
  },

  Check("a channel across loops loses and doubles nothing, and keeps each sender's order") { seed in
    try EventLoops.run(count: 4) {
      for capacity in [0, 1, 16] {
        let channel = AsyncChannel<(Int, Int)>(capacity: capacity)
        let sums = Box(Guarded<[Int: [Int]]>([:]))
        try await withThrowingTaskGroup(of: Void.self) { group in
          for receiver in 0..<3 {
            group.addTask {
              let loop = EventLoops.all[(receiver + 1) % 4]
              await loop.enter()
              var last: [Int: Int] = [:]
              while let (sender, value) = try await channel.receive() {
                try expect(EventLoop.current === loop, "a receiver stays on its loop")
                try expect(value > last[sender, default: -1], "order of sender \(sender)")
                last[sender] = value
                sums.value.withLock { $0[sender, default: []].append(value) }
              }
            }
          }
          try await withThrowingTaskGroup(of: Void.self) { senders in
            for sender in 0..<4 {
              senders.addTask {
                await EventLoops.all[sender].enter()
                var random = Seeded(state: seed &+ UInt64(sender))
                for value in 0..<500 {
                  try await channel.send((sender, value))
                  if random.next() % 16 == 0 { await Task.yield() }
                }
              }
            }
            try await senders.waitForAll()
          }
          channel.close()
          try await group.waitForAll()
        }
        let seen = sums.value.withLock { $0 }
        for sender in 0..<4 { try expect(seen[sender]?.sorted(), Array(0..<500), "values of sender \(sender)") }
      }
    }
  },

  Check("closing a channel ends receivers, fails senders, and keeps what was sent") { _ in
    try EventLoops.run {
      let channel = AsyncChannel<Int>(capacity: 1)
      try await channel.send(1)
      let sender = Task { try await channel.send(2) }
      let other = AsyncChannel<Int>(capacity: 1)
      let receiver = Task { try await other.receive() }
      await Task.yield()
      channel.close()
      other.close()
      try await expectThrow("a waiting send") {
        try await sender.value
      } _: {
        $0 as? LoopError == .channelClosed
      }
      try await expectThrow("a later send") {
        try await channel.send(3)
      } _: {
        $0 as? LoopError == .channelClosed
      }
      try await expectThrow("trySend") {
        _ = try channel.trySend(3)
      } _: {
        $0 as? LoopError == .channelClosed
      }
      try expect(try await receiver.value, nil, "a waiting receive")
      try expect(try await channel.receive(), 1, "what was sent before")
      try expect(try await channel.receive(), nil, "the end")
    }
  },

  Check("trySend and tryReceive never wait") { _ in
    try EventLoops.run {
      let channel = AsyncChannel<Int>(capacity: 2)
      try expect(channel.tryReceive(), nil, "empty")
      try expect(try channel.trySend(1) && channel.trySend(2), "room for two")
      try expect(try channel.trySend(3), false, "no room")
      try expect(channel.tryReceive(), 1, "first")
      let waiting = Task { try await channel.send(4) }
      await Task.yield()
      let blocked = Task { try await channel.send(5) }
      await Task.yield()
      try expect(channel.tryReceive(), 2, "second")
      try expect(channel.tryReceive(), 4, "third")
      try expect(channel.tryReceive(), 5, "that of the sender that waited")
      try await waiting.value
      try await blocked.value
    }
  },

  Check("cancelled senders and receivers leave the channel as it was") { seed in
    try EventLoops.run(count: 2) {
      let channel = AsyncChannel<Int>(capacity: 1)
      let loops = EventLoops.all
      let counts = Box(Guarded<(sent: Int, received: Int)>((0, 0)))
      await withDiscardingTaskGroup { group in
        for lane in 0..<8 {
          group.addTask {
            var random = Seeded(state: seed &+ UInt64(lane))
            for _ in 0..<300 {
              await loops[Int(random.next() % 2)].enter()
              let sends = lane % 2 == 0
              let task = loops[Int(random.next() % 2)].spawn {
                if sends {
                  try await channel.send(1)
                  counts.value.withLock { $0.sent += 1 }
                } else if try await channel.receive() != nil {
                  counts.value.withLock { $0.received += 1 }
                }
              }
              for _ in 0..<random.next() % 4 { await Task.yield() }
              task.cancel()
              _ = try? await task.value
            }
          }
        }
      }
      let (sent, received) = counts.value.withLock { $0 }
      try expect(sent - received, channel.count, "sent \(sent), received \(received), still inside")
    }
  },

  Check("a semaphore admits in the order of arrival, as many as it has permits") { _ in
    try EventLoops.run {
      let semaphore = AsyncSemaphore(3)
      let log = Box(Guarded<(order: [Int], inside: Int, most: Int)>(([], 0, 0)))
      await withDiscardingTaskGroup { group in
        for index in 0..<100 {
          group.addTask {
            try? await semaphore.acquire()
            log.value.withLock {
              $0.order.append(index)
              $0.inside += 1
              $0.most = max($0.most, $0.inside)
            }
            await Task.yield()
            log.value.withLock { $0.inside -= 1 }
            semaphore.release()
          }
        }
      }
      let (order, inside, most) = log.value.withLock { $0 }
      try expect(order, Array(0..<100), "order of admission")
      try expect(most, 3, "most inside at once")
      try expect(inside, 0, "inside at the end")
    }
  },

  Check("a cancelled acquire holds no permit, and the line moves on") { seed in
    try EventLoops.run(count: 4) {
      let semaphore = AsyncSemaphore(2)
      let loops = EventLoops.all
      let held = Box(Guarded<(now: Int, most: Int, total: Int)>((0, 0, 0)))
      await withDiscardingTaskGroup { group in
        for lane in 0..<16 {
          group.addTask {
            var random = Seeded(state: seed &+ UInt64(lane))
            for _ in 0..<200 {
              let task = loops[Int(random.next() % 4)].spawn {
                try await semaphore.acquire()
                held.value.withLock {
                  $0.now += 1
                  $0.total += 1
                  $0.most = max($0.most, $0.now)
                }
                await Task.yield()
                held.value.withLock { $0.now -= 1 }
                semaphore.release()
              }
              for _ in 0..<random.next() % 4 { await Task.yield() }
              if random.next() % 2 == 0 { task.cancel() }
              _ = try? await task.value
            }
          }
        }
      }
      let (now, most, total) = held.value.withLock { $0 }
      try expect(now, 0, "held at the end")
      try expect(most <= 2, "held at once: \(most)")
      try expect(total >= 16 * 50, "acquired: \(total)")
      try expect(semaphore.tryAcquire() && semaphore.tryAcquire(), "both permits are back")
      try expect(!semaphore.tryAcquire(), "and no more")
    }
  },

  Check("a mutex excludes across loops and suspension") { _ in
    try EventLoops.run(count: 4) {
      let mutex = AsyncMutex()
      let state = Box(Guarded<(inside: Int, count: Int)>((0, 0)))
      try await withThrowingTaskGroup(of: Void.self) { group in
        for lane in 0..<16 {
          group.addTask {
            await EventLoops.all[lane % 4].enter()
            for _ in 0..<200 {
              try await mutex.withLock {
                try expect(
                  state.value.withLock {
                    $0.inside += 1
                    return $0.inside
                  }, 1, "tasks inside")
                await Task.yield()
                state.value.withLock {
                  $0.inside -= 1
                  $0.count += 1
                }
              }
            }
          }
        }
        try await group.waitForAll()
      }
      try expect(state.value.withLock { $0.count }, 16 * 200, "sections")
      try await expectThrow("an error leaves the mutex free") {
        try await mutex.withLock { throw Failure(description: "mine") }
      } _: {
        $0 is Failure
      }
      try await mutex.withLock {}
    }
  },
]
