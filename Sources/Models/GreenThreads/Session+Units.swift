// A trial on units; and an in-process trial's conversation, held by the root unit.
//
// That one sleeps to the window's edges in `blocking { poll(2) }`, and not as a unit that waits for the input as a
// descriptor: a registered descriptor makes every worker look at the poller again and again (a system call for each 61
// units that it runs), which would be measured with a workload that has no descriptors. The worker goes on without the
// thread that sleeps.

import CLinux
import Glibc
import GreenThreads
import ModelKit
import Workloads

extension Session {
  /// Memory that a case is admitted with for each unit: a page of its stack, its page tables, a second page for every
  /// other unit, since a unit that leaves may look at the timers and the poller first, on its own stack.
  static let bytesPerUnit = 6_400

  /// Runs `body` as the root unit of a scheduler, by default with the request's workers. What the scheduler lacks ends
  /// the trial as the protocol has it.
  func onUnits(_ configuration: Scheduler.Configuration? = nil, _ body: () throws -> Void) throws {
    // The root unit looks at the input, where it may not wait in the kernel.
    _ = clinux_set_nonblocking(inputDescriptor, 1)
    do {
      try Scheduler.run(workers: request.workers, configuration, body)
    } catch let error as SchedulerError {
      if case .deadlock = error { throw ModelFailure(.failed, error.description) }
      throw ModelFailure(.limit, error.description)
    } catch let error as IOError {
      throw ModelFailure(error.isResourceLimit ? .limit : .failed, error.description)
    }
  }

  /// Sleeps to the window's edges, reports them, and returns when the harness wants the model to drain: because the
  /// window is over, or earlier, in which case the rest of the window is left out.
  /// - Parameter operations: completed so far; read right beside the clock.
  /// - Returns: operations between the edges.
  func conduct(_ window: Window, operations: () -> Int, ledger: () -> Ledger) throws -> Int {
    guard try isQuiet(until: window.opens) else { return 0 }
    let atOpen = operations()
    try report(.open, ledger: ledger())
    guard try isQuiet(until: window.closes) else { return 0 }
    let atClose = operations()
    try report(.close, ledger: ledger())
    try awaitDrain()
    return atClose - atOpen
  }

  /// Waits until the harness wants the model to drain, or has gone.
  func awaitDrain() throws { _ = try isQuiet(until: .max) }

  /// Sleeps until that moment of the monotonic clock. False: the harness wants the model to drain, or has gone.
  func isQuiet(until moment: UInt64) throws -> Bool {
    let descriptor = inputDescriptor
    while true {
      switch try receive().first {
      case .drain, .end: return false
      case .begin, .edge: throw ModelFailure(.failed, "the command 'begin' came twice")
      case nil: break
      }
      let now = monotonicNanoseconds()
      if now >= moment { return true }
      let patience = Int64(clamping: min(moment - now, 3_600_000_000_000))
      let result = blocking { clinux_wait_readable(descriptor, patience) }
      if result < 0 && result != -EINTR {
        throw ModelFailure(.failed, "waiting for standard input failed: errno \(-result)")
      }
    }
  }

  /// Prints the result, with what the scheduler has counted. All units but the root have been joined.
  func finish(_ ledger: Ledger, _ result: InProcessResult) throws {
    try finish(
      ledger: ledger, counters: Ledger(green: Scheduler.counters.reduce(Counters(), +)), result: result)
  }
}
