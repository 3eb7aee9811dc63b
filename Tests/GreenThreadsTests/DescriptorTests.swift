import CLinux
import Glibc
import GreenThreads
import Testing

@Suite struct DescriptorTests {
  func echo(_ connection: Descriptor) throws {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 8)
    defer { buffer.deallocate() }
    while case let n = try connection.read(into: buffer), n > 0 {
      try connection.write(UnsafeRawBufferPointer(rebasing: buffer[..<n]))
    }
  }

  @Test(arguments: [1, 2, 4])
  func connectionsEchoConcurrently(workers: Int) throws {
    try Scheduler.run(workers: workers) {
      let listener = try Descriptor.listen()
      let port = listener.port
      try withScope { scope in
        try scope.spawn(name: "listener") {
          try withScope { connections in
            for _ in 0..<20 {
              let connection = try listener.accept()
              try connections.spawn { try self.echo(connection) }
            }
          }
        }
        for client in 0..<20 {
          try scope.spawn(name: "client") {
            let connection = try Descriptor.connect(port: port)
            for round in 0..<20 {
              var sent = (0..<200).map { UInt8(truncatingIfNeeded: $0 &+ round &* client) }
              try sent.withUnsafeBytes { try connection.write($0) }
              var received = [UInt8](repeating: 0, count: 200)
              #expect(try received.withUnsafeMutableBytes { try connection.readExactly(into: $0) })
              #expect(received == sent)
              sent.removeAll()
            }
          }
        }
      }
    }
  }

  @Test(arguments: [1, 2])
  func fullPipeParksTheWriterUntilItIsRead(workers: Int) throws {
    try Scheduler.run(workers: workers) {
      let (reading, writing) = try Descriptor.pipe()
      let total = 1 << 20
      let writer = try spawn {
        let bytes = [UInt8](repeating: 7, count: total)
        try bytes.withUnsafeBytes { try writing.write($0) }
        writing.close()
      }
      var read = 0
      var buffer = [UInt8](repeating: 0, count: 10_000)
      while case let n = try buffer.withUnsafeMutableBytes({ try reading.read(into: $0) }), n > 0 { read += n }
      try writer.join()
      #expect(read == total)
    }
  }

  @Test(arguments: [1, 2])
  func closeFailsTheUnitThatWaits(workers: Int) throws {
    try Scheduler.run(workers: workers) {
      let listener = try Descriptor.listen()
      let waiter = try spawn { _ = try listener.accept() }
      for _ in 0..<5 { yield() }
      listener.close()
      expectFailure(waiter, errno: EBADF)
      #expect(throws: IOError("accept", errno: EBADF)) { try listener.accept() }
    }
  }

  @Test(arguments: [1, 2])
  func readTimesOutAndCanBeRepeated(workers: Int) throws {
    try Scheduler.run(workers: workers) {
      let (reading, writing) = try Descriptor.pipe()
      var byte = [UInt8](repeating: 0, count: 1)
      #expect(throws: DeadlineExceeded.self) {
        try byte.withUnsafeMutableBytes { try reading.read(into: $0, timeout: .milliseconds(2)) }
      }
      try [9].withUnsafeBytes { try writing.write($0) }
      #expect(try byte.withUnsafeMutableBytes { try reading.read(into: $0) } == 1)
      #expect(byte == [9])
    }
  }

  @Test(arguments: [1, 2])
  func cancelledReaderThrows(workers: Int) throws {
    try Scheduler.run(workers: workers) {
      let (reading, writing) = try Descriptor.pipe()
      let reader = try spawn {
        var byte = [UInt8](repeating: 0, count: 1)
        _ = try byte.withUnsafeMutableBytes { try reading.read(into: $0) }
      }
      for _ in 0..<5 { yield() }
      reader.cancel()
      expect(reader, throws: CancellationError.self)
      writing.close()
    }
  }

  @Test func secondReaderIsRefused() throws {
    try Scheduler.run(workers: 1) {
      let (reading, writing) = try Descriptor.pipe()
      let first = try spawn { _ = try reading.read(into: .init(start: nil, count: 0)) }
      try first.join()
      let waiting = try spawn {
        var byte = [UInt8](repeating: 0, count: 1)
        return try byte.withUnsafeMutableBytes { try reading.read(into: $0) }
      }
      yield()
      var byte = [UInt8](repeating: 0, count: 1)
      let error = #expect(throws: IOError.self) {
        try byte.withUnsafeMutableBytes { try reading.read(into: $0) }
      }
      #expect(error?.errno == EBUSY)
      writing.close()
      let end = try waiting.join()
      #expect(end == 0)
    }
  }

  /// Its number and its entry at the poller may be another descriptor's by then.
  @Test func aClosedDescriptorNeverTouchesWhatFollows() throws {
    try Scheduler.run(workers: 1) {
      var byte: [UInt8] = [7]
      let old = try Descriptor.pipe()
      old.reading.close()
      old.writing.close()
      let (reading, writing) = try Descriptor.pipe()
      // The timeouts only end a test that has failed: it would wait for ever.
      let error = try #require(throws: IOError.self) {
        try byte.withUnsafeMutableBytes { try old.reading.read(into: $0, timeout: .seconds(5)) }
      }
      #expect(error.isClosed)
      old.reading.close()
      old.writing.close()
      let waiting = try spawn {
        var byte: [UInt8] = [0]
        let count = try byte.withUnsafeMutableBytes { try reading.read(into: $0, timeout: .seconds(120)) }
        return [count, Int(byte[0])]
      }
      yield()
      try byte.withUnsafeBytes { try writing.write($0) }
      let read = try waiting.join()
      #expect(read == [1, 7])
    }
  }

  @Test func writingToAClosedPipeIsAnError() throws {
    try Scheduler.run(workers: 1) {
      let (reading, writing) = try Descriptor.pipe()
      reading.close()
      let error = #expect(throws: IOError.self) { try [1].withUnsafeBytes { try writing.write($0) } }
      #expect(error?.isDisconnection == true)
    }
  }

  @Test func refusedConnectionIsAnError() throws {
    try Scheduler.run(workers: 1) {
      // Bound, so that nobody else gets the port, but not listening.
      let bound = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      defer { close(bound) }
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_addr.s_addr = UInt32(INADDR_LOOPBACK).bigEndian
      let size = socklen_t(MemoryLayout<sockaddr_in>.size)
      let result = withUnsafePointer(to: address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(bound, $0, size) }
      }
      #expect(result == 0)
      let port = UInt16(clinux_local_port(bound))
      let error = #expect(throws: IOError.self) { try Descriptor.connect(port: port) }
      #expect(error?.errno == ECONNREFUSED)
    }
  }

  private func expectFailure(_ handle: consuming JoinHandle<Void>, errno expected: Int32) {
    do {
      try handle.join()
      Issue.record("the unit did not throw")
    } catch { #expect((error as? IOError)?.errno == expected) }
  }
}
