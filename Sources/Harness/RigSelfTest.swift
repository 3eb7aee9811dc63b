// Is the rig good enough for what it measured? At a fixed rate its own cost is held against that of the cheapest model,
// and its send lateness says whether it kept the schedule.

import ResultFormat
import Workloads

public struct RigSelfTest: Sendable {
  private struct CaseTotals {
    var rate: String
    var operations = 0
    var rigNanoseconds = 0.0
    var models: [String: (operations: Int, nanoseconds: Double)] = [:]
    var lateness: [UInt64: UInt64] = [:]
  }
  private var cases: [String: CaseTotals] = [:]

  init() {}

  mutating func add(model: String, case name: String, order: TrialOrder, _ figures: Figures, _ rig: RigResult) {
    let rate = order.parameters["rate"].map { number(Double($0.description) ?? 0) } ?? "an unknown number of"
    var totals = cases[name] ?? CaseTotals(rate: rate)
    totals.operations += rig.operations
    totals.rigNanoseconds += Double(rig.busyNanoseconds)
    if let cpu = figures.cpu {
      var own = totals.models[model] ?? (0, 0)
      own.operations += rig.operations
      own.nanoseconds += cpu.nanosecondsPerOperation * Double(rig.operations)
      totals.models[model] = own
    }
    for pair in rig.sendLateness where pair.count == 2 { totals.lateness[pair[0], default: 0] += pair[1] }
    cases[name] = totals
  }

  /// One line per open-loop case with trials that were ok.
  public var lines: [String] {
    cases.sorted { $0.key < $1.key }.map { name, totals in
      let own = totals.rigNanoseconds / Double(max(1, totals.operations))
      var line = "rig on \(name): \(microseconds(own)) µs/request (busy)"
      let costs = totals.models.map { ($0.key, $0.value.nanoseconds / Double(max(1, $0.value.operations))) }
      if let cheapest = costs.min(by: { $0.1 < $1.1 }), cheapest.1 > 0 {
        line += ", cheapest model (\(cheapest.0)) \(microseconds(cheapest.1)) µs: ratio \(ratio(own / cheapest.1))"
      }
      let recorded: RecordedCounts = totals.lateness.sorted { $0.key < $1.key }.map { [$0.key, $0.value] }
      if let late = recorded.value(atPerTenThousand: 9_900) {
        line += "; send lateness p99 \(microseconds(Double(late))) µs at \(totals.rate) requests/s"
      }
      return line
    }
  }

  private func microseconds(_ nanoseconds: Double) -> String { number((nanoseconds / 100).rounded() / 10) }
  private func ratio(_ value: Double) -> String { number((value * 100).rounded() / 100) }
}

/// Without a fraction where there is none.
private func number(_ value: Double) -> String {
  value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\(value)"
}
