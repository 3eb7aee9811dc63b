// The scheduler: many units on few threads.
//
// A *unit* is a flow of control with a stack of its own. It runs until it waits, yields or ends; nothing preempts it.
// A *worker* owns queues of runnable units, timers and free stacks; a *carrier* is the thread that runs a worker.
//
// The life of a unit. `spawn` takes a stack, writes the first frame and the control block on its top page, and pushes
// the unit on the spawner's fresh queue; the spawner goes on. A unit that waits (parks) announces it in its park word,
// publishes a waiter node where its waker will look, and *leaves*: it picks the next unit itself and switches to it
// directly, without a detour through a scheduler context. Only when nothing is runnable does it switch to the worker's
// loop, which searches and sleeps. A unit that ends stores its result in its own block, wakes the unit that joins it,
// and leaves for good.
//
// Publish first, leave later. A waker may find a unit's node before the unit has left its stack, and queue it; a thief
// may even pick it. This is safe because whoever takes a unit to run it first waits until `onProcessor` is 0, and that
// word is cleared by the context that follows the unit (`arrive`), when its registers are saved. The wait is a few
// instructions long. It must not be made by a unit, which is itself still on its own processor: two such units could
// wait for each other. A unit that meets the case hands the other to its worker's loop, which has nothing to leave.
// The alternative, to hold the queue's lock over the switch, costs more and makes every waker wait for the switch.
//
// Parks end once. Event, timeout and cancellation all end a park by clearing one bit in the unit's park word; the
// winner makes the unit ready. Losers find the bit clear. A park may also end without cause (an event of the past,
// arriving late), so every wait is a loop around its condition.
//
// Where units wait to run: the slot (the unit woken last), the fresh ring (units that never ran, newest first), the
// ready ring (the rest, in turn), the injector (shared; overflow, and units from threads outside). `pick` looks in that
// order, and every 61st time (a prime, so as not to beat with a program's own rhythm; Go's choice too) at the timers,
// the poller and the injector first. The slot yields after 61 units in a row.
//
// Idle workers. A worker without work searches others' queues in random order, at most half of the workers at once:
// more would only fight over the same units. It then registers as a sleeper, looks at every queue again (a unit pushed
// before the registration is seen; the pusher of a later one sees the sleeper), and sleeps: one in epoll, the others
// in a futex, each no longer than to its next timer. Rousing costs microseconds, so a worker rouses another only for a
// surplus, when it has queued more than it will run next. What that policy would leave behind (one runnable unit behind
// a unit that computes for long) the monitor notices.
//
// One worker. Most of the locked instructions above only guard against other workers. With one worker they are left
// out, under the name `solo`; what threads without a worker touch (injector, idle state, `blockingWord`) keeps them.
//
// Everything that is not a unit stays outside: a thread reaches units only through the injector.

import CContextSwitch
import CLinux
import Glibc
import Synchronization

/// Runs units.
public enum Scheduler {
  /// What a run may choose. The defaults suit a server.
  public struct Configuration: Sendable {
    /// Threads that run units, 1...256.
    public var workers: Int
    /// Units alive at once, of both stack classes together at most twice this; `spawn` throws beyond.
    public var maximumUnits = 4_000_000
    /// Lets units hold an exclusive access (a `modify` of a class property, an `inout` argument) while they wait.
    /// Costs about 5 ns for each switch. Without it such a program crashes when a unit changes its worker.
    public var handsOverExclusiveAccesses = true
    /// A unit that runs for longer without waiting is reported once on standard error; nil: never.
    public var hogThreshold: Duration? = .milliseconds(10)
    /// With a seed: one worker, and the order of the run queue, yields inside the primitives, and the clock are all
    /// functions of the seed. Time is virtual: it stands still while anything runs and jumps to the next timer.
    public var seed: UInt64?

    public init(workers: Int) { self.workers = workers }

    /// A run that repeats exactly.
    public static func seeded(_ seed: UInt64) -> Configuration {
      var configuration = Configuration(workers: 1)
      configuration.seed = seed
      configuration.hogThreshold = nil
      return configuration
    }
  }

  /// Runs `body` as the root unit and returns what it returns, once every unit that it started has ended, all threads
  /// have been joined and all memory has been given back. The calling thread sleeps meanwhile.
  ///
  /// Throws what `body` throws, or a `SchedulerError`: `.deadlock` if all units waited for one another, after they were
  /// cancelled and had unwound.
  @discardableResult
  public static func run<T>(
    workers: Int = 1, _ configuration: Configuration? = nil, name: StaticString = "root", _ body: () throws -> T
  ) throws -> T {
    try runCounting(configuration ?? Configuration(workers: workers), name: name, body).result
  }

  /// The same, with the counters of each worker when everything has ended.
  public static func runCounting<T>(
    _ configuration: Configuration, name: StaticString = "root", _ body: () throws -> T
  ) throws -> (result: T, counters: [Counters]) {
    guard (1...256).contains(configuration.workers), configuration.seed == nil || configuration.workers == 1 else {
      throw SchedulerError.workers(configuration.workers)
    }
    precondition(Unit.currentOrNil() == nil, "Scheduler.run was called by a unit; spawn a unit instead")
    let core = try Core.make(configuration)
    defer { core.destroy() }
    return try withoutActuallyEscaping(body) { body in
      var outcome: Result<T, any Error>?
      try withUnsafeMutablePointer(to: &outcome) { outcome in
        // The caller sleeps until the root unit is done, so the two never run at once.
        nonisolated(unsafe) let outcome = outcome
        nonisolated(unsafe) let body = body
        try core.run(name: name) { outcome.pointee = Result { try body() } }
      }
      if let report = core.pointee.deadlockReport { throw SchedulerError.deadlock(report) }
      return (try outcome.unsafelyUnwrapped.get(), core.counters)
    }
  }

  /// The counters of all workers of the current scheduler, as of about now.
  public static var counters: [Counters] {
    Unit.current().pointee.worker.pointee.core.counters
  }

  /// The current scheduler's clock: monotonic, in nanoseconds; virtual in a seeded run.
  public static var nowNanoseconds: UInt64 { Unit.current().pointee.worker.pointee.core.now() }
}

/// What the scheduler itself can fail with.
public enum SchedulerError: Error, Equatable, CustomStringConvertible {
  case workers(Int)
  /// No address space or memory for stacks.
  case stackSpace(errno: Int32)
  /// As many units as `maximumUnits`, or as the address space holds stacks for.
  case unitsExhausted(limit: Int)
  case threads(errno: Int32)
  case poller(errno: Int32)
  case deadlock(String)
  /// `Scope.spawn` after the scope's end.
  case scopeEnded

  public var description: String {
    switch self {
    case .workers(let n): "workers is \(n); use 1...256, and 1 with a seed"
    case .stackSpace(let e): "no address space for stacks: \(Errno.describe(e)); raise the limit (ulimit -v)"
    case .unitsExhausted(let limit):
      "no stack for another unit (limit \(limit)); bound how many run at once, or raise maximumUnits or the memory limit"
    case .threads(let e):
      "cannot start a worker thread: \(Errno.describe(e)); use fewer workers, or raise the limit (ulimit -u, ulimit -v)"
    case .poller(let e): "cannot create the poller: \(Errno.describe(e)); raise the limit of open files (ulimit -n)"
    case .deadlock(let report): report
    case .scopeEnded: "a unit was spawned in a scope that has ended; spawn it before the scope's body returns"
    }
  }
}

enum Errno {
  static func describe(_ code: Int32) -> String { "\(String(cString: strerror(code))) (errno \(code))" }
}

enum Diagnostics {
  /// One line on standard error, in one write.
  static func warn(_ message: String) {
    var line = "green-threads: \(message)\n"
    line.withUTF8 { bytes in _ = clinux_write(2, bytes.baseAddress, bytes.count) }
  }
}
