// What a loop counts. One writer (the loop's thread), any reader: relaxed atomics written by load and store cost what
// plain memory costs, and a reader sees each figure whole, though not all figures of one instant.
import Synchronization

/// Figures of one loop since it started, or the sum over several.
public struct Counters: Sendable, Hashable {
  /// Jobs run: one for each time that a task was started or resumed.
  public var jobs: UInt64 = 0
  /// Passes of the main loop.
  public var turns: UInt64 = 0
  /// Calls of the poller, and how many of them could sleep.
  public var polls: UInt64 = 0
  public var sleeps: UInt64 = 0
  /// Readiness events that the poller delivered, wake-ups from other threads included.
  public var events: UInt64 = 0
  /// Jobs and mails taken from the inbox: what other threads handed over.
  public var received: UInt64 = 0
  /// Wake-ups sent to other loops that slept; each is one system call.
  public var wakes: UInt64 = 0
  public var timersArmed: UInt64 = 0
  public var timersFired: UInt64 = 0
  public var timersCancelled: UInt64 = 0
  /// System calls made by the loop and by stream operations on its thread.
  public var systemCalls: UInt64 = 0

  public init() {}

  public static func + (a: Counters, b: Counters) -> Counters {
    var sum = a
    sum.jobs += b.jobs
    sum.turns += b.turns
    sum.polls += b.polls
    sum.sleeps += b.sleeps
    sum.events += b.events
    sum.received += b.received
    sum.wakes += b.wakes
    sum.timersArmed += b.timersArmed
    sum.timersFired += b.timersFired
    sum.timersCancelled += b.timersCancelled
    sum.systemCalls += b.systemCalls
    return sum
  }
}

struct LiveCounters: ~Copyable {
  let jobs = Counter()
  let turns = Counter()
  let polls = Counter()
  let sleeps = Counter()
  let events = Counter()
  let received = Counter()
  let wakes = Counter()
  let timersArmed = Counter()
  let timersFired = Counter()
  let timersCancelled = Counter()
  let systemCalls = Counter()

  var snapshot: Counters {
    var counters = Counters()
    counters.jobs = jobs.value
    counters.turns = turns.value
    counters.polls = polls.value
    counters.sleeps = sleeps.value
    counters.events = events.value
    counters.received = received.value
    counters.wakes = wakes.value
    counters.timersArmed = timersArmed.value
    counters.timersFired = timersFired.value
    counters.timersCancelled = timersCancelled.value
    counters.systemCalls = systemCalls.value
    return counters
  }
}

/// A figure with one writing thread.
struct Counter: ~Copyable {
  // Relaxed throughout: the figures order nothing, and with one writer a load and a store lose no count.
  private let word = Atomic<UInt64>(0)

  var value: UInt64 { word.load(ordering: .relaxed) }

  @inline(__always)
  func add(_ amount: Int = 1) {
    word.store(word.load(ordering: .relaxed) &+ UInt64(truncatingIfNeeded: amount), ordering: .relaxed)
  }
}
