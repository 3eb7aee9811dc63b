// The loops as Swift's executors. The runtime knows two for the process: the main actor's, and the global one for
// everything that names no executor. Both are installed once, by `_createExecutors`, before the first task exists; from
// then on they hand each job to the loops that run at that time.
//
// This is SPI of Swift 6.2 and later (the pitch "Custom Main and Global Executors"). The global executor must also
// conform to `SchedulingExecutor`, or `Task.sleep` traps; then all clocks of the standard library use the loop's wheel.
import CLinux
import Glibc
@_spi(ExperimentalCustomExecutors) @_spi(ExperimentalScheduling) import _Concurrency

enum LoopExecutors: ExecutorFactory {
  private static let global = GlobalExecutor()
  private static let main = MainActorExecutor()

  static var mainExecutor: any MainExecutor { main }
  static var defaultExecutor: any TaskExecutor { global }

  /// The identity of jobs that name no executor: a pair of null words, which the runtime calls "generic". Under it a
  /// job may go over into an actor, and back, without being enqueued.
  static let globalIdentity = unsafeBitCast((0, 0) as (UInt, UInt), to: UnownedSerialExecutor.self)
  static let mainIdentity = main.asUnownedSerialExecutor()

  /// Once in the process, before anything has used a task.
  static let install: Void = {
    Mail.checkLayout()
    TimerNode.checkLayout()
    _createExecutors(factory: LoopExecutors.self)
    installShortcut()
  }()

  /// The runtime offers every job for the global executor to a hook before it looks for the executor itself
  /// (`swift_task_enqueueGlobal_hook` in its Concurrency.h, exported since Swift 5.5). Taking jobs there leaves out two
  /// dynamic look-ups and a box for each: 9 % of the instructions of a switch, 5 % of a task's. Without the hook all works
  /// as well. It uses Swift's calling convention, which for two pointers and no result is C's.
  private static func installShortcut() {
    typealias Hook = @convention(c) (_ job: JobAddress, _ original: UnsafeRawPointer) -> Void
    guard let hook = dlsym(nil, "swift_task_enqueueGlobal_hook") else { return }
    let enqueue: Hook = { address, _ in
      guard let local = LocalState.current, local.pointee.layoutIsChecked else {
        return Placement.enqueue(ExecutorJob(unsafeBitCast(address, to: UnownedJob.self)), owner: .global)
      }
      address.owner = .global
      local.pointee.ready.append(address)
    }
    hook.storeBytes(of: enqueue, as: Hook.self)
  }
}

/// Runs what names no executor: on the loop of the thread that enqueues, or on the loops in turn.
final class GlobalExecutor: TaskExecutor, SchedulingExecutor {
  func enqueue(_ job: consuming ExecutorJob) {
    Placement.enqueue(job, owner: .global)
  }

  func enqueue<C: Clock>(_ job: consuming ExecutorJob, after delay: C.Duration, tolerance: C.Duration?, clock: C) {
    TimerNode.arm(job: Placement.address(of: job, owner: .global), after: nanoseconds(delay))
  }

  func enqueue<C: Clock>(_ job: consuming ExecutorJob, at instant: C.Instant, tolerance: C.Duration?, clock: C) {
    let delay = nanoseconds(clock.now.duration(to: instant))
    TimerNode.arm(job: Placement.address(of: job, owner: .global), after: delay)
  }

  private func nanoseconds<D: DurationProtocol>(_ duration: D) -> UInt64 {
    guard let duration = duration as? Duration else {
      preconditionFailure("a clock that sleeps on the event loop measures time in Swift.Duration, not in \(D.self)")
    }
    return duration.clampedNanoseconds
  }
}

/// Runs the main actor's jobs on loop 0, which is the main thread.
final class MainActorExecutor: MainExecutor {
  func enqueue(_ job: consuming ExecutorJob) {
    Placement.enqueue(job, owner: .mainActor)
  }

  var isMainExecutor: Bool { true }

  func checkIsolated() {
    precondition(EventLoop.current?.index == 0, "expected to be on the main actor, which is event loop 0")
  }

  func isIsolatingCurrentContext() -> Bool? { EventLoop.current?.index == 0 }

  /// Called by the runtime of an asynchronous main only, which comes too late to install executors.
  func run() throws { preconditionFailure("start event loops with EventLoops.run from a synchronous main") }

  func stop() { EventLoops.current?.stop() }
}

/// Which loop gets a job.
enum Placement {
  @inline(__always)
  static func enqueue(_ job: consuming ExecutorJob, owner: JobOwner) {
    let address = address(of: job, owner: owner)
    if let local = LocalState.current, owner == .global || local.pointee.loop?.index == 0 {
      local.pointee.ready.append(address)
    } else {
      fromOutside(address)
    }
  }

  @inline(__always)
  static func address(of job: consuming ExecutorJob, owner: JobOwner) -> JobAddress {
    let unowned = UnownedJob(job)
    let address = unsafeBitCast(unowned, to: JobAddress.self)
    if let local = LocalState.current, !local.pointee.layoutIsChecked {
      local.pointee.layoutIsChecked = true
      JobLayout.check(ExecutorJob(unowned), at: address)
    }
    address.owner = owner
    return address
  }

  /// From another thread, or for the main actor from another loop. With no loops running the job is dropped: the
  /// program's main function has returned, and a thread of somebody else's still resumes tasks.
  @inline(never)
  static func fromOutside(_ address: JobAddress) {
    guard let set = EventLoops.current else { return }
    (address.owner == .mainActor ? set.loops[0] : set.next()).post(job: address)
  }
}
