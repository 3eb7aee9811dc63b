// What a trial's window lost to others. Read at its two edges and nowhere else, since what a probe costs within the
// window it takes from the model or the rig; the edges are the model's, as those of its CPU figures.

import CLinux
import Glibc
import ResultFormat

extension HostLoad {
  /// The accounts at one edge: the host's, and the trial's own processes'.
  struct Edge: Sendable, Hashable {
    var times: Times
    /// CPU time of the model, the rig and the harness.
    var ownNanoseconds: Int
    /// CPU time of each of the kernel's threads; empty where none can be seen.
    var kernelNanoseconds: [pid_t: Int]
    var monotonicNanoseconds: UInt64
    /// For how long the control groups have stopped their processes; nil without a quota.
    var throttledNanoseconds: Int?
    /// How often heat has slowed a processor down; nil where the host does not say.
    var thermalThrottles: Int?

    init(
      times: Times, ownNanoseconds: Int, kernelNanoseconds: [pid_t: Int] = [:], monotonicNanoseconds: UInt64,
      throttledNanoseconds: Int? = nil, thermalThrottles: Int? = nil
    ) {
      self.times = times
      self.ownNanoseconds = ownNanoseconds
      self.kernelNanoseconds = kernelNanoseconds
      self.monotonicNanoseconds = monotonicNanoseconds
      self.throttledNanoseconds = throttledNanoseconds
      self.thermalThrottles = thermalThrottles
    }

    /// Reads them now; nil where the kernel gives no account, or where a process is gone.
    /// - Parameter kernelThreads: as ``HostLoad/kernelThreads(_:)`` found them before the window.
    init?(
      of processes: [pid_t], kernelThreads: [pid_t] = [], quota: ProcessorQuota? = .own, heat: ThermalCounters = .own
    ) {
      guard let times = HostLoad.times() else { return nil }
      var own = Int(clinux_process_cpu_ns())
      for process in processes {
        guard let used = Probe(pid: process).processorNanoseconds() else { return nil }
        own += used
      }
      var kernel: [pid_t: Int] = [:]
      for thread in kernelThreads { kernel[thread] = Probe(pid: thread).processorNanoseconds() }
      self.init(
        times: times, ownNanoseconds: own, kernelNanoseconds: kernel, monotonicNanoseconds: clinux_monotonic_ns(),
        throttledNanoseconds: quota?.throttledNanoseconds(), thermalThrottles: heat.throttles())
    }

    /// Nil where no time lies between the two.
    /// - Parameters:
    ///   - isServed: interrupts carry the trial's own messages, and are others' only as far as they are not in the
    ///     CPU time of the trial's own processes.
    ///   - clocksHoldInterrupts: whether they are. Unknown, others are what remains without interrupts, which is less
    ///     than they used.
    func figures(
      since before: Edge, isServed: Bool, clocksHoldInterrupts: Bool? = HostLoad.clocksHoldInterrupts
    ) -> HostFigures? {
      guard monotonicNanoseconds > before.monotonicNanoseconds, let shares = times.shares(since: before.times) else {
        return nil
      }
      let length = Double(monotonicNanoseconds - before.monotonicNanoseconds)
      let own = Double(ownNanoseconds - before.ownNanoseconds) / length
      // One that came or went between the edges is among the others.
      let kernel = kernelNanoseconds.reduce(0) { sum, thread in
        sum + max(0, thread.value - (before.kernelNanoseconds[thread.key] ?? thread.value))
      }
      let kernelProcessors = Double(kernel) / length
      let used = shares.used + (isServed && clocksHoldInterrupts != true ? 0 : shares.interrupts)
      func growth(_ count: (Edge) -> Int?) -> Int? {
        guard let start = count(before), let end = count(self) else { return nil }
        return max(0, end - start)
      }
      return HostFigures(
        othersProcessors: max(0, used - own - kernelProcessors), stolenProcessors: shares.stolen,
        interruptProcessors: shares.interrupts, throttledNanoseconds: growth(\.throttledNanoseconds),
        kernelProcessors: kernelNanoseconds.isEmpty ? nil : kernelProcessors,
        thermalThrottles: growth(\.thermalThrottles))
    }
  }
}
