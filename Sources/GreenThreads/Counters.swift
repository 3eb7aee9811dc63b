// What the scheduler did, counted per worker.

import Synchronization

/// Written by one thread at a time, the one that carries the worker, and read by anybody: a plain load, add and store.
/// Relaxed: each counter stands alone.
@usableFromInline
struct Counter: ~Copyable {
  @usableFromInline let value = Atomic<UInt64>(0)

  @inlinable init() {}

  @inlinable @inline(__always)
  borrowing func add(_ n: UInt64 = 1) {
    value.store(value.load(ordering: .relaxed) &+ n, ordering: .relaxed)
  }

  @inlinable @inline(__always)
  borrowing func load() -> UInt64 { value.load(ordering: .relaxed) }
}

/// A snapshot of one worker's counters, or of the sum over all workers.
public struct Counters: Sendable, Equatable {
  /// Units started, and units that returned or threw.
  public var unitsStarted: UInt64 = 0
  public var unitsFinished: UInt64 = 0
  /// Switches to a unit, from another one or from the worker's own loop.
  public var switches: UInt64 = 0
  /// Times that a unit waited for something.
  public var parks: UInt64 = 0
  /// Units taken from other workers.
  public var steals: UInt64 = 0
  /// Times that a worker went to sleep (in a futex or in epoll), and times that it woke another.
  public var sleeps: UInt64 = 0
  public var wakes: UInt64 = 0
  /// Calls of epoll, and events that came of them.
  public var polls: UInt64 = 0
  public var events: UInt64 = 0
  /// System calls made by the scheduler, or through a `Descriptor`.
  public var syscalls: UInt64 = 0
  public var timersArmed: UInt64 = 0
  public var timersFired: UInt64 = 0
  /// `blocking` sections entered, and those whose worker went on with another thread.
  public var blockingCalls: UInt64 = 0
  public var handOffs: UInt64 = 0
  /// Units found running for longer than the configuration allows.
  public var hogs: UInt64 = 0

  public init() {}

  public static func + (a: Counters, b: Counters) -> Counters {
    var sum = a
    sum.unitsStarted += b.unitsStarted
    sum.unitsFinished += b.unitsFinished
    sum.switches += b.switches
    sum.parks += b.parks
    sum.steals += b.steals
    sum.sleeps += b.sleeps
    sum.wakes += b.wakes
    sum.polls += b.polls
    sum.events += b.events
    sum.syscalls += b.syscalls
    sum.timersArmed += b.timersArmed
    sum.timersFired += b.timersFired
    sum.blockingCalls += b.blockingCalls
    sum.handOffs += b.handOffs
    sum.hogs += b.hogs
    return sum
  }
}

@usableFromInline
struct WorkerCounters: ~Copyable {
  @usableFromInline let unitsStarted = Counter()
  @usableFromInline let unitsFinished = Counter()
  @usableFromInline let switches = Counter()
  /// Turns that a unit gave up and got back at once, nobody else being ready. For the monitor: such a unit is no hog.
  @usableFromInline let turnsKept = Counter()
  @usableFromInline let parks = Counter()
  @usableFromInline let steals = Counter()
  @usableFromInline let sleeps = Counter()
  @usableFromInline let wakes = Counter()
  @usableFromInline let polls = Counter()
  @usableFromInline let events = Counter()
  @usableFromInline let syscalls = Counter()
  @usableFromInline let timersArmed = Counter()
  @usableFromInline let timersFired = Counter()
  @usableFromInline let blockingCalls = Counter()
  /// These two are the monitor's.
  @usableFromInline let handOffs = Counter()
  @usableFromInline let hogs = Counter()

  @inlinable init() {}

  var snapshot: Counters {
    var c = Counters()
    // Finished first: then started >= finished in every snapshot.
    c.unitsFinished = unitsFinished.load()
    c.unitsStarted = unitsStarted.load()
    c.switches = switches.load()
    c.parks = parks.load()
    c.steals = steals.load()
    c.sleeps = sleeps.load()
    c.wakes = wakes.load()
    c.polls = polls.load()
    c.events = events.load()
    c.syscalls = syscalls.load()
    c.timersArmed = timersArmed.load()
    c.timersFired = timersFired.load()
    c.blockingCalls = blockingCalls.load()
    c.handOffs = handOffs.load()
    c.hogs = hogs.load()
    return c
  }
}
