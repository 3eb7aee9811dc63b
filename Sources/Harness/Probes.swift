// What can be seen of a process from outside: /proc/<pid>. Readings are nil where the process is gone or the file
// cannot be read; nothing here walks page tables except ``proportionalSetBytes``.

import CLinux
import Glibc

struct Probe: Sendable {
  let pid: pid_t
  private var folder: String { "/proc/\(pid)" }

  /// Fields of /proc/<pid>/status.
  struct Status: Sendable, Hashable {
    var threads: Int?
    var residentBytes: Int?
    var peakResidentBytes: Int?
    var pageTableBytes: Int?
    /// `R`, `S`, `Z`, ...
    var state: Character?
  }

  func status() -> Status {
    contents(of: "\(folder)/status").map(Probe.parseStatus) ?? Status()
  }

  static func parseStatus(_ text: String) -> Status {
    var status = Status()
    for line in text.split(separator: "\n") {
      guard let colon = line.firstIndex(of: ":") else { continue }
      let words = line[line.index(after: colon)...].split(whereSeparator: \.isWhitespace)
      guard let first = words.first else { continue }
      // The kernel writes "kB" and means 1,024 bytes.
      let bytes = Int(first).map { $0 * 1024 }
      switch line[..<colon] {
      case "State": status.state = first.first
      case "Threads": status.threads = Int(first)
      case "VmRSS": status.residentBytes = bytes
      case "VmHWM": status.peakResidentBytes = bytes
      case "VmPTE": status.pageTableBytes = bytes
      default: break
      }
    }
    return status
  }

  /// Sets VmHWM back to VmRSS (proc(5): 5 to clear_refs). False where the kernel lacks it.
  @discardableResult
  func resetPeak() -> Bool {
    let descriptor = open("\(folder)/clear_refs", O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    return clinux_write(descriptor, "5", 1) == 1
  }

  /// Resident memory with shared pages divided among their users. Walks all mappings: never within the window.
  func proportionalSetBytes() -> Int? {
    guard let text = contents(of: "\(folder)/smaps_rollup") else { return nil }
    for line in text.split(separator: "\n") where line.hasPrefix("Pss:") {
      return line.dropFirst(4).split(whereSeparator: \.isWhitespace).first.flatMap { Int($0) }.map { $0 * 1024 }
    }
    return nil
  }

  /// CPU time of all threads, those that have exited included.
  func processorNanoseconds() -> Int? {
    let nanoseconds = clinux_cpu_ns_of(pid)
    return nanoseconds >= 0 ? Int(nanoseconds) : nil
  }

  /// TCP sockets that the process holds: descriptors whose inode stands in its network namespace's tables. nil if the
  /// process is gone.
  func openTCPSockets() -> Int? {
    guard let descriptors = entries(of: "\(folder)/fd") else { return nil }
    var held: Set<Substring> = []
    for descriptor in descriptors {
      guard let target = link("\(folder)/fd/\(descriptor)"), target.hasPrefix("socket:[") else { continue }
      held.insert(target.dropFirst("socket:[".count).dropLast())
    }
    guard !held.isEmpty else { return 0 }
    let rows = tables().filter { held.contains($0.inode) }
    return Set(rows.map(\.inode)).count
  }

  /// Whether any process in the same network namespace listens on that TCP port; nil if the process is gone.
  func isListening(on port: UInt16) -> Bool? {
    let rows = tables()
    return rows.isEmpty ? nil : rows.contains { $0.port == port && $0.isListener }
  }

  struct TableRow: Hashable {
    var inode: Substring
    var port: UInt16
    var isListener: Bool
  }

  private func tables() -> [TableRow] {
    ["tcp", "tcp6"].flatMap { contents(of: "\(folder)/net/\($0)").map(Probe.parseTable) ?? [] }
  }

  /// Rows of /proc/net/tcp: `sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode ...`.
  static func parseTable(_ text: String) -> [TableRow] {
    text.split(separator: "\n").dropFirst().compactMap { line in
      let fields = line.split(separator: " ")
      guard fields.count >= 10, let colon = fields[1].lastIndex(of: ":"),
        let port = UInt16(fields[1][fields[1].index(after: colon)...], radix: 16)
      else { return nil }
      return TableRow(inode: fields[9], port: port, isListener: fields[3] == "0A")
    }
  }

  private func link(_ path: String) -> String? {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { buffer in
      let count = readlink(path, buffer.baseAddress!, buffer.count)
      guard count > 0 else { return nil }
      return String(decoding: UnsafeRawBufferPointer(buffer)[..<count], as: UTF8.self)
    }
  }

  /// The kernel's own memory on this host, as far as processes make it grow: stacks of threads, page tables, and slab
  /// that it cannot take back (tasks, mappings, timers, files). Nil where /proc/meminfo lacks it.
  static func hostKernelBytes() -> Int? { contents(of: "/proc/meminfo").flatMap(parseKernelMemory) }

  static func parseKernelMemory(_ meminfo: String) -> Int? {
    var sum = 0
    var found = 0
    for line in meminfo.split(separator: "\n") {
      for name in ["KernelStack:", "PageTables:", "SUnreclaim:"] where line.hasPrefix(name) {
        guard let value = line.dropFirst(name.count).split(separator: " ").first.flatMap({ Int($0) }) else {
          return nil
        }
        sum += value * 1024
        found += 1
      }
    }
    return found == 3 ? sum : nil
  }

  /// Processes that the kernel has killed for want of memory since it started; nil where it does not count them.
  static func outOfMemoryKills() -> Int? {
    guard let text = contents(of: "/proc/vmstat") else { return nil }
    for line in text.split(separator: "\n") where line.hasPrefix("oom_kill ") {
      return Int(line.dropFirst("oom_kill ".count))
    }
    return nil
  }
}
