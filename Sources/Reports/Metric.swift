// The figures of a table: where each comes from, which way is better, and when it carries no claim. A claim is decided
// from the trial's warnings and the rig's own lateness, never from the figure's merit.

import ResultFormat
import Workloads

/// How far a figure may be trusted.
enum Standing: Int, Sendable, Comparable {
  case claimed
  /// Shown with ≥.
  case lowerBound
  /// Shown with ~.
  case noClaim

  static func < (a: Standing, b: Standing) -> Bool { a.rawValue < b.rawValue }

  var sign: String {
    switch self {
    case .claimed: ""
    case .lowerBound: "≥"
    case .noClaim: "~"
    }
  }

  /// The worst that holds for at least half of the trials. One trial of a dozen in which the host stalled is part of the
  /// scatter that intervals and tests allow for; half of them are another measurement than the one that was meant.
  init(mostOf trials: [Standing]) {
    func holds(_ standing: Standing) -> Bool { 2 * trials.count { $0 >= standing } >= trials.count }
    self = trials.isEmpty ? .claimed : holds(.noClaim) ? .noClaim : holds(.lowerBound) ? .lowerBound : .claimed
  }
}

/// One column of the tables.
struct Metric: Sendable {
  enum Better: String, Sendable { case lower, higher }
  enum Group: Sendable { case speed, memory, setting }

  /// In machine-readable output.
  let key: String
  let title: String
  let unit: Unit
  /// Nil where no value is better than another.
  let better: Better?
  let group: Group
  let value: @Sendable (Figures) -> Double?
  let standing: @Sendable (Trial, Figures) -> Standing

  init(
    _ key: String, _ title: String, _ unit: Unit, better: Better?, in group: Group,
    standing: @escaping @Sendable (Trial, Figures) -> Standing = { _, _ in .claimed },
    value: @escaping @Sendable (Figures) -> Double?
  ) {
    self.key = key
    self.title = title
    self.unit = unit
    self.better = better
    self.group = group
    self.standing = standing
    self.value = value
  }
}

extension Metric {
  /// The metrics of a case, headline first. Classes and measures are those that its trials have.
  /// - Parameter noun: what one operation is, as in `request`.
  static func all(_ drive: Drive, noun: String, trials: [Trial]) -> [Metric] {
    let cost = Metric(
      "cpuPerOperation", "CPU/\(noun)", .time, better: .lower, in: .speed, standing: costStanding,
      value: { $0.cpu?.nanosecondsPerOperation })
    let rigCost = Metric(
      "rigBusyPerOperation", "rig busy", .time, better: nil, in: .speed, value: { $0.rig?.cpuNanosecondsPerOperation })
    let throughput = Metric(
      "throughput", "throughput", .rate, better: drive.isAtFixedRate ? nil : .higher, in: .speed,
      standing: { trial, _ in throughputStanding(trial) }, value: { $0.operationsPerSecond })
    // The same for all rows: for people it stands above the table.
    let offered = Metric(
      "offeredRate", "offered", .rate, better: nil, in: .setting, value: { $0.offeredPerSecond })

    let figures = trials.compactMap(\.figures)
    let classes = Set(figures.flatMap { $0.latencies.keys })
    let ordered = ["added", "all"].filter(classes.contains) + classes.subtracting(["added", "all"]).sorted()
    let latencies = ordered.flatMap { latency(of: $0, drive) }
    var measures: [Metric] = []
    for measure in figures.flatMap(\.measures) where !measures.contains(where: { $0.key == measure.name }) {
      let name = measure.name
      measures.append(
        Metric(name, name, .other(measure.unit), better: nil, in: .speed) { figures in
          figures.measures.first { $0.name == name }?.value
        })
    }
    let speed =
      switch drive {
      case .openLoop: [cost, rigCost] + latencies + [throughput, offered]
      case .closedLoop: [throughput, cost, rigCost] + latencies
      case .paced: latencies + [cost, throughput]
      case .flatOut: [throughput, cost] + latencies
      }
    return speed + measures + memory(noun)
  }

  private static func latency(of name: String, _ drive: Drive) -> [Metric] {
    let title = name == "all" ? "latency " : "\(name) "
    let percentiles: [(String, String, @Sendable (LatencySummary) -> UInt64?)] = [
      ("p50", "p50", { $0.p50 }), ("p99", "p99", { $0.p99 }), ("p999", "p99.9", { $0.p999 }),
    ]
    return percentiles.compactMap { key, shown, percentile in
      // Under a load that follows the model the far tail is an echo of the load; it stays in run.json.
      if key == "p999" && (name == "added" || !drive.isAtFixedRate) { return nil }
      return Metric(
        "latency.\(name).\(key)", title + shown, .time, better: .lower, in: .speed,
        standing: { trial, figures in
          latencyStanding(trial, figures, of: name, percentile, drive)
        },
        value: { $0.latencies[name].flatMap(percentile).map { Double($0) } })
    }
  }

  private static func memory(_ noun: String) -> [Metric] {
    func bytes(_ key: String, _ title: String, _ value: @escaping @Sendable (MemoryFigures) -> Int?) -> Metric {
      Metric(key, title, .bytes, better: .lower, in: .memory) { $0.memory.flatMap(value).map { Double($0) } }
    }
    return [
      bytes("steadyPSS", "PSS") { $0.steadyPSSBytes },
      bytes("aboveIdlePSS", "above idle") { $0.grownBytes },
      bytes("peakRSS", "peak RSS") { $0.peakRSSBytes },
      bytes("kernelMemory", "kernel") { $0.kernelBytes },
      bytes("kernelGrowth", "kernel grown") { $0.kernelGrowthBytes },
      Metric("threadsSampled", "threads", .count, better: nil, in: .memory) {
        $0.cpu?.peakThreadsSampled.map { Double($0) }
      },
      Metric("switchesPerOperation", "switches", .perOperation(noun), better: .lower, in: .memory) { figures in
        guard let cpu = figures.cpu, figures.operations > 0 else { return nil }
        return (Double(cpu.voluntarySwitches) + Double(cpu.involuntarySwitches)) / Double(figures.operations)
      },
      Metric("faultsPerOperation", "faults", .perOperation(noun), better: .lower, in: .memory) { figures in
        guard let cpu = figures.cpu, figures.operations > 0 else { return nil }
        return Double(cpu.pageFaults) / Double(figures.operations)
      },
      Metric("allocationsPerOperation", "allocations", .perOperation(noun), better: .lower, in: .memory) {
        $0.memory?.allocationsPerOperation
      },
    ]
  }

  // MARK: - Standing

  private static func costStanding(_ trial: Trial, _: Figures) -> Standing {
    // Behind the offered rate the models no longer do the same work; and two clocks that differ cannot both be right.
    trial.warnings.contains(.behindOfferedRate) || trial.warnings.contains(.cpuDisagrees) ? .noClaim : .claimed
  }

  private static func throughputStanding(_ trial: Trial) -> Standing {
    if trial.warnings.contains(.rigSaturated) { return .lowerBound }
    return trial.warnings.contains(.setByParameters) || trial.warnings.contains(.hostBusy) ? .noClaim : .claimed
  }

  private static func latencyStanding(
    _ trial: Trial, _ figures: Figures, of name: String, _ percentile: (LatencySummary) -> UInt64?, _ drive: Drive
  ) -> Standing {
    let spoilers: Set<Warning> = [.rigSaturated, .rigBusy, .rigLate, .sharedProcessor, .behindOfferedRate, .hostBusy]
    guard drive.isAtFixedRate, spoilers.isDisjoint(with: trial.warnings) else { return .noClaim }
    guard let value = figures.latencies[name].flatMap(percentile), let rig = figures.rig else { return .claimed }
    let own = max(percentile(rig.sendLateness) ?? 0, percentile(rig.backendLateness) ?? 0)
    return value < own ? .noClaim : .claimed
  }
}
