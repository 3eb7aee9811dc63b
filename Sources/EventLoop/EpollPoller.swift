// The poller: epoll, edge-triggered. This file is the seam between the loop and the kernel's readiness interface. A
// second poller is a second file with a type of these six members and a line in EventLoop.swift that names it; nothing
// else knows about epoll.
//
// Each descriptor is registered once, for both directions, and never changed: level-triggered or one-shot interest
// would cost an `epoll_ctl` per wait. Whoever waits must therefore try its call first and wait only once the kernel
// has said "would block" (Readiness.swift).
import CLinux
import Glibc
import Synchronization

/// What the poller says about a descriptor.
struct ReadyEvents {
  var readable: Bool
  var writable: Bool
  /// The other end is gone or has finished sending: reads will not block again.
  var hangup: Bool
}

struct EpollPoller: ~Copyable {
  private static let capacity = 256

  private let epoll: Int32
  private let wakeup: Int32
  private let events: UnsafeMutablePointer<epoll_event>
  // Relaxed: only a hint whether polling while busy can find anything. A descriptor that another thread has just
  // registered is found at the latest when the loop is out of jobs.
  private let registered = Atomic<Int>(0)

  init() throws(LoopError) {
    let epoll = Int32(try check(clinux_epoll_create(), "epoll_create1"))
    let wakeup = clinux_eventfd()
    // Edge-triggered, so each write to it is a new event and nobody has to read it.
    let added =
      wakeup < 0 ? wakeup : clinux_epoll_control(epoll, EPOLL_CTL_ADD, wakeup, EPOLLIN.rawValue | Self.edge, 0)
    if added < 0 {
      _ = clinux_close(epoll)
      if wakeup >= 0 { _ = clinux_close(wakeup) }
      throw .system(call: wakeup < 0 ? "eventfd" : "epoll_ctl", errno: -added)
    }
    self.epoll = epoll
    self.wakeup = wakeup
    events = .allocate(capacity: Self.capacity)
  }

  deinit {
    events.deallocate()
    _ = clinux_close(wakeup)
    _ = clinux_close(epoll)
  }

  private static var edge: UInt32 { EPOLLET.rawValue }

  /// Any thread. Registers a descriptor for both directions; its events come with `token`, which is not 0.
  /// False: it is a file that cannot be polled, since it never blocks.
  func add(_ descriptor: Int32, token: UInt64) throws(LoopError) -> Bool {
    let interest = EPOLLIN.rawValue | EPOLLOUT.rawValue | EPOLLRDHUP.rawValue | Self.edge
    let result = clinux_epoll_control(epoll, EPOLL_CTL_ADD, descriptor, interest, token)
    if result == -EPERM { return false }
    try check(result, "epoll_ctl")
    registered.add(1, ordering: .relaxed)
    return true
  }

  /// Any thread. Explicit, although closing a descriptor unregisters it as well: not while somebody else holds a
  /// duplicate of it, as a child between fork and exec does, and then events would go on with a token that is dead.
  func remove(_ descriptor: Int32) {
    if clinux_epoll_control(epoll, EPOLL_CTL_DEL, descriptor, 0, 0) == 0 {
      registered.subtract(1, ordering: .relaxed)
    }
  }

  /// Whether a poll without sleeping can find anything but wake-ups, which the inbox shows without it.
  var watchesDescriptors: Bool { registered.load(ordering: .relaxed) > 0 }

  /// Any thread. Ends the sleep that goes on, or the next one.
  func wake() {
    var one: UInt64 = 1
    _ = clinux_write(wakeup, &one, 8)
  }

  /// The loop's thread only. Waits at most `timeoutNanoseconds` (negative: for ever) and delivers what is ready; token
  /// 0 is a wake-up. Returns the number of events; an interruption by a signal counts as none.
  func wait(timeoutNanoseconds: Int64, _ deliver: (UInt64, ReadyEvents) -> Void) -> Int {
    let count = clinux_epoll_wait(epoll, events, Int32(Self.capacity), timeoutNanoseconds)
    precondition(count >= 0 || count == -EINTR, "epoll_wait failed: errno \(-count)")
    for index in 0..<max(0, Int(count)) {
      let flags = events[index].events
      let gone = flags & (EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0
      let finished = gone || flags & EPOLLRDHUP.rawValue != 0
      deliver(
        events[index].data.u64,
        ReadyEvents(
          readable: finished || flags & EPOLLIN.rawValue != 0, writable: gone || flags & EPOLLOUT.rawValue != 0,
          hangup: finished))
    }
    return max(0, Int(count))
  }
}
