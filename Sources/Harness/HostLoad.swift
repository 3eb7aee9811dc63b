// Whether anything else is running, before the first trial. The load average would say so of a build that has just
// ended, too: it looks back for minutes. So the processors are watched for a moment instead.

import Glibc

enum HostLoad {
  /// Beyond this much of one processor the report carries a warning.
  static let tolerated = 0.1

  /// Processors in use by everything on the host, 0 ... their number, seen over that long; nil where the kernel does not
  /// say.
  static func processorsInUse(over span: Duration) async -> Double? {
    guard let before = times() else { return nil }
    try? await Task.sleep(for: span)
    guard let after = times() else { return nil }
    return after.processorsInUse(since: before)
  }

  static func times() -> Times? { contents(of: "/proc/stat").flatMap(Times.init) }

  /// The host's processor time so far, in ticks of the kernel's clock: the first line of /proc/stat (proc(5)).
  struct Times: Equatable {
    var busy: Int
    /// Of the busy ones: taken by the hypervisor for others.
    var stolen: Int
    var total: Int
    var processors: Int

    init?(_ text: String) {
      let lines = text.split(separator: "\n").filter { $0.hasPrefix("cpu") }
      guard let all = lines.first?.split(separator: " "), all.first == "cpu", lines.count > 1 else { return nil }
      // user nice system idle iowait irq softirq steal; what follows is contained in user and nice.
      let ticks = all.dropFirst().prefix(8).compactMap { Int($0) }
      guard ticks.count == 8 else { return nil }
      total = ticks.reduce(0, +)
      busy = total - ticks[3] - ticks[4]
      stolen = ticks[7]
      processors = lines.count - 1
    }

    /// The share of all processor time that the hypervisor gave to others.
    func stolenShare(since before: Times) -> Double? {
      guard total > before.total else { return nil }
      return Double(max(0, stolen - before.stolen)) / Double(total - before.total)
    }

    func processorsInUse(since before: Times) -> Double? {
      guard total > before.total else { return nil }
      return Double(max(0, busy - before.busy)) / Double(total - before.total) * Double(processors)
    }
  }
}
