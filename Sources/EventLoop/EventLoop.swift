// One event loop: one thread, one queue of jobs, one wheel of timers, one poller.
//
// async/await needs somebody who runs its jobs. By default that is Dispatch: a pool of threads, a lock-free queue, a
// wake-up of some thread for nearly every job, and timers that each become a Dispatch source. This loop is the other
// answer, that of NIO, libuv, nginx and Seastar: every processor gets one thread which runs what is local to it, and
// hears from the others only through its inbox. `EventLoops.run` installs the loops as the *process's* executors, so
// that plain `Task { }`, `async let`, actors, `Task.sleep` and `@MainActor` all land here and no Dispatch thread is
// ever started. (A task-executor *preference* for the loop would not do: `Task { }` does not inherit it.)
//
// A turn of the loop is: take the inbox if it holds anything; fire due timers; run up to 64 jobs; then ask the poller,
// asleep if there is nothing left to run, without sleeping otherwise. 64 jobs are some 10 microseconds of switches, so
// one look at the kernel (300 ns) and at the clock (20 ns) costs each job 3 to 5 ns, while a socket waits little. A
// loop that watches no descriptor skips the look: what comes from other threads shows in the inbox's word. A turn ends
// early when the queue is empty, which in a server it is after each batch of events: then polls batch naturally.
//
// WHERE A TASK RUNS. A job goes to the loop on whose thread it became ready: the child where its parent runs, the
// resumed where the resumer runs. A job from a foreign thread goes to the loops in turn. The primitives of this library
// (streams, timers, channels, semaphores, the blocking threads) resume a task on the loop where it *waited*, so tasks
// stay where they are, and caches with them; `EventLoop.enter` moves one on purpose. There is no stealing: it puts
// a contended word into every enqueue, it makes each wake-up a question of whom to wake, and for served work, spread at
// accept, it moves connections away from their caches. Work that is unequal must be spread by its author (`spawn`).
//
// INVARIANTS
// 1. `LocalState` is touched by the loop's own thread only: before the thread starts, by its creator; after it has
//    been joined, by its destroyer. Hence plain memory.
// 2. A job or mail reaches another loop through its inbox only, and the inbox publishes what it carries (Inbox.swift).
// 3. The loop sleeps only with its inbox word at `asleep`, set after the last look at it, and one wake-up is sent by
//    the post that replaces it. So no post waits for a sleeping loop, and none costs more than one system call.
// 4. The poller's deliveries only make jobs ready. No task runs inside them, so no descriptor's registration can be
//    freed while events for it are being delivered. Timers' firings make jobs ready or call back; a callback may do
//    anything to any timer, since those that are due stay linked until their turn (TimingWheel.swift).
// 5. A job runs under the identity that it was enqueued for (`JobOwner`).
import CLinux
import Synchronization
@_spi(ExperimentalCustomExecutors) import _Concurrency

/// One loop of the running set: where tasks wait and run. Get the current one from `EventLoop.current`.
///
/// Unchecked: `local` is confined to the loop's thread (invariant 1); all else is constant or atomic.
public final class EventLoop: @unchecked Sendable {
  /// Jobs run between two looks at the poller.
  static let jobsPerTurn = 64
  /// To sleep and be woken costs several microseconds, and more under the kernel's timer slack: a timer that is due
  /// sooner is waited for awake, with the poller asked in between.
  private static let worthSleeping: UInt64 = 5_000
  /// Turns that a stopped loop goes on for while it finds jobs, so that tasks which are ready can end.
  private static let turnsOfGrace = 256

  /// Its position among the running loops, from 0. Loop 0 is the main thread and the main actor.
  public let index: Int

  let inbox = Inbox()
  let poller: EpollPoller
  let live = LiveCounters()
  let local: UnsafeMutablePointer<LocalState>
  /// Posted once, to stop the loop.
  private let stopMail: UnsafeMutablePointer<Mail>

  /// With a seed the loop runs each turn's jobs in a random order that the seed fixes.
  init(index: Int, seed: UInt64?) throws(LoopError) {
    poller = try EpollPoller()
    stopMail = .allocate(capacity: 1)
    stopMail.initialize(to: Mail { _ in LocalState.current?.pointee.isStopping = true })
    self.index = index
    local = .allocate(capacity: 1)
    local.initialize(to: LocalState(seed: seed))
    local.pointee.loop = self
  }

  deinit {
    // Jobs are dropped, as at the end of a process. Mails are called: they may own memory. They expect to be on their
    // loop, which here is nobody's thread any more.
    let slot = clinux_loop_slot()
    adopt()
    inbox.takeAll { if case .mail(let mail) = $0 { call(mail) } }
    clinux_set_loop_slot(slot)
    local.pointee.timers.removeAll()
    local.pointee.waiters.removeAll()
    local.deinitialize(count: 1)
    local.deallocate()
    stopMail.deallocate()
  }

  /// The loop that runs on the calling thread; nil on a thread that is none.
  public static var current: EventLoop? { LocalState.current?.pointee.loop }

  /// What this loop has counted so far. Any thread.
  public var counters: Counters { live.snapshot }

  /// Timers armed and neither fired nor cancelled. On this loop only.
  public var pendingTimers: Int {
    precondition(isCurrent, "pendingTimers is read on its own loop")
    return local.pointee.wheel.count
  }

  var isCurrent: Bool { LocalState.current == local }

  // MARK: Handing over

  /// Any thread: makes a job ready on this loop.
  func post(job: JobAddress) {
    if inbox.post(job: job) { wake() }
  }

  /// Any thread: has `mail` called on this loop's thread. It must stay allocated until then.
  func post(mail: UnsafeMutableRawPointer) {
    if inbox.post(mail: mail) { wake() }
  }

  /// Any thread, once: the loop ends after the job that it runs.
  func stop() { post(mail: stopMail) }

  /// Any thread: calls `body` on this loop's thread, in the order of posting. For rare errands: it allocates.
  func execute(_ body: @escaping @Sendable () -> Void) {
    final class Errand: Sendable {
      let body: @Sendable () -> Void
      init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    let mail = UnsafeMutablePointer<Mail>.allocate(capacity: 1)
    mail.initialize(
      to: Mail(context: Unmanaged.passRetained(Errand(body)).toOpaque()) { address in
        let mail = address.assumingMemoryBound(to: Mail.self)
        if let errand = mail.pointee.context { Unmanaged<Errand>.fromOpaque(errand).takeRetainedValue().body() }
        mail.deallocate()
      })
    post(mail: mail)
  }

  private func wake() {
    if let mine = LocalState.current?.pointee.loop {
      mine.live.wakes.add()
      mine.live.systemCalls.add()
    }
    poller.wake()
  }

  // MARK: The loop

  /// Makes the calling thread this loop's, until `leave`.
  func adopt() { clinux_set_loop_slot(local) }

  /// Lets go of all timers: one that calls back holds its loop.
  func leave() {
    local.pointee.wheel.removeAll { TimerNode.abandon($0) }
    clinux_set_loop_slot(nil)
  }

  /// Runs until told to stop. On the thread that adopted the loop.
  func run() {
    while !local.pointee.isStopping { turn(maySleep: true) }
    var turns = 0
    while turns < Self.turnsOfGrace, !local.pointee.ready.isEmpty || inbox.mayHaveEntries {
      turn(maySleep: false)
      turns += 1
    }
  }

  private func turn(maySleep: Bool) {
    live.turns.add()
    if inbox.mayHaveEntries { collect() }
    if local.pointee.wheel.count > 0 { expireTimers() }
    if local.pointee.shuffler != nil { shuffle() }

    var jobs = 0
    while jobs < Self.jobsPerTurn, let job = local.pointee.ready.popFirst() {
      local.pointee.operations = 0
      switch job.owner {
      case .global: unsafeBitCast(job, to: UnownedJob.self).runSynchronously(on: LoopExecutors.globalIdentity)
      case .mainActor: unsafeBitCast(job, to: UnownedJob.self).runSynchronously(on: LoopExecutors.mainIdentity)
      }
      jobs += 1
      if local.pointee.leaving != nil { sendOff() }
    }
    live.jobs.add(jobs)

    if !local.pointee.ready.isEmpty {
      if poller.watchesDescriptors { poll(timeoutNanoseconds: 0) }
    } else if maySleep, !local.pointee.isStopping {
      sleep()
    }
  }

  private func sleep() {
    var timeout: Int64 = -1
    if let deadline = local.pointee.wheel.nextDeadline() {
      let now = clinux_monotonic_ns()
      timeout = deadline > now + Self.worthSleeping ? Int64(clamping: deadline - now) : 0
    }
    if timeout != 0 {
      guard inbox.fallAsleep() else { return }
      live.sleeps.add()
    }
    poll(timeoutNanoseconds: timeout)
    // Awake again, whatever ended the sleep: posts from here on owe no wake-up.
    if timeout != 0 { collect() }
  }

  private func poll(timeoutNanoseconds: Int64) {
    let events = poller.wait(timeoutNanoseconds: timeoutNanoseconds) { token, events in
      guard let address = UnsafeRawPointer(bitPattern: UInt(token)) else { return }
      Unmanaged<Registration>.fromOpaque(address)._withUnsafeGuaranteedRef { $0.deliver(events) }
    }
    live.polls.add()
    live.systemCalls.add()
    live.events.add(events)
  }

  private func collect() {
    var received = 0
    inbox.takeAll { entry in
      received += 1
      switch entry {
      case .job(let job): local.pointee.ready.append(job)
      case .mail(let mail): call(mail)
      }
    }
    live.received.add(received)
  }

  private func call(_ mail: UnsafeMutableRawPointer) {
    mail.assumingMemoryBound(to: Mail.self).pointee.run(mail)
  }

  private func expireTimers() {
    var fired = 0
    local.pointee.wheel.expire(nanoseconds: clinux_monotonic_ns())
    while let timer = local.pointee.wheel.popDue() {
      fired += 1
      TimerNode.fire(timer)
    }
    live.timersFired.add(fired)
  }

  /// The job has suspended: what it has asked to resume on another loop may go.
  private func sendOff() {
    while let waiter = local.pointee.leaving {
      local.pointee.leaving = waiter.pointee.next
      Waiter.resume(waiter)
    }
  }

  private func shuffle() {
    guard var generator = local.pointee.shuffler else { return }
    local.pointee.ready.shuffle(with: &generator)
    local.pointee.shuffler = generator
  }
}

/// What only the loop's own thread touches; its address is in the thread's slot.
struct LocalState: ~Copyable {
  /// Stream operations that one job may complete without waiting before it must let others run.
  static let operationsPerJob = 128

  unowned(unsafe) var loop: EventLoop?
  var ready = JobQueue()
  var wheel = TimingWheel(nanoseconds: clinux_monotonic_ns())
  var timers = NodePool<TimerNode>()
  var waiters = NodePool<Waiter>()
  var operations = 0
  /// Tasks that go to another loop once the running job has suspended.
  var leaving: Waiter.Pointer?
  var isStopping = false
  var layoutIsChecked = false
  var shuffler: SplitMix64?

  init(seed: UInt64?) {
    shuffler = seed.map(SplitMix64.init(seed:))
  }

  /// That of the calling thread; nil where no loop runs.
  @inline(__always)
  static var current: UnsafeMutablePointer<LocalState>? {
    clinux_loop_slot()?.assumingMemoryBound(to: LocalState.self)
  }
}
