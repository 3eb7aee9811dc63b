// Instructions and cycles of a process, by the processor's own counters (perf_event_open(2)). Most virtual machines have
// none, and say so.

import CLinux
import Glibc

/// Counts one event in all threads of a process and in those that they start from now on, as long as the value lives.
final class EventProbe: Sendable {
  /// Whether what the kernel does for the process is left out, for want of the right to see it.
  let excludesKernel: Bool
  private let events: [Int32]

  /// - Parameters:
  ///   - process: one that has not begun its work: a thread that is started while its own are looked for may be missed.
  ///   - type: as in perf_event_open(2), with its `config`.
  init(_ process: pid_t, type: UInt32, config: UInt64) throws(ProbeRefusal) {
    let threads = (entries(of: "/proc/\(process)/task") ?? []).compactMap { pid_t($0) }
    var excludesKernel = false
    var (events, error) = Self.open(threads, type, config, excludesKernel: false)
    if error == EACCES || error == EPERM {
      excludesKernel = true
      (events, error) = Self.open(threads, type, config, excludesKernel: true)
    }
    switch error {
    case 0: break
    case ENOENT, EOPNOTSUPP, ENODEV:
      throw ProbeRefusal(reason: "the processor has no such counter here, as in most virtual machines")
    case EACCES, EPERM:
      throw ProbeRefusal(reason: "not permitted: set kernel.perf_event_paranoid to 2 or less, or run as root")
    default: throw ProbeRefusal(reason: "perf_event_open failed (\(String(cString: strerror(error))))")
    }
    self.events = events
    self.excludesKernel = excludesKernel
  }

  deinit { for event in events { clinux_close(event) } }

  /// One for each thread, or none and the error. A thread that has ended meanwhile had not begun to work.
  private static func open(_ threads: [pid_t], _ type: UInt32, _ config: UInt64, excludesKernel: Bool)
    -> (events: [Int32], error: Int32)
  {
    var events: [Int32] = []
    for thread in threads {
      let event = clinux_open_event(thread, type, config, excludesKernel ? 1 : 0)
      if event >= 0 {
        events.append(event)
      } else if event != -ESRCH {
        for opened in events { clinux_close(opened) }
        return ([], -event)
      }
    }
    return events.isEmpty ? ([], ESRCH) : (events, 0)
  }

  /// The count so far; nil where the processor had no counter left for it.
  func read() -> UInt64? {
    var sum: UInt64 = 0
    for event in events {
      var count: UInt64 = 0
      guard clinux_read_event(event, &count) == 0 else { return nil }
      sum &+= count
    }
    return sum
  }
}
