// Who uses the processors, from the kernel's own account of them. The load average would say so of a build that has
// just ended, too: it looks back for minutes. So the account is read twice, and the difference is what was used between.
//
// Before the first trial the host is watched for a second (HostLoad+Watch.swift); in a trial the account is read at the
// edges of the window and nowhere else (HostLoad+Trial.swift).

import Glibc
import ResultFormat

public enum HostLoad {
  /// Beyond this much of one processor a host is busy: a run is refused, and a trial carries a warning.
  static let tolerated = HostFigures.toleratedProcessors

  static func times(_ files: HostFiles = .live) -> Times? { files.contents("/proc/stat").flatMap(Times.init) }

  /// The host's processor time so far, in ticks of the kernel's clock: the first line of /proc/stat (proc(5)).
  struct Times: Hashable, Sendable {
    /// Of programs and of the kernel on their behalf.
    var used: Int
    /// Of interrupts, hard and soft ones; those of the loopback network are among them.
    var interrupts: Int
    /// Taken by the hypervisor for others.
    var stolen: Int
    /// All of these, and idleness.
    var total: Int
    var processors: Int

    init?(_ text: String) {
      let lines = text.split(separator: "\n").prefix { $0.hasPrefix("cpu") }
      guard let all = lines.first?.split(separator: " "), all.first == "cpu", lines.count > 1 else { return nil }
      // user nice system idle iowait irq softirq steal; what follows is contained in user and nice.
      let ticks = all.dropFirst().prefix(8).compactMap { Int($0) }
      guard ticks.count == 8 else { return nil }
      used = ticks[0] + ticks[1] + ticks[2]
      interrupts = ticks[5] + ticks[6]
      stolen = ticks[7]
      total = ticks.reduce(0, +)
      processors = lines.count - 1
    }

    /// What was used between two readings, each in processors: 0 ... their number.
    struct Shares: Hashable, Sendable {
      var used: Double
      var interrupts: Double
      var stolen: Double
      /// Everything but idleness.
      var all: Double { used + interrupts + stolen }
    }

    /// Nil where no tick lies between the two.
    func shares(since before: Times) -> Shares? {
      guard total > before.total else { return nil }
      let perTick = Double(processors) / Double(total - before.total)
      func share(_ ticks: KeyPath<Times, Int>) -> Double {
        Double(max(0, self[keyPath: ticks] - before[keyPath: ticks])) * perTick
      }
      return Shares(used: share(\.used), interrupts: share(\.interrupts), stolen: share(\.stolen))
    }
  }
}

/// The host's files, as those of /proc and /sys; the tests make hosts up.
struct HostFiles: Sendable {
  /// The whole of a file; nil if it cannot be read.
  let contents: @Sendable (String) -> String?
  /// The names in a folder; empty if it cannot be read.
  let names: @Sendable (String) -> [String]

  static let live = HostFiles(
    contents: { Harness.contents(of: $0) }, names: { Harness.entries(of: $0) ?? [] })

  /// The first line of a file, without what surrounds it; nil where it is missing or empty.
  func line(_ path: String) -> String? {
    guard let first = contents(path)?.split(separator: "\n").first?.split(separator: " "), !first.isEmpty else {
      return nil
    }
    return first.joined(separator: " ")
  }
  func number(_ path: String) -> Int? { line(path).flatMap { Int($0) } }
}
