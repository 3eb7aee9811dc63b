// Sockets and pipes whose calls park the unit.
//
// Every call is tried first; only if it would block does the unit wait for the poller's edge, and then tries again.

import CLinux
import Glibc
import Synchronization

/// A system call on a descriptor failed.
public struct IOError: Error, Equatable, CustomStringConvertible {
  public let operation: String
  public let errno: Int32

  public init(_ operation: String, errno: Int32) {
    self.operation = operation
    self.errno = errno
  }

  public var description: String { "\(operation) failed: \(Errno.describe(errno))" }
  /// The other side reset the connection, or is not reading any more.
  public var isDisconnection: Bool { errno == ECONNRESET || errno == EPIPE }
  /// The descriptor was closed, by this program.
  public var isClosed: Bool { errno == EBADF }
  /// A limit of the system was met: descriptors, memory, ports.
  public var isResourceLimit: Bool { [EMFILE, ENFILE, ENOMEM, ENOBUFS, EADDRNOTAVAIL].contains(errno) }
}

/// An open socket, pipe or terminal. One unit may read and another write at the same time, not two of either (the
/// second fails with EBUSY). `close`, from any unit, makes calls in progress fail with EBADF.
public final class Descriptor: @unchecked Sendable {
  // Unchecked: the entry's words are atomic, the rest never changes.
  public let fileDescriptor: Int32
  /// Nil for what is always ready, such as a regular file.
  private let entry: PollEntryPointer?
  private let poller: Poller
  private let isSocket: Bool
  /// Calls in progress, and `closedBit`, after which none begins. The last to leave closes, so that neither the number
  /// nor the entry is reused under a call on another worker. It lives here and not in the entry: an entry that has been
  /// given to another descriptor must not be taken for this one's.
  private let users = Atomic<UInt32>(0)
  private static var closedBit: UInt32 { 1 << 31 }

  /// Takes over `fd`, which becomes non-blocking and is closed with this object.
  public init(adopting fd: Int32) throws(IOError) {
    poller = Unit.current().pointee.worker.pointee.core.pointee.poller
    fileDescriptor = fd
    let error = clinux_set_nonblocking(fd, 1)
    guard error >= 0 else { throw IOError("fcntl", errno: -error) }
    switch poller.register(fd) {
    case .success(let entry): self.entry = entry
    case .failure(let error): throw error
    }
    var kind: Int32 = 0
    var length = socklen_t(4)
    isSocket = getsockopt(fd, SOL_SOCKET, SO_TYPE, &kind, &length) == 0
  }

  deinit { close() }

  /// Listens on loopback; port 0 lets the system choose.
  public static func listen(port: UInt16 = 0, backlog: Int32 = 1024) throws(IOError) -> Descriptor {
    let fd = clinux_listen_loopback(port, backlog, 1)
    guard fd >= 0 else { throw IOError("listen on port \(port)", errno: -fd) }
    return try adopt(fd)
  }

  /// Both ends of a pipe.
  public static func pipe() throws(IOError) -> (reading: Descriptor, writing: Descriptor) {
    var ends: [Int32] = [-1, -1]
    let error = clinux_pipe(&ends)
    guard error == 0 else { throw IOError("pipe", errno: -error) }
    let writing: Descriptor
    do { writing = try adopt(ends[1]) } catch {
      Glibc.close(ends[0])
      throw error
    }
    return (try adopt(ends[0]), writing)
  }

  /// Connects to a port on loopback.
  public static func connect(port: UInt16, timeout: Duration? = nil) throws -> Descriptor {
    let fd = clinux_connect_loopback(port, 1)
    guard fd >= 0 else { throw IOError("connect to port \(port)", errno: -fd) }
    let descriptor = try adopt(fd)
    let end = Unit.current().deadline(after: timeout)
    try descriptor.withUse("connect") {
      // The first edge for writing says that the attempt has ended, one way or the other.
      while true {
        var event = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
        if Glibc.poll(&event, 1, 0) == 1 { break }
        try descriptor.waitUntilReady(writing: true, end)
      }
      let error = clinux_socket_error(fd)
      if error != 0 { throw IOError("connect to port \(port)", errno: error) }
    }
    return descriptor
  }

  /// The local port of a socket.
  public var port: UInt16 { UInt16(truncatingIfNeeded: clinux_local_port(fileDescriptor)) }

  /// The next connection of a listening socket.
  public func accept(timeout: Duration? = nil) throws -> Descriptor {
    let fd = try perform("accept", writing: false, timeout) { Int(clinux_accept($0, 1)) }
    return try Self.adopt(Int32(fd))
  }

  /// At least one byte, at most as many as `buffer` holds. 0: end of file.
  public func read(into buffer: UnsafeMutableRawBufferPointer, timeout: Duration? = nil) throws -> Int {
    let isSocket = isSocket
    return try perform("read", writing: false, timeout) {
      isSocket
        ? clinux_recv($0, buffer.baseAddress, buffer.count, 0) : clinux_read($0, buffer.baseAddress, buffer.count)
    }
  }

  /// Fills `buffer`. False: end of file before the first byte; in the middle it is an error (ECONNRESET).
  public func readExactly(into buffer: UnsafeMutableRawBufferPointer, timeout: Duration? = nil) throws -> Bool {
    var filled = 0
    while filled < buffer.count {
      let n = try read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]), timeout: timeout)
      if n == 0 {
        if filled == 0 { return false }
        throw IOError("read (end of file after \(filled) of \(buffer.count) bytes)", errno: ECONNRESET)
      }
      filled += n
    }
    return true
  }

  /// Writes all of `buffer`.
  public func write(_ buffer: UnsafeRawBufferPointer, timeout: Duration? = nil) throws {
    let isSocket = isSocket
    var written = 0
    while written < buffer.count {
      let rest = UnsafeRawBufferPointer(rebasing: buffer[written...])
      written += try perform("write", writing: true, timeout) {
        isSocket ? clinux_send($0, rest.baseAddress, rest.count, 0) : clinux_write($0, rest.baseAddress, rest.count)
      }
    }
  }

  /// Waits until there is something to read, or the end of it, that was not there when the descriptor was last found
  /// to be empty: read until EAGAIN before. May return early. For those who read the descriptor by other means.
  public func waitUntilReadable(timeout: Duration? = nil) throws {
    let end = Unit.current().deadline(after: timeout)
    try withUse("wait") {
      if let word = entry?.word(writing: false),
        word.pointee.compareExchange(
          expected: Readiness.ready, desired: Readiness.none, ordering: .acquiringAndReleasing
        ).exchanged
      {
        return
      }
      try waitUntilReady(writing: false, end)
    }
  }

  /// Ends the receiving direction of a socket: whoever reads comes to the end of the file.
  public func shutdownReading() { _ = shutdown(fileDescriptor, Int32(SHUT_RD)) }

  /// Ends the sending direction of a socket: the other side reads to its end.
  public func shutdownWriting() throws(IOError) {
    guard shutdown(fileDescriptor, Int32(SHUT_WR)) == 0 else { throw IOError("shutdown", errno: Glibc.errno) }
  }

  /// Ends all use of the descriptor: units in the middle of a call fail with EBADF. Closing twice does nothing.
  public func close() {
    // As a user of its own, so that the entry stays this descriptor's until the waiters are dismissed.
    guard begin(closing: true) else { return }
    if let entry {
      dismiss(entry.pointee.readWord)
      dismiss(entry.pointee.writeWord)
    }
    end()
  }

  private func dismiss(_ word: borrowing Atomic<UInt>) {
    let waiting = word.exchange(Readiness.closed, ordering: .acquiringAndReleasing)
    guard waiting > Readiness.closed, let unit = UnitPointer(bitPattern: waiting) else { return }
    // The last reference may go where no unit runs; then no unit can wait for it either.
    guard let current = Unit.currentOrNil() else { return }
    let worker = current.pointee.worker
    if unit.claim(.event, solo: worker.pointee.solo) { worker.makeReady(unit) }
  }

  /// Becomes a user. False: it has been closed.
  @inline(__always)
  private func begin(closing: Bool = false) -> Bool {
    var seen = users.load(ordering: .relaxed)
    while true {
      if seen & Self.closedBit != 0 { return false }
      // Acquire: pairs with the release of `end`; whoever closes sees all that the users before it did.
      let (exchanged, original) = users.weakCompareExchange(
        expected: seen, desired: seen + 1 | (closing ? Self.closedBit : 0), ordering: .acquiring)
      if exchanged { return true }
      seen = original
    }
  }

  /// Is a user no more. No user begins after the closed bit, so that exactly one call finds that it was the last.
  @inline(__always)
  private func end() {
    if users.subtract(1, ordering: .acquiringAndReleasing).newValue == Self.closedBit {
      if let entry { poller.unregister(entry) }
      Glibc.close(fileDescriptor)
    }
  }

  // MARK: The loop around every call

  private static func adopt(_ fd: Int32) throws(IOError) -> Descriptor {
    do { return try Descriptor(adopting: fd) } catch {
      Glibc.close(fd)
      throw error
    }
  }

  @inline(__always)
  private func perform(
    _ operation: StaticString, writing: Bool, _ timeout: Duration?, _ call: (Int32) -> Int
  ) throws -> Int {
    let unit = Unit.current()
    let end = timeout == nil ? .max : unit.deadline(after: timeout)
    return try withUse(operation) {
      while true {
        // An edge seen before this call says nothing about what comes after it.
        if let entry {
          let word = entry.word(writing: writing)
          if word.pointee.load(ordering: .relaxed) == Readiness.ready {
            _ = word.pointee.compareExchange(
              expected: Readiness.ready, desired: Readiness.none, ordering: .acquiringAndReleasing)
          }
        }
        unit.pointee.worker.pointee.counters.syscalls.add()
        let result = call(fileDescriptor)
        if result >= 0 { return result }
        switch Int32(-result) {
        case EAGAIN: try waitUntilReady(writing: writing, end)
        case EINTR, ECONNABORTED: continue
        case let error: throw IOError("\(operation)", errno: error)
        }
      }
    }
  }

  /// Keeps the descriptor's number from being reused while `body` runs.
  @inline(__always)
  private func withUse<T>(_ operation: StaticString, _ body: () throws -> T) throws -> T {
    guard begin() else { throw IOError("\(operation)", errno: EBADF) }
    defer { end() }
    return try body()
  }

  /// Parks the unit until an edge, which may have come already. May return early.
  private func waitUntilReady(writing: Bool, _ end: UInt64) throws {
    guard let entry else { return yield() }
    let unit = Unit.current()
    let word = entry.word(writing: writing)
    let solo = unit.pointee.worker.pointee.solo
    guard unit.prepareToPark(solo: solo) else { throw CancellationError() }
    // Release: publishes the park to whoever finds it here.
    let (published, seen) = word.pointee.compareExchange(
      expected: Readiness.none, desired: UInt(bitPattern: unit), ordering: .acquiringAndReleasing)
    guard published else {
      unit.unprepare(solo: solo)
      switch seen {
      case Readiness.ready: return
      case Readiness.closed: throw IOError("wait", errno: EBADF)
      default: throw IOError("wait (another unit waits already)", errno: EBUSY)
      }
    }
    let core = unit.pointee.worker.pointee.core
    core.pointee.unitsInPoller.add(1, ordering: .relaxed)
    let reason = unit.park(for: writing ? "a descriptor to write to" : "a descriptor to read from", until: end)
    core.pointee.unitsInPoller.subtract(1, ordering: .relaxed)
    // Withdraw, unless the poller or `close` has taken the unit out already.
    let seenLast = word.pointee.compareExchange(
      expected: UInt(bitPattern: unit), desired: Readiness.none, ordering: .acquiringAndReleasing
    ).original
    if seenLast == Readiness.closed { throw IOError("wait", errno: EBADF) }
    if reason != .event { throw reason.error }
  }
}
