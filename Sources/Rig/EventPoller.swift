// epoll, edge-triggered, every descriptor registered once for both directions.
//
// Edge-triggered because a level-triggered descriptor stays on epoll's ready list after it was reported and is polled
// a second time to find out that it is quiet. Readiness is not lost: a receiver reads until a read comes up short.

import CLinux
import Glibc

/// Whose event it is, packed into the 64 bits that epoll carries.
struct Token: Hashable {
  enum Source: UInt32 { case commands, listener, client, backend }
  let source: Source
  let slot: Int

  init(_ source: Source, slot: Int = 0) {
    self.source = source
    self.slot = slot
  }

  init(_ word: UInt64) {
    source = Source(rawValue: UInt32(truncatingIfNeeded: word >> 32))!
    slot = Int(UInt32(truncatingIfNeeded: word))
  }

  var word: UInt64 { UInt64(source.rawValue) << 32 | UInt64(slot) }
}

/// What happened to a descriptor.
struct Readiness {
  let bits: UInt32
  var isReadable: Bool { bits & (EPOLLIN.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0 }
  var isWritable: Bool { bits & (EPOLLOUT.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0 }
  /// The peer has closed its side, or the connection is broken: reads must go on until they say so.
  var isHangup: Bool { bits & (EPOLLRDHUP.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0 }
}

struct EventPoller: ~Copyable {
  /// Small, so that what has fallen due in the meantime is not kept waiting behind a long batch.
  static let batch = 32

  private let epoll: CInt
  private let events: UnsafeMutablePointer<epoll_event>

  init() throws(RigFailure) {
    epoll = epoll_create1(CInt(EPOLL_CLOEXEC))
    guard epoll >= 0 else { throw RigFailure("epoll_create1", code: -Int(errno)) }
    events = .allocate(capacity: Self.batch)
    events.initialize(repeating: epoll_event(), count: Self.batch)
  }

  deinit {
    clinux_close(epoll)
    events.deallocate()
  }

  private static let stream = EPOLLIN.rawValue | EPOLLOUT.rawValue | EPOLLRDHUP.rawValue | EPOLLET.rawValue

  /// Registers a connection for both directions, edge-triggered.
  func add(connection: CInt, _ token: Token) throws(RigFailure) {
    try control(EPOLL_CTL_ADD, connection, Self.stream, token)
  }

  /// Registers a descriptor that is reported as long as it is readable.
  func add(readable descriptor: CInt, _ token: Token) throws(RigFailure) {
    try control(EPOLL_CTL_ADD, descriptor, EPOLLIN.rawValue, token)
  }

  /// Has a connection reported again although nothing new may have arrived.
  func rearm(connection: CInt, _ token: Token) throws(RigFailure) {
    try control(EPOLL_CTL_MOD, connection, Self.stream, token)
  }

  func remove(_ descriptor: CInt) { _ = clinux_epoll_control(epoll, EPOLL_CTL_DEL, descriptor, 0, 0) }

  private func control(_ operation: CInt, _ descriptor: CInt, _ bits: UInt32, _ token: Token) throws(RigFailure) {
    let code = clinux_epoll_control(epoll, operation, descriptor, bits, token.word)
    if code < 0 { throw RigFailure("epoll_ctl on descriptor \(descriptor)", code: Int(code)) }
  }

  /// Waits for events; 0 looks without waiting, a negative timeout waits for ever.
  /// - Returns: how many there are, at most ``batch``.
  func wait(timeoutNanoseconds: Int64) throws(RigFailure) -> Int {
    let count = clinux_epoll_wait(epoll, events, CInt(Self.batch), timeoutNanoseconds)
    if count < 0 && count != -EINTR { throw RigFailure("epoll_wait", code: Int(count)) }
    return max(0, Int(count))
  }

  subscript(index: Int) -> (token: Token, readiness: Readiness) {
    (Token(events[index].data.u64), Readiness(bits: events[index].events))
  }
}
