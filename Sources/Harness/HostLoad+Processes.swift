// Which processes used the processors, so that whoever is to stop them knows their names. Reading them all takes
// milliseconds: before a run, and never in a trial.

import Glibc

extension HostLoad {
  /// One process by its /proc/<pid>/stat (proc(5)).
  struct Process: Hashable, Sendable {
    var pid: Int
    /// As the kernel knows it: at most 15 bytes of the program's name, control characters replaced.
    var name: String
    /// User and system together, of all its threads, in ticks of the kernel's clock.
    var ticks: Int
    /// When it started: tells a process from a later one with its number.
    var startTick: Int
    /// Whether it is one of the kernel's own.
    var isKernelThread: Bool

    init?(_ stat: String) {
      // The name stands in parentheses and may hold some itself, and blanks.
      guard let opening = stat.firstIndex(of: "("), let closing = stat.lastIndex(of: ")"), opening < closing,
        let pid = Int(stat[..<opening].filter { $0 != " " })
      else { return nil }
      let fields = stat[stat.index(after: closing)...].split(separator: " ")
      guard fields.count >= 20, let flags = UInt(fields[6]), let user = Int(fields[11]), let system = Int(fields[12]),
        let start = Int(fields[19])
      else { return nil }
      self.pid = pid
      name = String(
        stat[stat.index(after: opening)..<closing].map { $0.isASCII && $0 >= " " && $0 != "\u{7F}" ? $0 : "?" })
      ticks = user + system
      startTick = start
      isKernelThread = flags & Self.kernelThreadFlag != 0
    }

    /// PF_KTHREAD of the kernel's include/linux/sched.h.
    private static let kernelThreadFlag: UInt = 0x0020_0000
  }

  /// All that can be seen from here; in a container those of its own process namespace.
  static func processes(_ files: HostFiles = .live) -> [Process] {
    files.names("/proc").filter { Int($0) != nil }.compactMap {
      files.contents("/proc/\($0)/stat").flatMap(Process.init)
    }
  }

  /// The kernel's own threads; none in a process namespace of its own.
  static func kernelThreads(_ files: HostFiles = .live) -> [pid_t] {
    processes(files).filter(\.isKernelThread).map { pid_t($0.pid) }
  }

  /// A process and how much it used.
  public struct Consumer: Hashable, Sendable, CustomStringConvertible {
    var name: String
    var pid: Int
    var processors: Double

    /// `clang-17 (pid 4711) 0.62`.
    public var description: String { "\(name) (pid \(pid)) \(hundredths(processors))" }
  }

  /// Below this share of a processor nobody is worth being named: a hundredth is one tick in a second.
  static let nameable = 0.02

  /// Those that used most between two readings, most first. A process that came between them counts with all it used.
  /// - Parameter perTick: the processors that one tick between the readings stands for.
  /// - Parameter own: this process, which is not among them.
  static func consumers(
    _ before: [Process], _ after: [Process], perTick: Double, own: Int, atMost count: Int = 3
  ) -> [Consumer] {
    let earlier = Dictionary(before.map { ($0.pid, $0) }, uniquingKeysWith: { first, _ in first })
    let used = after.filter { $0.pid != own }.map { process in
      let known = earlier[process.pid].flatMap { $0.startTick == process.startTick ? $0.ticks : nil } ?? 0
      return Consumer(name: process.name, pid: process.pid, processors: Double(max(0, process.ticks - known)) * perTick)
    }
    return Array(
      used.filter { $0.processors >= nameable }.sorted { ($1.processors, $0.pid) < ($0.processors, $1.pid) }
        .prefix(count))
  }
}
