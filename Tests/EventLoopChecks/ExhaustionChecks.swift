// What the machine runs out of, threads, descriptors, time itself: a thrown error that names it, never a crash or a hang,
// and everything works again afterwards. And descriptors that are given back while they are in use.
import CLinux
import EventLoop
import Glibc

let exhaustionChecks: [Check] = [
  Check("loops without threads are an error, and blocking work too") { _ in
    try withoutThreads {
      do {
        try EventLoops.run(count: 3) {}
        throw Failure(description: "no thread can be had for loops 1 and 2")
      } catch LoopError.system("pthread_create", EAGAIN) {}
    }
    try EventLoops.run {
      try await expectThrow("blocking") {
        let limits = forbidThreads()
        defer { allowThreads(limits) }
        try await EventLoops.blocking {}
      } _: {
        $0 as? LoopError == .system(call: "pthread_create", errno: EAGAIN)
      }
      try expect(try await EventLoops.blocking { 7 }, 7, "with threads it works")
    }
    try expect(try EventLoops.run(count: 3) { EventLoops.all.count }, 3, "with threads it works")
  },

  Check("blocking work that gets no second thread waits for the first") { _ in
    try EventLoops.run(blockingThreads: 8) {
      try await EventLoops.blocking {}
      let limits = forbidThreads()
      defer { allowThreads(limits) }
      let sum = try await withThrowingTaskGroup(of: Int.self) { group in
        for index in 0..<100 {
          group.addTask {
            try await EventLoops.blocking {
              usleep(100)
              return index
            }
          }
        }
        return try await group.reduce(0, +)
      }
      try expect(sum, 4950, "all of it ran")
      try expect(threadNames().filter { $0.hasPrefix("blocking") }.count, 1, "threads")
    }
  },

  Check("connect and streams without descriptors throw, and the loop goes on") { _ in
    try EventLoops.run {
      let listener = try Listener()
      let port = try listener.port
      let limits = lowerDescriptorLimit(room: 0)
      do {
        defer { restoreDescriptorLimit(limits) }
        for _ in 0..<100 {
          try await expectThrow("connect") {
            _ = try await Stream.connect(loopbackPort: port)
          } _: {
            if case LoopError.system(_, EMFILE)? = $0 as? LoopError { true } else { false }
          }
        }
        try await EventLoop.sleep(for: .milliseconds(1))
      }
      let stream = try await Stream.connect(loopbackPort: port)
      let accepted = try await listener.accept()
      try await stream.write([1, 2, 3])
      stream.close()
      accepted.close()
      do {
        _ = try Stream(taking: 1_000_000)
        throw Failure(description: "a number that is no descriptor")
      } catch LoopError.system(_, EBADF) {}
    }
  },

  Check("times beyond all bounds are clamped") { _ in
    try EventLoops.run {
      guard let loop = EventLoop.current else { throw Failure(description: "no loop") }
      for past: Duration in [.zero, .seconds(-1), .seconds(Int64.min), .nanoseconds(-1)] {
        try await EventLoop.sleep(for: past)
      }
      let far: [Duration] = [.seconds(Int64.max), .seconds(Int64.max / 2), .seconds(10_000_000_000)]
      for duration in far {
        let sleeper = Task { try await EventLoop.sleep(for: duration) }
        let limited = Task { try await withDeadline(duration) { try await EventLoop.sleep(for: duration) } }
        let timer = loop.schedule(after: duration) {}
        while loop.pendingTimers < 4 { await Task.yield() }
        try await EventLoop.sleep(for: .milliseconds(1))
        try expect(loop.pendingTimers, 4, "armed, and none has fired")
        sleeper.cancel()
        limited.cancel()
        timer.cancel()
        _ = await (sleeper.result, limited.result)
        try expect(loop.pendingTimers, 0, "timers left")
      }
      try await EventLoop.sleep(untilNanoseconds: 0)
    }
  },

  Check("streams closed, dropped and cancelled while bytes arrive never use another's descriptor") { seed in
    let before = lowestFreeDescriptor()
    try EventLoops.run(count: 4) {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for lane in 0..<8 {
          group.addTask {
            var random = Seeded(state: seed &+ UInt64(lane))
            for round in 0..<60 {
              let (reader, writer, open) = try talkingPair(
                UInt8(truncatingIfNeeded: lane * 60 + round), closesReader: round % 3 == 0, &random)
              for _ in 0..<random.next() % 30 { await Task.yield() }
              if let open { open.close() } else { (round % 3 == 1 ? reader : writer).cancel() }
              try await reader.value
              try await writer.value
            }
          }
        }
        try await group.waitForAll()
      }
    }
    try expect(lowestFreeDescriptor(), before, "the lowest free descriptor")
  },
]

/// Two ends of a socket on two loops: one writes a byte of its own again and again, the other reads nothing else. Both
/// end when either is closed, dropped with its cancelled task, or at its end. A task that need not wait is not told of
/// its cancellation and must ask. Small writes let the reader wait, large ones the writer. Gives out the reading end to
/// be closed.
private func talkingPair(_ byte: UInt8, closesReader: Bool, _ random: inout Seeded) throws -> (
  reader: Task<Void, any Error>, writer: Task<Void, any Error>, open: Stream?
) {
  var ends: [Int32] = [-1, -1]
  try expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends), 0, "socketpair")
  let loops = EventLoops.all
  let from = try Stream(taking: ends[0], on: loops[Int(random.next() % 4)])
  let to = try Stream(taking: ends[1], on: loops[Int(random.next() % 4)])
  let reader = loops[Int(random.next() % 4)].spawn { [from] in
    let expected = [UInt8](repeating: byte, count: 256)
    let buffer = UnsafeMutableRawPointer.allocate(byteCount: expected.count, alignment: 1)
    defer { buffer.deallocate() }
    let room = UnsafeMutableRawBufferPointer(start: buffer, count: expected.count)
    while !Task.isCancelled, let count = try? await from.read(into: room), count > 0 {
      // Byte by byte in Swift is most of a minute under the thread sanitizer.
      try expect(memcmp(buffer, expected, count), 0, "another stream's bytes")
    }
  }
  let size = random.next() % 2 == 0 ? 64 : 1 << 16
  let writer = loops[Int(random.next() % 4)].spawn { [to] in
    let bytes = [UInt8](repeating: byte, count: size)
    while !Task.isCancelled, (try? await to.write(bytes)) != nil {}
  }
  return (reader, writer, closesReader ? from : nil)
}

/// Threads that ask for a stack larger than the address space cannot be had. Returns what `allowThreads` needs.
private func forbidThreads() -> Int { exchangeDefaultStackSize(1 << 48) }

private func allowThreads(_ stackBytes: Int) { _ = exchangeDefaultStackSize(stackBytes) }

/// The size of stack that a thread gets which asks for none. The two calls are glibc's own, and not in Swift's module.
private func exchangeDefaultStackSize(_ bytes: Int) -> Int {
  typealias Call = @convention(c) (UnsafeMutablePointer<pthread_attr_t>) -> Int32
  guard let get = dlsym(nil, "pthread_getattr_default_np"), let set = dlsym(nil, "pthread_setattr_default_np") else {
    preconditionFailure("glibc has no default attributes of threads")
  }
  var attributes = pthread_attr_t()
  _ = unsafeBitCast(get, to: Call.self)(&attributes)
  defer { pthread_attr_destroy(&attributes) }
  var usual = 0
  pthread_attr_getstacksize(&attributes, &usual)
  pthread_attr_setstacksize(&attributes, bytes)
  _ = unsafeBitCast(set, to: Call.self)(&attributes)
  return usual
}

private func withoutThreads(_ body: () throws -> Void) throws {
  let usual = forbidThreads()
  defer { allowThreads(usual) }
  try body()
}
