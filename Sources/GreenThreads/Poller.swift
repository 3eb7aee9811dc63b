// Readiness of descriptors: one epoll for all workers.
//
// Each descriptor is registered once, edge-triggered, for both directions. An edge is remembered in a word per
// direction, so that nothing is lost between a call that would block and the wait that follows it, and no epoll_ctl is
// needed to wait again (re-arming cost one system 40,035 calls where this made 39).

import CLinux
import Glibc
import Synchronization

/// The poller's view of a descriptor. Allocated in chunks that live as long as the poller, so that an event that
/// arrives late for a closed descriptor finds memory of the right kind: at worst it wakes the next owner in vain, and
/// every wait is a loop around its call.
struct PollEntry: ~Copyable {
  /// `Readiness` values, or the address of the unit that waits for this direction.
  let readWord = Atomic<UInt>(Readiness.none)
  let writeWord = Atomic<UInt>(Readiness.none)
  var fd: Int32 = -1
  var next: UnsafeMutablePointer<PollEntry>?
}

typealias PollEntryPointer = UnsafeMutablePointer<PollEntry>

extension UnsafeMutablePointer where Pointee == PollEntry {
  /// The word of one direction. Entries never move, so the address stays good.
  @inline(__always)
  func word(writing: Bool) -> UnsafePointer<Atomic<UInt>> {
    writing ? withUnsafePointer(to: pointee.writeWord) { $0 } : withUnsafePointer(to: pointee.readWord) { $0 }
  }
}

enum Readiness {
  static var none: UInt { 0 }
  /// An edge was seen since the last call.
  static var ready: UInt { 1 }
  static var closed: UInt { 2 }
}

/// A class, so that a descriptor that outlives its run still has something to leave.
@usableFromInline
final class Poller: @unchecked Sendable {
  // Unchecked: `events` belongs to whoever holds the core's `pollerTaken`, the entries to their lock's holder, and the
  // rest never changes.
  static var capacity: Int { 256 }
  private let epoll: Int32
  private let interruption: Int32
  private let events: UnsafeMutablePointer<epoll_event>
  private let entries: UnsafeMutablePointer<Entries>
  private let registered = Atomic<Int>(0)

  /// Everything but the lock is guarded by it.
  struct Entries: ~Copyable {
    let lock = SpinLock()
    var free: PollEntryPointer?
    var chunks: [PollEntryPointer] = []
    static var chunk: Int { 64 }
  }

  static func make() throws(SchedulerError) -> Poller {
    let epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
    guard epoll >= 0 else { throw .poller(errno: errno) }
    let interruption = clinux_eventfd()
    guard interruption >= 0 else {
      close(epoll)
      throw .poller(errno: -interruption)
    }
    // Level-triggered, and read by the sleeper alone: an edge could be taken by a busy worker's look at the same epoll,
    // and whoever was to be roused would sleep on.
    _ = clinux_epoll_control(epoll, EPOLL_CTL_ADD, interruption, EPOLLIN.rawValue, 0)
    return Poller(epoll: epoll, interruption: interruption)
  }

  private init(epoll: Int32, interruption: Int32) {
    self.epoll = epoll
    self.interruption = interruption
    events = .allocate(capacity: Self.capacity)
    entries = .allocate(capacity: 1)
    entries.initialize(to: Entries())
  }

  deinit {
    close(epoll)
    close(interruption)
    events.deallocate()
    for chunk in entries.pointee.chunks {
      chunk.deinitialize(count: Entries.chunk)
      chunk.deallocate()
    }
    entries.deinitialize(count: 1)
    entries.deallocate()
  }

  /// Whether there is anything that a busy worker should look for.
  var isUsed: Bool { registered.load(ordering: .relaxed) > 0 }

  /// Ends the wait of whoever sleeps in `wait`, or the next one.
  func interrupt() {
    var one: UInt64 = 1
    _ = clinux_write(interruption, &one, 8)
  }

  /// The interruption has reached the sleeper.
  private func settle() {
    var count: UInt64 = 0
    _ = clinux_read(interruption, &count, 8)
  }

  /// The entry of a new descriptor, or a negative errno. Nil: this kind of file is always ready (EPERM).
  func register(_ fd: Int32) -> Result<PollEntryPointer?, IOError> {
    entries.pointee.lock.lock()
    if entries.pointee.free == nil {
      let chunk = PollEntryPointer.allocate(capacity: Entries.chunk)
      for i in 0..<Entries.chunk {
        (chunk + i).initialize(to: PollEntry())
        (chunk + i).pointee.next = entries.pointee.free
        entries.pointee.free = chunk + i
      }
      entries.pointee.chunks.append(chunk)
    }
    let entry = entries.pointee.free.unsafelyUnwrapped
    entries.pointee.free = entry.pointee.next
    entries.pointee.lock.unlock()
    entry.pointee.fd = fd
    entry.pointee.readWord.store(Readiness.none, ordering: .relaxed)
    entry.pointee.writeWord.store(Readiness.none, ordering: .releasing)
    let interest = EPOLLIN.rawValue | EPOLLOUT.rawValue | EPOLLRDHUP.rawValue | EPOLLET.rawValue
    let error = clinux_epoll_control(epoll, EPOLL_CTL_ADD, fd, interest, UInt64(UInt(bitPattern: entry)))
    if error < 0 {
      recycle(entry)
      return error == -EPERM ? .success(nil) : .failure(IOError("register", errno: -error))
    }
    registered.add(1, ordering: .relaxed)
    return .success(entry)
  }

  func unregister(_ entry: PollEntryPointer) {
    _ = clinux_epoll_control(epoll, EPOLL_CTL_DEL, entry.pointee.fd, 0, 0)
    registered.subtract(1, ordering: .relaxed)
    recycle(entry)
  }

  private func recycle(_ entry: PollEntryPointer) {
    entries.pointee.lock.lock()
    entry.pointee.next = entries.pointee.free
    entries.pointee.free = entry
    entries.pointee.lock.unlock()
  }

  /// Waits for events and hands the units that they wake to `wake`. Returns how many events.
  /// - Parameter sleeper: whether an interruption is meant for the caller, of whom there is one at a time.
  fileprivate func wait(
    _ events: UnsafeMutablePointer<epoll_event>, capacity: Int, timeout: Int64, sleeper: Bool, solo: Bool,
    wake: (UnitPointer) -> Void
  ) -> Int {
    let n = Int(clinux_epoll_wait(epoll, events, Int32(capacity), timeout))
    guard n > 0 else { return 0 }
    for i in 0..<n {
      guard let entry = PollEntryPointer(bitPattern: UInt(events[i].data.u64)) else {
        if sleeper { settle() }
        continue
      }
      let what = events[i].events
      let gone = EPOLLERR.rawValue | EPOLLHUP.rawValue
      if what & (EPOLLIN.rawValue | EPOLLRDHUP.rawValue | gone) != 0,
        let unit = Poller.markReady(entry.pointee.readWord), unit.claim(.event, solo: solo)
      {
        wake(unit)
      }
      if what & (EPOLLOUT.rawValue | gone) != 0,
        let unit = Poller.markReady(entry.pointee.writeWord), unit.claim(.event, solo: solo)
      {
        wake(unit)
      }
    }
    return n
  }

  /// Returns the unit that waited. Acquire-release: its park was published with the word; what the kernel has to offer
  /// is fetched by a system call, not through memory.
  private static func markReady(_ word: borrowing Atomic<UInt>) -> UnitPointer? {
    var now = word.load(ordering: .relaxed)
    while now != Readiness.closed {
      let (done, seen) = word.compareExchange(
        expected: now, desired: Readiness.ready, ordering: .acquiringAndReleasing)
      if done { return now == Readiness.none || now == Readiness.ready ? nil : UnitPointer(bitPattern: now) }
      now = seen
    }
    return nil
  }

  fileprivate var sharedEvents: UnsafeMutablePointer<epoll_event> { events }
}

extension UnsafeMutablePointer where Pointee == Worker {
  /// Makes ready what the poller says. With a timeout of 0, at any time; with another, only by the worker that holds
  /// the poller (nanoseconds; negative: until an event).
  func poll(timeout: Int64) {
    let solo = pointee.solo
    var woken = 0
    let wake = { (unit: UnitPointer) in
      self.pushReady(unit)
      woken += 1
    }
    var events = 0
    pointee.counters.polls.add()
    pointee.counters.syscalls.add()
    if solo || timeout != 0 {
      events = pointee.core.pointee.poller.wait(
        pointee.core.pointee.poller.sharedEvents, capacity: Poller.capacity, timeout: timeout, sleeper: true,
        solo: solo, wake: wake)
    } else {
      // Another worker may be waiting with the shared buffer. Small, since this runs on units' stacks too.
      events = withUnsafeTemporaryAllocation(of: epoll_event.self, capacity: 32) {
        pointee.core.pointee.poller.wait(
          $0.baseAddress.unsafelyUnwrapped, capacity: 32, timeout: 0, sleeper: false, solo: solo, wake: wake)
      }
    }
    pointee.counters.events.add(UInt64(events))
    if woken > 1, !solo { pointee.core.wakeOnSurplus(from: self) }
  }
}
