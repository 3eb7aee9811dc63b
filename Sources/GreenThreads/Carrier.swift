// A thread that carries a worker: its loop, and its life as a spare.

import CContextSwitch
import CLinux
import Glibc
import Synchronization

@usableFromInline
struct Carrier: ~Copyable {
  /// First: `contextPointer`.
  @usableFromInline var context = gt_context()
  let core: CorePointer
  /// What this thread carries; nil for a spare. Set by the thread itself, or by the monitor while it is a spare.
  var worker: WorkerPointer?
  /// The unit that came back from a `blocking` section to find its worker gone: it left its stack for this thread's
  /// loop, which passes it on.
  var returned: UnitPointer?
  /// The futex of a spare: 1 when it has got a worker, or should end.
  let assigned = Atomic<UInt32>(0)
  var nextSpare: CarrierPointer?
  var nextCarrier: CarrierPointer?
  var thread: pthread_t?
  var isJoined = false
  var startsAsSpare = false

  init(core: CorePointer) { self.core = core }
}

extension UnsafeMutablePointer where Pointee == Carrier {
  @usableFromInline
  var contextPointer: UnsafeMutablePointer<gt_context> {
    UnsafeMutableRawPointer(self).assumingMemoryBound(to: gt_context.self)
  }

  /// 0, or what pthread_create failed with.
  func startThread() -> Int32 {
    var thread = pthread_t()
    let error = pthread_create(
      &thread, nil,
      { argument in
        argument.unsafelyUnwrapped.assumingMemoryBound(to: Carrier.self).main()
        return nil
      }, self)
    // Only ever read by the thread that waits for the run's end, which is where it was written, or by a holder of the
    // carrier lock.
    if error == 0 {
      pointee.core.pointee.carrierLock.lock()
      pointee.thread = thread
      pointee.core.pointee.carrierLock.unlock()
    }
    return error
  }

  /// CPU time used by this thread, in nanoseconds. For the monitor.
  var processorTime: UInt64? {
    pointee.core.pointee.carrierLock.lock()
    let thread = pointee.thread
    pointee.core.pointee.carrierLock.unlock()
    var clock = clockid_t()
    var time = timespec()
    guard let thread, pthread_getcpuclockid(thread, &clock) == 0, clock_gettime(clock, &time) == 0 else { return nil }
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  func main() {
    clinux_set_timer_slack(1)
    // A write to a closed pipe is an error to handle, not the end of the process.
    var broken = sigset_t()
    sigemptyset(&broken)
    sigaddset(&broken, SIGPIPE)
    pthread_sigmask(SIG_BLOCK, &broken, nil)
    let faultStack = gt_fault_stack_enter()
    gt_context_adopt_thread(contextPointer)
    if pointee.startsAsSpare { waitForAssignment() }
    loop()
    gt_fault_stack_leave(faultStack)
  }

  private func loop() {
    while true {
      guard let worker = pointee.worker else {
        guard waitAsSpare() else { return }
        continue
      }
      guard let unit = worker.nextUnit() else { return }
      worker.enter(unit)
      if let unit = pointee.returned {
        // This thread lost its worker while the unit was away; the unit is now off its stack.
        pointee.returned = nil
        pointee.worker = nil
        unit.pointee.onProcessor.store(0, ordering: .releasing)
        pointee.core.pointee.injectorPointer.push(unit)
        pointee.core.wakeForInjected()
        pointee.core.endAbsence()
      } else {
        worker.arrive()
        worker.pointee.departed = 0
      }
    }
  }

  /// False when the run has ended.
  private func waitAsSpare() -> Bool {
    let core = pointee.core
    pointee.assigned.store(0, ordering: .relaxed)
    core.pointee.carrierLock.lock()
    if core.pointee.stopping.load(ordering: .sequentiallyConsistent) {
      core.pointee.carrierLock.unlock()
      return false
    }
    pointee.nextSpare = core.pointee.spareCarriers
    core.pointee.spareCarriers = self
    core.pointee.carrierLock.unlock()
    waitForAssignment()
    return true
  }

  private func waitForAssignment() {
    // Acquire: sees the worker that was stored before the release, if any was.
    while pointee.assigned.load(ordering: .acquiring) == 0 {
      _ = clinux_futex_wait(assignedWord, 0, -1)
    }
  }

  func assign(_ worker: WorkerPointer?) {
    pointee.worker = worker
    pointee.assigned.store(1, ordering: .releasing)
    _ = clinux_futex_wake(assignedWord, 1)
  }

  private var assignedWord: UnsafePointer<UInt32> { pointee.assigned.futexWord }
}

extension UnsafeMutablePointer where Pointee == Core {
  /// Gives `worker` to a spare thread, or to a new one. False: there is none, and the worker stays where it is.
  /// `commit` takes the worker from its thread; it is called when another one is certain, and may refuse.
  func carry(_ worker: WorkerPointer, commit: () -> Bool) -> Bool {
    pointee.carrierLock.lock()
    let spare = pointee.spareCarriers
    if let spare { pointee.spareCarriers = spare.pointee.nextSpare }
    pointee.carrierLock.unlock()
    guard let carrier = spare ?? startSpare() else { return false }
    guard commit() else {
      // It finds that it carries nothing, and queues up again.
      carrier.assign(nil)
      return false
    }
    worker.pointee.carrier = carrier
    carrier.assign(worker)
    return true
  }

  private func startSpare() -> CarrierPointer? {
    let carrier = makeCarrier()
    carrier.pointee.startsAsSpare = true
    return carrier.startThread() == 0 ? carrier : nil
  }

  func wakeSpares() {
    pointee.carrierLock.lock()
    var rover = pointee.spareCarriers
    pointee.spareCarriers = nil
    while let carrier = rover {
      rover = carrier.pointee.nextSpare
      carrier.assign(nil)
    }
    pointee.carrierLock.unlock()
  }
}

extension Atomic where Value == UInt32 {
  /// The address of the atomic's own storage, for the futex call.
  var futexWord: UnsafePointer<UInt32> {
    withUnsafePointer(to: self) { UnsafeRawPointer($0).assumingMemoryBound(to: UInt32.self) }
  }
}
