// What the workers of one run share, and its beginning and end.

import CContextSwitch
import CLinux
import Glibc
import Synchronization

private let runs = Atomic<UInt64>(0)

@usableFromInline
struct Core: ~Copyable {
  /// Tells this run from all others of the process, past and present. Relaxed: nothing else travels with it.
  let run = runs.add(1, ordering: .relaxed).newValue
  let configuration: Scheduler.Configuration
  @usableFromInline let workerCount: Int
  @usableFromInline let workers: WorkerPointer
  let pools: UnsafeMutablePointer<StackPool>
  let injectorPointer: UnsafeMutablePointer<Injector>
  /// What the seeded order is drawn from.
  let bag: UnsafeMutablePointer<[UnitPointer]>
  let poller: Poller

  // Idle workers. `searching` and `sleeping` are sequentially consistent wherever a worker decides to sleep or a thread
  // outside decides not to rouse: each writes its own side and then reads the other's.
  let searching = Atomic<Int>(0)
  @usableFromInline let sleeping = Atomic<Int>(0)
  let idleLock = SpinLock()
  /// Guarded by `idleLock`.
  var sleepers: WorkerPointer?
  /// Held by the worker that waits in epoll.
  let pollerTaken = Atomic<Bool>(false)

  let stopping = Atomic<Bool>(false)
  let rootEnded = Atomic<Bool>(false)
  /// Units in `blocking` sections whose worker went on without them.
  let unitsAway = Atomic<Int>(0)
  /// Units that wait for a descriptor.
  let unitsInPoller = Atomic<Int>(0)
  /// The clock of a seeded run.
  var virtualNow: UInt64 = 0
  var deadlockReport: String?

  /// Guards what follows: which threads there are.
  let carrierLock = SpinLock()
  var carriers: CarrierPointer?
  var spareCarriers: CarrierPointer?
  var monitorThread: pthread_t?
  let monitorState = Atomic<UInt32>(MonitorState.looking)

  init(_ configuration: Scheduler.Configuration, poller: Poller) {
    self.configuration = configuration
    self.poller = poller
    workerCount = configuration.workers
    workers = UnsafeMutableRawPointer.allocate(
      byteCount: MemoryLayout<Worker>.stride * workerCount, alignment: 128
    ).bindMemory(to: Worker.self, capacity: workerCount)
    pools = .allocate(capacity: 2)
    for stackClass in StackClass.all {
      (pools + Int(stackClass.rawValue)).initialize(to: StackPool(stackClass, limit: configuration.maximumUnits))
    }
    injectorPointer = .allocate(capacity: 1)
    injectorPointer.initialize(to: Injector())
    bag = .allocate(capacity: 1)
    bag.initialize(to: [])
  }

  deinit {
    workers.deinitialize(count: workerCount)
    UnsafeMutableRawPointer(workers).deallocate()
    pools.deinitialize(count: 2)
    pools.deallocate()
    injectorPointer.deinitialize(count: 1)
    injectorPointer.deallocate()
    bag.deinitialize(count: 1)
    bag.deallocate()
  }

  static func make(_ configuration: Scheduler.Configuration) throws(SchedulerError) -> CorePointer {
    precondition(MemoryLayout<Unit>.size <= Unit.footprint, "the control block has outgrown its place")
    try StackRegion.reserve()
    let poller = try Poller.make()
    let core = CorePointer.allocate(capacity: 1)
    core.initialize(to: Core(configuration, poller: poller))
    let now = configuration.seed == nil ? clinux_monotonic_ns() : 0
    for index in 0..<configuration.workers {
      let carrier = core.makeCarrier()
      let worker = core.pointee.workers + index
      worker.initialize(
        to: Worker(core: core, index: index, carrier: carrier, configuration: configuration, now: now))
      carrier.pointee.worker = worker
    }
    StackRegion.state.withLock { _ in gt_fault_handler_retain() }
    return core
  }
}

extension UnsafeMutablePointer where Pointee == Core {
  @inlinable @inline(__always)
  func now() -> UInt64 { virtualOrMonotonic() }

  @usableFromInline
  func virtualOrMonotonic() -> UInt64 {
    pointee.configuration.seed == nil ? clinux_monotonic_ns() : pointee.virtualNow
  }

  func pool(_ stackClass: StackClass) -> UnsafeMutablePointer<StackPool> {
    pointee.pools + Int(stackClass.rawValue)
  }

  func makeCarrier() -> CarrierPointer {
    let carrier = CarrierPointer.allocate(capacity: 1)
    carrier.initialize(to: Carrier(core: self))
    pointee.carrierLock.lock()
    carrier.pointee.nextCarrier = pointee.carriers
    pointee.carriers = carrier
    pointee.carrierLock.unlock()
    return carrier
  }

  /// Starts the threads and the root unit, and returns when all of it has ended.
  func run(name: StaticString, _ body: @escaping () -> Void) throws {
    let worker = pointee.workers
    let unit = try worker.makeUnit(.small)
    unit.setName(name)
    unit.setBody {
      body()
      unit.pointee.worker.pointee.core.pointee.rootEnded.store(true, ordering: .sequentiallyConsistent)
    }
    unit.pointee.joinWord.store(JoinWord.detached, ordering: .relaxed)

    // All or none: with fewer threads than workers the run would never see that all of them are idle. So the root comes
    // last, once nothing can fail any more; with one worker just before its thread, which then need not be roused.
    // Until it is queued it counts as away: workers that have begun to sleep must not take it for a deadlock.
    worker.pointee.counters.unitsStarted.add()
    pointee.unitsAway.add(1, ordering: .sequentiallyConsistent)
    var failure: Int32 = 0
    if pointee.configuration.seed == nil { failure = startMonitor() }
    if failure == 0, pointee.workerCount == 1 { queue(root: unit) }
    for index in 0..<pointee.workerCount where failure == 0 {
      failure = (worker + index).pointee.carrier.startThread()
    }
    if failure != 0 {
      if pointee.workerCount == 1 { _ = pointee.injectorPointer.take(1, rest: { _ in }) }
      unit.dropBody()
      stop()
      joinThreads()
      throw SchedulerError.threads(errno: failure)
    }
    if pointee.workerCount > 1 {
      queue(root: unit)
      wakeForInjected()
    }
    joinThreads()
  }

  private func queue(root unit: UnitPointer) {
    pointee.injectorPointer.push(unit)
    endAbsence()
  }

  private func joinThreads() {
    // First the monitor, which looks at the others' clocks.
    if let monitor = pointee.monitorThread { pthread_join(monitor, nil) }
    // Every carrier ends when `stopping` is set; the list only grows while they run, so go on until it stands still.
    var joined = 0
    while true {
      var pending: [CarrierPointer] = []
      pointee.carrierLock.lock()
      var rover = pointee.carriers
      while let carrier = rover {
        if carrier.pointee.thread != nil { pending.append(carrier) }
        rover = carrier.pointee.nextCarrier
      }
      pointee.carrierLock.unlock()
      if pending.count == joined { break }
      joined = pending.count
      for carrier in pending where !carrier.pointee.isJoined {
        pthread_join(carrier.pointee.thread.unsafelyUnwrapped, nil)
        carrier.pointee.isJoined = true
      }
    }
  }

  func destroy() {
    var rover = pointee.carriers
    while let carrier = rover {
      rover = carrier.pointee.nextCarrier
      carrier.deinitialize(count: 1)
      carrier.deallocate()
    }
    deinitialize(count: 1)
    deallocate()
    StackRegion.state.withLock { _ in gt_fault_handler_release() }
  }

  /// Called once by each thing that makes the run end.
  func stop() {
    pointee.stopping.store(true, ordering: .sequentiallyConsistent)
    pointee.idleLock.lock()
    var rover = pointee.sleepers
    pointee.sleepers = nil
    while let worker = rover {
      rover = worker.pointee.nextSleeper
      pointee.sleeping.subtract(1, ordering: .sequentiallyConsistent)
      worker.rouse()
    }
    pointee.idleLock.unlock()
    wakeSpares()
    wakeMonitor()
  }

  /// Units started and not yet ended. Exact when nothing runs; otherwise never 0 while any is alive, because the ended
  /// are counted first.
  var liveUnits: UInt64 {
    var finished: UInt64 = 0
    var started: UInt64 = 0
    for i in 0..<pointee.workerCount {
      finished &+= (pointee.workers + i).pointee.counters.unitsFinished.load()
    }
    for i in 0..<pointee.workerCount {
      started &+= (pointee.workers + i).pointee.counters.unitsStarted.load()
    }
    return started &- finished
  }

  var counters: [Counters] {
    (0..<pointee.workerCount).map { (pointee.workers + $0).pointee.counters.snapshot }
  }

  func forEachLiveUnit(_ visit: (UnitPointer) -> Void) {
    for stackClass in StackClass.all {
      pool(stackClass).visitAll { unit in if unit.pointee.live { visit(unit) } }
    }
  }
}
