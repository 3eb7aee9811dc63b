// Where the bounds stand: in files of /proc and of the control groups, and in the process's resource limits. Reading
// and understanding are apart, so that the tests can give any host's texts.

import CLinux
import FoundationEssentials
import Glibc

extension Limits {
  /// What the files say, by path; nil for one that is missing or unreadable.
  typealias Files = (String) -> String?

  /// The resource limits of the process; nil for none.
  struct ResourceLimits {
    var processes: Int?
    var descriptors: Int?
  }

  /// Reads all bounds now.
  public static func current() -> Limits {
    // Root may have more processes than its limit says.
    let processes = geteuid() == 0 ? nil : resourceLimit(__rlimit_resource_t(__RLIMIT_NPROC.rawValue))
    return Limits(
      reading: text(of:), openDescriptors: openDescriptors(),
      ResourceLimits(processes: processes, descriptors: resourceLimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue))))
  }

  init(reading files: Files, openDescriptors: Int, _ limits: ResourceLimits) {
    func number(_ path: String) -> Int? { files(path).flatMap(Self.leadingNumber) }
    var bounds: [Bound] = []

    let tasks = files("/proc/loadavg").flatMap(Self.tasks) ?? 0
    for name in ["threads-max", "pid_max"] {
      guard let limit = number("/proc/sys/kernel/\(name)") else { continue }
      bounds.append(Bound(.threads, "kernel.\(name)", limit: limit, used: tasks, spare: Self.spareThreads))
    }
    if let limit = limits.processes {
      // It counts this user's only; everybody's are never fewer.
      bounds.append(Bound(.threads, "ulimit -u", limit: limit, used: tasks, spare: Self.spareThreads))
    }
    if let limit = number("/proc/sys/vm/max_map_count") {
      let used = files("/proc/self/maps")?.utf8.count { $0 == UInt8(ascii: "\n") } ?? 0
      bounds.append(Bound(.mappings, "vm.max_map_count", limit: limit, used: used, spare: Self.spareMappings))
    }
    if let limit = limits.descriptors {
      bounds.append(
        Bound(.descriptors, "ulimit -n", limit: limit, used: openDescriptors, spare: Self.spareDescriptors))
    }
    if let available = files("/proc/meminfo").flatMap(Self.memoryAvailable) {
      bounds.append(Bound(.bytes, "MemAvailable", limit: available, used: 0, spare: available / 2))
    }
    for group in Self.groups(files("/proc/self/cgroup") ?? "") {
      if let limit = number("\(group.folder)/pids.max") {
        let used = number("\(group.folder)/pids.current") ?? 0
        bounds.append(
          Bound(.threads, "pids.max of \(group.name)", limit: limit, used: used, spare: Self.spareThreads))
      }
      for (file, usage) in [
        ("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes"),
      ] {
        guard let limit = number("\(group.folder)/\(file)") else { continue }
        // Page cache that nobody uses is given back before anybody is killed.
        let cache = files("\(group.folder)/memory.stat").flatMap(Self.inactiveFile) ?? 0
        let used = max(0, (number("\(group.folder)/\(usage)") ?? 0) - cache)
        bounds.append(
          Bound(.bytes, "\(file) of \(group.name)", limit: limit, used: used, spare: max(0, limit - used) / 2))
      }
    }
    self.init(bounds)
  }

  /// The fourth field of /proc/loadavg, `running/all`: all tasks of the system, threads included.
  static func tasks(_ loadavg: String) -> Int? {
    let fields = loadavg.split(separator: " ")
    guard fields.count >= 4, let slash = fields[3].firstIndex(of: "/") else { return nil }
    return Int(fields[3][fields[3].index(after: slash)...])
  }

  /// Bytes that can be had without swapping, from /proc/meminfo.
  static func memoryAvailable(_ meminfo: String) -> Int? {
    field("MemAvailable:", of: meminfo).map { $0 << 10 }
  }

  /// Bytes of page cache that a control group can give back, from its memory.stat of either version.
  static func inactiveFile(_ stat: String) -> Int? {
    field("total_inactive_file", of: stat) ?? field("inactive_file", of: stat)
  }

  private static func field(_ name: String, of text: String) -> Int? {
    for line in text.split(separator: "\n") {
      let parts = line.split(separator: " ")
      if parts.count >= 2, parts[0] == name { return Int(parts[1]) }
    }
    return nil
  }

  /// The number that a file holds; nil for `max`, and for what is no bound: version 1 writes the largest page-aligned
  /// integer where there is none.
  static func leadingNumber(_ text: String) -> Int? {
    guard let word = text.split(whereSeparator: \.isWhitespace).first, let number = Int(word) else { return nil }
    return number >= Int.max - (1 << 16) ? nil : number
  }

  /// The control groups that this process is in and all above them, from /proc/self/cgroup: each limits it. The root
  /// of a container's own view is a group with limits too.
  static func groups(_ text: String) -> [(name: String, folder: String)] {
    var groups: [(String, String)] = []
    for line in text.split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3 else { continue }
      let mounts =
        parts[1].isEmpty
        ? ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
        : parts[1].split(separator: ",").filter { $0 == "pids" || $0 == "memory" }.map { "/sys/fs/cgroup/\($0)" }
      let names = parts[2].split(separator: "/")
      for mount in mounts {
        for depth in (0...names.count).reversed() {
          let name = "/" + names.prefix(depth).joined(separator: "/")
          groups.append((name, name == "/" ? mount : mount + name))
        }
      }
    }
    return groups
  }

  private static func resourceLimit(_ resource: __rlimit_resource_t) -> Int? {
    var limit = rlimit()
    guard getrlimit(resource, &limit) == 0 else { return nil }
    return Int(exactly: limit.rlim_cur)
  }

  private static func openDescriptors() -> Int {
    (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? 0
  }

  /// Files of /proc have no size: read to the end.
  private static func text(of path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    while true {
      let count = withUnsafeTemporaryAllocation(byteCount: 1 << 14, alignment: 8) { buffer in
        let count = clinux_read(descriptor, buffer.baseAddress, buffer.count)
        if count > 0 { bytes.append(contentsOf: buffer[..<count]) }
        return count
      }
      if count == 0 { return String(decoding: bytes, as: UTF8.self) }
      if count < 0 && count != -Int(EINTR) { return nil }
    }
  }
}
