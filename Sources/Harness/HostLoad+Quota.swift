// The share of the processors that control groups leave to this process: beyond its quota the kernel stops everything in
// the group until the next period, 100 ms later at worst, and no program can tell that from work.

import Glibc

/// A quota of processor time, by the control groups (version 1 or 2) that hold this process.
struct ProcessorQuota: Sendable, Hashable {
  /// The least that any of the groups leaves, in processors.
  let processors: Double
  /// The groups' own counts of how long they have stopped their processes.
  private let counts: [String]

  /// That of this process; nil without one.
  static let own = ProcessorQuota(.live)

  init?(_ files: HostFiles) {
    var least: Double?
    var counts: [String] = []
    for folder in Self.folders(files.contents("/proc/self/cgroup") ?? "") {
      guard let quota = Self.quota(folder, files) else { continue }
      least = min(least ?? quota, quota)
      counts.append("\(folder)/cpu.stat")
    }
    guard let least else { return nil }
    processors = least
    self.counts = counts
  }

  /// Since the groups exist.
  func throttledNanoseconds(_ files: HostFiles = .live) -> Int {
    counts.reduce(0) { $0 + (files.contents($1).flatMap(Self.throttled) ?? 0) }
  }

  static func throttled(_ stat: String) -> Int? {
    for line in stat.split(separator: "\n") {
      let words = line.split(separator: " ")
      guard words.count == 2, let value = Int(words[1]) else { continue }
      if words[0] == "throttled_usec" { return value * 1000 }
      if words[0] == "throttled_time" { return value }
    }
    return nil
  }

  /// `cpu.max` of version 2 (`200000 100000`, or `max 100000`), `cpu.cfs_*_us` of version 1 (-1 for none).
  private static func quota(_ folder: String, _ files: HostFiles) -> Double? {
    if let words = files.line("\(folder)/cpu.max")?.split(separator: " "), words.count == 2,
      let quota = Int(words[0]), let period = Int(words[1]), period > 0
    {
      return Double(quota) / Double(period)
    }
    if let quota = files.number("\(folder)/cpu.cfs_quota_us"), quota > 0,
      let period = files.number("\(folder)/cpu.cfs_period_us"), period > 0
    {
      return Double(quota) / Double(period)
    }
    return nil
  }

  /// The folders of the groups that hold the process, up to the root: a parent's quota binds its children. In a
  /// container the paths may be the host's, of which only the root is there.
  static func folders(_ cgroup: String) -> [String] {
    var folders: [String] = []
    for line in cgroup.split(separator: "\n") {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      let controllers = fields[1].split(separator: ",")
      let mount: String
      if fields[1].isEmpty {
        mount = "/sys/fs/cgroup"
      } else if controllers.contains("cpu") {
        mount = "/sys/fs/cgroup/cpu"
      } else {
        continue
      }
      var path = fields[2].split(separator: "/")
      while true {
        folders.append(([Substring(mount)] + path).joined(separator: "/"))
        if path.popLast() == nil { break }
      }
    }
    return folders
  }
}
