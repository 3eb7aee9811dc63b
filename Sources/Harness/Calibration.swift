// How fast this host does the CPU work. Calibrated once per run, by the harness and not by a model, so that a
// microsecond of work is the same number of iterations for all of them.

import CLinux
import Synchronization
import Workloads

public enum Calibration {
  /// Where the results go, so that the work cannot be left out.
  private static let sink = Atomic<UInt64>(0)

  /// Iterations of ``CPUWork`` that take a millisecond on the processor that the caller runs on: the median of several
  /// readings of the thread's own CPU time, which leaves out what others take of the processor meanwhile.
  /// - Parameters:
  ///   - readings: an odd number.
  ///   - milliseconds: how long each takes, about.
  public static func iterationsPerMillisecond(readings: Int = 9, milliseconds: Double = 20) -> Int {
    // The way up also wakes the processor from whatever it saves power by.
    var iterations = 1_000
    while nanoseconds(iterations) < milliseconds * 1e6 / 2 { iterations *= 2 }
    let speeds = (0..<readings).map { _ in Double(iterations) * 1e6 / nanoseconds(iterations) }
    return max(1, Int(speeds.sorted()[readings / 2].rounded()))
  }

  private static func nanoseconds(_ iterations: Int) -> Double {
    let before = clinux_thread_cpu_ns()
    // Relaxed: nobody reads it, and nothing else hangs on it.
    sink.store(CPUWork.burn(seed: before, iterations: iterations), ordering: .relaxed)
    return Double(max(1, clinux_thread_cpu_ns() - before))
  }
}
