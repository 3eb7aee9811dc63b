// Is the rig good enough for what it measured? At a fixed rate its own cost is held against that of the cheapest model,
// and its send lateness says whether it kept the schedule. Medians over trials, as everywhere: one trial in which a
// neighbour took the processor must not speak for all.

import ResultFormat
import Statistics
import Workloads

public struct RigSelfTest: Sendable {
  private struct Sample: Sendable {
    var model: String
    var rigNanoseconds: Double
    var modelNanoseconds: Double?
    var sendLatenessNanoseconds: Double?
  }
  private struct OpenLoop: Sendable {
    var rate: String
    var samples: [Sample] = []
  }
  private var cases: [String: OpenLoop] = [:]

  init() {}

  mutating func add(model: String, case name: String, order: TrialOrder, _ figures: Figures, _ rig: RigResult) {
    let rate = order.parameters["rate"].map { number(Double($0.description) ?? 0) } ?? "an unknown number of"
    cases[name, default: OpenLoop(rate: rate)].samples.append(
      Sample(
        model: model, rigNanoseconds: Double(rig.busyNanoseconds) / Double(max(1, rig.operations)),
        modelNanoseconds: figures.cpu?.nanosecondsPerOperation,
        sendLatenessNanoseconds: rig.sendLateness.value(atPerTenThousand: 9_900).map { Double($0) }))
  }

  /// One line per open-loop case with trials that were ok.
  public var lines: [String] {
    cases.sorted { $0.key < $1.key }.map { name, load in
      var line = "rig on \(name): "
      if let (model, cost, own) = Self.cheapest(load.samples) {
        line += "\(microseconds(own)) µs/request (busy), cheapest model (\(model)) \(microseconds(cost)) µs: "
        line += "ratio \(ratio(own / cost))"
      } else {
        line += "no model's CPU time is known"
      }
      let lateness = load.samples.compactMap(\.sendLatenessNanoseconds)
      if let middle = median(lateness), let worst = lateness.max() {
        line += "; send lateness p99 \(microseconds(middle)) µs at \(load.rate) requests/s (median of "
        line += "\(lateness.count) trials; worst \(microseconds(worst)) µs)"
      }
      return line
    }
  }

  /// The model with the lowest median cost, that cost, and what the rig spent in its trials.
  private static func cheapest(_ samples: [Sample]) -> (model: String, cost: Double, rig: Double)? {
    Dictionary(grouping: samples, by: \.model)
      .compactMap { model, samples -> (model: String, cost: Double, rig: Double)? in
        guard let cost = median(samples.compactMap(\.modelNanoseconds)), cost > 0,
          let rig = median(samples.map(\.rigNanoseconds))
        else { return nil }
        return (model, cost, rig)
      }
      .min { ($0.cost, $0.model) < ($1.cost, $1.model) }
  }

  private func microseconds(_ nanoseconds: Double) -> String { number((nanoseconds / 100).rounded() / 10) }
  private func ratio(_ value: Double) -> String { number((value * 100).rounded() / 100) }
}

/// Without a fraction where there is none.
private func number(_ value: Double) -> String {
  value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\(value)"
}
