// Sockets and pipes: readiness, backpressure, closing, cancellation, exhaustion.
import CLinux
import EventLoop
import Glibc

let streamChecks: [Check] = [
  Check("an echo of every size comes back whole, on every loop") { seed in
    try EventLoops.run(count: 2) {
      let listener = try Listener()
      let server = Task { try await echoServer(listener) }
      try await withThrowingTaskGroup(of: Void.self) { group in
        for client in 0..<16 {
          group.addTask {
            await EventLoops.all[client % 2].enter()
            var random = Seeded(state: seed &+ UInt64(client))
            let stream = try await Stream.connect(loopbackPort: try listener.port)
            for _ in 0..<10 {
              // Past the buffers' sizes, so that both ends must wait for room while they read.
              let size = 1 << (random.next() % 21)
              let bytes = pattern(Int(size), seed: random.next())
              async let sent: Void = stream.write(bytes)
              let back = try await readExactly(stream, bytes.count)
              try await sent
              try expect(back == bytes, "echo of \(size) bytes")
            }
            stream.close()
          }
        }
        try await group.waitForAll()
      }
      listener.close()
      try await server.value
    }
  },

  Check("a write waits while the reader does not read") { _ in
    try EventLoops.run {
      let (a, b) = try await pair()
      let written = Box(Guarded<Int>(0))
      let chunk = [UInt8](repeating: 7, count: 1 << 16)
      let writer = Task {
        for _ in 0..<1024 {
          try await a.write(chunk)
          written.value.withLock { $0 += 1 }
        }
        try a.finishWriting()
      }
      // Until the kernel's buffers are full and only this task wakes up: at once, or after many windows where the kernel
      // lags behind. A writer that spins lets no window be quiet but those in which the whole machine stands still.
      var (quiet, windows) = (0, 0)
      while quiet < 3 {
        windows += 1
        try expect(windows <= 1000, "a waiting writer must not spin")
        let before = EventLoops.counters.jobs
        try await EventLoop.sleep(for: .milliseconds(10))
        quiet = EventLoops.counters.jobs - before <= 2 ? quiet + 1 : 0
      }
      try expect(written.value.withLock { $0 } < 1024, "64 MiB fitted into the kernel's buffers")
      var total = 0
      try await withBuffer(1 << 16) { buffer in
        while true {
          let count = try await b.read(into: buffer)
          if count == 0 { break }
          total += count
        }
      }
      try await writer.value
      try expect(total, 1024 << 16, "bytes read")
    }
  },

  Check("end of stream, also with the last bytes still unread") { _ in
    try EventLoops.run {
      for delay in [false, true] {
        let (a, b) = try await pair()
        try await a.write([1, 2, 3])
        a.close()
        if delay { try await EventLoop.sleep(for: .milliseconds(2)) }
        try await withBuffer(16) { buffer in
          try expect(try await b.read(into: buffer), 3, "last bytes")
          try expect(try await b.read(into: buffer), 0, "end")
          try expect(try await b.read(into: buffer), 0, "end again")
        }
      }
    }
  },

  Check("close wakes the task that reads and the one that writes, with an error") { _ in
    try EventLoops.run(count: 2) {
      for closer in EventLoops.all {
        let (a, b) = try await pair()
        let reader = Task { try await withBuffer(16) { _ = try await a.read(into: $0) } }
        let writer = Task { try await a.write([UInt8](repeating: 0, count: 1 << 26)) }
        try await EventLoop.sleep(for: .milliseconds(2))
        try await closer.spawn { a.close() }.value
        try await expectThrow("read") {
          try await reader.value
        } _: {
          $0 as? LoopError == .closed
        }
        try await expectThrow("write") {
          try await writer.value
        } _: {
          $0 as? LoopError == .closed
        }
        try await expectThrow("later read") {
          try await withBuffer(16) { _ = try await a.read(into: $0) }
        } _: {
          $0 as? LoopError == .closed
        }
        a.close()
        _ = b
      }
    }
  },

  Check("a cancelled read throws, and loses nothing") { _ in
    try EventLoops.run {
      let (a, b) = try await pair()
      for round in 0..<200 {
        let reader = Task { try await readExactly(b, 1) }
        if round % 2 == 0 { await Task.yield() }
        reader.cancel()
        if round % 3 == 0 { try await a.write([UInt8(round)]) }
        var got: [UInt8] = []
        do { got = try await reader.value } catch is CancellationError {}
        if round % 3 == 0 {
          if got.isEmpty { got = try await readExactly(b, 1) }
          try expect(got, [UInt8(round)], "the byte of round \(round)")
        } else {
          try expect(got, [], "nothing was sent in round \(round)")
        }
      }
    }
  },

  Check("reads raced by data, cancellation and close end once") { seed in
    try EventLoops.run(count: 4) {
      let loops = EventLoops.all
      await withDiscardingTaskGroup { group in
        for lane in 0..<8 {
          group.addTask {
            var random = Seeded(state: seed &+ UInt64(lane))
            for _ in 0..<150 {
              guard let (a, b) = try? await pair(on: loops[Int(random.next() % 4)]) else { return }
              let readerLoop = loops[Int(random.next() % 4)]
              let reader = readerLoop.spawn { try await readExactly(b, 1) }
              await loops[Int(random.next() % 4)].enter()
              for _ in 0..<random.next() % 8 { await Task.yield() }
              let choice = random.next()
              if choice & 1 != 0 { _ = try? await a.write([1]) }
              if choice & 2 != 0 { reader.cancel() }
              if choice & 4 != 0 || choice & 3 == 0 { b.close() }
              _ = try? await reader.value
            }
          }
        }
      }
    }
  },

  Check("pipes: read, write, end, and a broken pipe is an error") { _ in
    try EventLoops.run {
      let (reading, writing) = try pipeStreams()
      let reader = Task { () -> Int in
        var total = 0
        try await withBuffer(1000) { buffer in
          while true {
            let count = try await reading.read(into: buffer)
            if count == 0 { break }
            total += count
          }
        }
        return total
      }
      try await writing.write([UInt8](repeating: 1, count: 1 << 20))
      writing.close()
      try expect(try await reader.value, 1 << 20, "bytes through the pipe")
      let (end, other) = try pipeStreams()
      end.close()
      try await expectThrow("broken pipe") {
        try await other.write([1])
      } _: {
        $0 as? LoopError == .system(call: "write", errno: EPIPE)
      }
    }
  },

  Check("standard input is read through the loop") { _ in
    var ends: [Int32] = [0, 0]
    try expect(pipe(&ends), 0, "pipe")
    dup2(ends[0], 0)
    close(ends[0])
    let writing = ends[1]
    try EventLoops.run {
      let input = try Stream.standardInput()
      try expect(fcntl(0, F_GETFL) & O_NONBLOCK, 0, "descriptor 0 itself stays blocking")
      let line = Task { try await readExactly(input, 6) }
      try await EventLoop.sleep(for: .milliseconds(1))
      let sent = [UInt8]("hello\n".utf8)
      try expect(write(writing, sent, 6), 6, "write")
      try expect(try await line.value, sent, "line")
      close(writing)
      try await withBuffer(10) { try expect(try await input.read(into: $0), 0, "end of input") }
    }
  },

  Check("a file as a stream never waits") { _ in
    try EventLoops.run {
      let file = try Stream(taking: open("/proc/self/cmdline", O_RDONLY))
      try await withBuffer(1 << 16) { buffer in
        try expect(try await file.read(into: buffer) > 0, "read of a file")
        try expect(try await file.read(into: buffer), 0, "end of a file")
      }
      try await expectThrow("a bad descriptor") {
        _ = try Stream(taking: 9999)
      } _: {
        $0 as? LoopError == .system(call: "fcntl", errno: EBADF)
      }
    }
  },

  Check("a refused connection is an error") { _ in
    try EventLoops.run {
      // Once it is closed its port is anybody's; who finds another program there looks for a new one.
      var isRefused = false
      for _ in 0..<10 where !isRefused {
        let listener = try Listener()
        let port = try listener.port
        listener.close()
        do {
          _ = try await Stream.connect(loopbackPort: port)
        } catch LoopError.system(call: "connect", errno: ECONNREFUSED) { isRefused = true }
        try await expectThrow("accept") {
          _ = try await listener.accept()
        } _: {
          $0 as? LoopError == .closed
        }
      }
      try expect(isRefused, "connections to closed listeners succeed")
    }
  },

  Check("accept without descriptors throws, and finds the connection later") { _ in
    try EventLoops.run {
      let listener = try Listener()
      let client = try await Stream.connect(loopbackPort: try listener.port)
      let limits = lowerDescriptorLimit(room: 0)
      for _ in 0..<3 {
        try await expectThrow("accept") {
          _ = try await listener.accept()
        } _: {
          $0 as? LoopError == .system(call: "accept4", errno: EMFILE)
        }
      }
      try await expectThrow("connect") {
        _ = try await Stream.connect(loopbackPort: try listener.port)
      } _: {
        $0 as? LoopError == .system(call: "connect", errno: EMFILE)
      }
      restoreDescriptorLimit(limits)
      let served = try await listener.accept()
      try await served.write([5])
      try expect(try await readExactly(client, 1), [5], "through the connection accepted late")
    }
  },

  Check("streams give their descriptors back") { _ in
    try EventLoops.run(count: 2) {
      let before = lowestFreeDescriptor()
      let listener = try Listener()
      for round in 0..<300 {
        let client = try await Stream.connect(loopbackPort: try listener.port, on: EventLoops.all[round % 2])
        let served = try await listener.accept(on: EventLoops.all[(round + 1) % 2])
        if round % 3 == 0 { client.close() }
        if round % 5 == 0 { served.close() }
      }
      listener.close()
      try expect(lowestFreeDescriptor(), before, "lowest free descriptor")
    }
  },

  Check("a reader that never waits lets others run") { _ in
    try EventLoops.run {
      let zeros = try Stream(taking: open("/dev/zero", O_RDONLY))
      let flag = Box(Guarded<Bool>(false))
      Task { flag.value.withLock { $0 = true } }
      var reads = 0
      try await withBuffer(16) { buffer in
        while !flag.value.withLock({ $0 }) {
          _ = try await zeros.read(into: buffer)
          reads += 1
          try expect(reads < 10_000, "the other task was starved")
        }
      }
    }
  },
]

func echoServer(_ listener: Listener) async throws {
  await withDiscardingTaskGroup { group in
    var turn = 0
    while let stream = try? await listener.accept(on: EventLoops.all[turn % EventLoops.all.count]) {
      turn += 1
      group.addTask {
        await stream.loop.enter()
        try? await withBuffer(1 << 14) { buffer in
          while true {
            let count = try await stream.read(into: buffer)
            if count == 0 { return }
            try await stream.write(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]))
          }
        }
      }
    }
  }
}

func withBuffer(_ size: Int, _ body: (UnsafeMutableRawBufferPointer) async throws -> Void) async throws {
  let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
  defer { buffer.deallocate() }
  try await body(buffer)
}

func readExactly(_ stream: Stream, _ count: Int) async throws -> [UInt8] {
  var bytes: [UInt8] = []
  try await withBuffer(count) { buffer in
    while bytes.count < count {
      let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<(count - bytes.count)])
      let got = try await stream.read(into: part)
      if got == 0 { throw Failure(description: "the stream ended after \(bytes.count) of \(count) bytes") }
      bytes.append(contentsOf: part[..<got])
    }
  }
  return bytes
}

/// Bytes in which every part can be told from every other.
func pattern(_ size: Int, seed: UInt64) -> [UInt8] {
  var random = Seeded(state: seed)
  var words = (0..<(size + 7) / 8).map { _ in random.next() }
  return words.withUnsafeMutableBytes { Array($0[..<size]) }
}

func pair(on loop: EventLoop? = nil) async throws -> (Stream, Stream) {
  let listener = try Listener(on: loop)
  let client = try await Stream.connect(loopbackPort: try listener.port, on: loop)
  return (client, try await listener.accept())
}

func pipeStreams() throws -> (reading: Stream, writing: Stream) {
  var ends: [Int32] = [0, 0]
  try expect(pipe(&ends), 0, "pipe")
  return (try Stream(taking: ends[0]), try Stream(taking: ends[1]))
}

func lowestFreeDescriptor() -> Int32 {
  let next = dup(1)
  close(next)
  return next
}
