// A byte stream on a loop: a socket, a pipe, a terminal, or a file that never blocks. Calls are tried first, and wait
// for the poller only when the kernel would block; so a write goes out at once and backpressure is a task that waits
// until the kernel's buffer has room again.
//
// A stream belongs to the loop that it was made for: that loop hears its events and resumes its tasks. It may be used
// from any task on any thread, one reading and one writing at a time; a task that starts elsewhere goes on at the
// stream's loop once it had to wait.
import CLinux
import Glibc

public final class Stream: Sendable {
  /// The loop that hears its events and resumes its tasks.
  public var loop: EventLoop { registration.loop }

  private let registration: Registration

  /// Takes over a descriptor, which it will close, also when this throws. It is made non-blocking.
  ///
  /// - Parameter loop: the loop that hears its events; by default the current one.
  /// - Throws: `LoopError.system` if the kernel does not let it be polled.
  public init(taking descriptor: Int32, on loop: EventLoop? = nil) throws(LoopError) {
    let result = clinux_set_nonblocking(descriptor, 1)
    if result < 0 {
      if result != -EBADF { _ = clinux_close(descriptor) }
      throw .system(call: "fcntl", errno: -result)
    }
    registration = try Registration(descriptor, on: loop ?? EventLoop.current ?? EventLoops.next())
  }

  /// One that is non-blocking already.
  init(accepted descriptor: Int32, on loop: EventLoop) throws(LoopError) {
    registration = try Registration(descriptor, on: loop)
  }

  deinit { registration.giveUp() }

  /// Standard input. Where the kernel allows it, it is opened a second time, so that whoever shares it with this
  /// process (a shell, the parent) does not find it non-blocking.
  public static func standardInput(on loop: EventLoop? = nil) throws(LoopError) -> Stream {
    let again = clinux_open_again(0, O_RDONLY)
    if again >= 0 { return try Stream(taking: again, on: loop) }
    let copy = dup(0)
    if copy < 0 { throw .system(call: "dup of standard input", errno: errno) }
    return try Stream(taking: copy, on: loop)
  }

  /// Connects to a TCP port on 127.0.0.1.
  public static func connect(loopbackPort port: UInt16, on loop: EventLoop? = nil) async throws -> Stream {
    let descriptor = clinux_connect_loopback(port, 1)
    if descriptor < 0 { throw LoopError.system(call: "connect", errno: -descriptor) }
    let stream = try Stream(taking: descriptor, on: loop)
    try await stream.registration.writing.wait()
    let error = try stream.registration.call { clinux_socket_error($0) }
    if error != 0 { throw LoopError.system(call: "connect", errno: error) }
    return stream
  }

  /// The number of the descriptor, for options that this type does not know. It is the stream's to close.
  public var descriptor: Int32 { registration.descriptor }

  /// Reads what there is, at least one byte, at most the buffer's size; 0 at the end of the stream.
  ///
  /// - Throws: `LoopError.closed`, `LoopError.system`, `CancellationError` if the task is cancelled while it waits.
  public func read(into buffer: UnsafeMutableRawBufferPointer) async throws -> Int {
    precondition(buffer.count > 0, "a read needs room for a byte")
    if mustYield() { await Task.yield() }
    while true {
      if let count = try tryRead(into: buffer) { return count }
      try await readable()
    }
  }

  /// Reads without waiting: nil if nothing has come. `readable()` waits.
  public func tryRead(into buffer: UnsafeMutableRawBufferPointer) throws(LoopError) -> Int? {
    guard registration.reading.shouldTry() else { return nil }
    let result = try registration.call { clinux_read($0, buffer.baseAddress, buffer.count) }
    if result >= 0 {
      registration.reading.isDrained =
        result > 0 && result < buffer.count && registration.shortReadDrains
      return result
    }
    try wouldBlock(result, "read")
    registration.reading.isDrained = true
    return nil
  }

  /// Writes all of `bytes`, waiting for room as often as need be.
  ///
  /// - Throws: as `read`; how much was written is unknown then, so the stream is of no more use.
  public func write(_ bytes: UnsafeRawBufferPointer) async throws {
    if mustYield() { await Task.yield() }
    var rest = bytes
    while !rest.isEmpty {
      if let count = try tryWrite(rest) {
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      } else {
        try await writable()
      }
    }
  }

  /// Writes without waiting: how many bytes went out, nil if there is no room. `writable()` waits.
  public func tryWrite(_ bytes: UnsafeRawBufferPointer) throws(LoopError) -> Int? {
    guard registration.writing.shouldTry() else { return nil }
    let result = try registration.call {
      registration.isSocket
        ? clinux_send($0, bytes.baseAddress, bytes.count, 0) : clinux_write($0, bytes.baseAddress, bytes.count)
    }
    if result >= 0 {
      registration.writing.isDrained = result < bytes.count && registration.isPolled
      return result
    }
    try wouldBlock(result, registration.isSocket ? "send" : "write")
    registration.writing.isDrained = true
    return nil
  }

  /// Writes all bytes of an array.
  public func write(_ bytes: [UInt8]) async throws {
    try await write(bytes, 0)
  }

  private func write(_ bytes: [UInt8], _ start: Int) async throws {
    var start = start
    while start < bytes.count {
      let count = try bytes.withUnsafeBytes { bytes throws(LoopError) in
        try tryWrite(UnsafeRawBufferPointer(rebasing: bytes[start...]))
      }
      if let count { start += count } else { try await writable() }
    }
  }

  /// Waits until a read may succeed: for the next event, or the one that has come and not been used. Call it after
  /// `tryRead`, or a read of one's own on `descriptor`, has found nothing.
  public func readable() async throws {
    if registration.isPolled { try await registration.reading.wait() }
  }

  /// Waits until a write may succeed, after `tryWrite` has found no room.
  public func writable() async throws {
    if registration.isPolled { try await registration.writing.wait() }
  }

  /// Closes both directions. Any thread, at any time; tasks that wait get `LoopError.closed`.
  public func close() { registration.close() }

  /// A socket reads no more than has arrived: after that, reads return 0, those that wait included. Writing goes on.
  public func finishReading() throws(LoopError) {
    let result = try registration.call { shutdown($0, Int32(SHUT_RD)) < 0 ? -errno : 0 }
    try check(result, "shutdown")
  }

  /// Tells the other end that nothing more will be written; reading goes on.
  public func finishWriting() throws(LoopError) {
    let result = try registration.call { shutdown($0, Int32(SHUT_WR)) < 0 ? -errno : 0 }
    try check(result, "shutdown")
  }

  private func wouldBlock(_ result: Int, _ call: String) throws(LoopError) {
    if result != -Int(EAGAIN) { throw .system(call: call, errno: Int32(-result)) }
  }
}

/// A task whose calls never block would keep its loop for ever: after many operations without a wait it must yield.
func mustYield() -> Bool {
  guard let local = LocalState.current else { return false }
  local.pointee.operations += 1
  return local.pointee.operations > LocalState.operationsPerJob
}
