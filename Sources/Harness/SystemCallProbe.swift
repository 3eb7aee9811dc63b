// A process's system calls by number, counted by the kernel (a BPF program, see syscalls.c). Every call of the host is
// delayed meanwhile, so that this is done in rounds of their own only, and what it costs is measured.

import CLinux
import Glibc
import ResultFormat

/// Why a probe cannot be used, in a sentence.
struct ProbeRefusal: Error, Hashable {
  let reason: String
}

/// Counts one process's system calls by number, from now on and as long as the value lives.
final class SystemCallProbe: Sendable {
  private let map: Int32
  private let link: Int32

  init(_ process: pid_t) throws(ProbeRefusal) {
    var counter = clinux_call_counter()
    var step: UnsafePointer<CChar>?
    let error = clinux_count_calls(process, &counter, &step)
    guard error == 0 else {
      let action = step.map { String(cString: $0) } ?? "counting"
      let remedy =
        switch -error {
        case EPERM, EACCES: ": run as root, or with the capabilities CAP_BPF and CAP_PERFMON"
        case ENOSYS, EINVAL: ": this kernel is too old for it, or was built without it"
        default: ""
        }
      throw ProbeRefusal(reason: "\(action) failed (\(String(cString: strerror(-error))))\(remedy)")
    }
    (map, link) = (counter.map, counter.link)
  }

  deinit {
    var counter = clinux_call_counter(map: map, link: link)
    clinux_stop_counting_calls(&counter)
  }

  /// How often each number was called so far; nil where the kernel does not say.
  func read() -> [UInt64]? {
    var counter = clinux_call_counter(map: map, link: link)
    var counts = [UInt64](repeating: 0, count: Int(CLINUX_CALL_NUMBERS))
    return clinux_read_calls(&counter, &counts) == 0 ? counts : nil
  }

  /// `futex`, or `call 451`.
  static func name(of number: Int) -> String {
    clinux_call_name(Int32(number)).map { String(cString: $0) } ?? "call \(number)"
  }
}

extension SystemCallProbe {
  /// How much longer a system call takes under the probe, in nanoseconds of CPU time: in the process that is counted,
  /// and in any other.
  struct Cost: Hashable {
    var own: Double
    var elsewhere: Double
  }

  /// Measures it with a call that does next to nothing. The least of several readings, taken in turns: what else the
  /// host does can only add.
  static func cost(readings: Int = 7, calls: Int = 100_000) throws(ProbeRefusal) -> Cost {
    func reading() -> Double {
      let before = clinux_thread_cpu_ns()
      for _ in 0..<calls { _ = getppid() }
      return Double(clinux_thread_cpu_ns() - before) / Double(calls)
    }
    var (plain, own, elsewhere) = (Double.infinity, Double.infinity, Double.infinity)
    for _ in 0..<readings {
      plain = min(plain, reading())
      own = try min(own, probed(getpid(), reading))
      // Whose calls are counted does not matter, as long as they are not these.
      elsewhere = try min(elsewhere, probed(getpid() == 1 ? 2 : 1, reading))
    }
    return Cost(own: max(0, own - plain), elsewhere: max(0, elsewhere - plain))
  }

  private static func probed(_ process: pid_t, _ reading: () -> Double) throws(ProbeRefusal) -> Double {
    let probe = try SystemCallProbe(process)
    return withExtendedLifetime(probe) { reading() }
  }
}
