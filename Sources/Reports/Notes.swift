// What stands under a table in sentences: which trials failed and why, and what the warnings mean for the figures.

import ResultFormat
import Workloads

extension CaseSummary {
  /// One line for every trial that is not ok; those of a row that fail alike are put together.
  var failures: [String] {
    rows.flatMap { row in
      var groups: [(state: TrialState, reason: String, trials: [Trial])] = []
      for trial in row.trials where trial.state != .ok {
        let reason = Self.reason(trial)
        if let index = groups.firstIndex(where: { $0.state == trial.state && $0.reason == reason }) {
          groups[index].trials.append(trial)
        } else {
          groups.append((trial.state, reason, [trial]))
        }
      }
      return groups.map { "\(row.name): \($0.state.rawValue) (\(Self.list($0.trials))): \($0.reason)" }
    }
  }

  private static func reason(_ trial: Trial) -> String {
    let shown = trial.findings.prefix(3).map(\.description)
    let more = trial.findings.count > 3 ? ["and \(trial.findings.count - 3) more findings"] : []
    let reason = ([trial.reason].compactMap { $0 } + shown + more).joined(separator: "; ")
    return reason.isEmpty ? "no reason given" : oneLine(reason)
  }

  /// One line for every warning, with the rows and trials that it concerns.
  var warnings: [String] {
    Warning.allCases.compactMap { warning in
      let concerned = rows.compactMap { row -> String? in
        let trials = row.trials.filter { $0.state == .ok && $0.warnings.contains(warning) }
        guard !trials.isEmpty else { return nil }
        return "\(row.name) (\(trials.count == row.count(.ok) ? "all trials" : Self.list(trials)))"
      }
      guard !concerned.isEmpty else { return nil }
      return "\(Self.sentence(warning)): \(concerned.joined(separator: ", "))."
    }
  }

  private static func list(_ trials: [Trial]) -> String {
    "trial\(trials.count == 1 ? "" : "s") \(trials.map { "\($0.number)" }.joined(separator: ", "))"
  }

  private static func sentence(_ warning: Warning) -> String {
    switch warning {
    case .rigSaturated:
      "The rig was busy for more than 80 % of the window, so that throughput is a lower bound (≥)"
    case .rigBusy:
      "The rig was busy for more than half of the window, so that latency carries no claim (~)"
    case .setByParameters:
      "Neither the model nor the rig was saturated, so that throughput is set by the parameters (~)"
    case .behindOfferedRate:
      "Fewer than 95 % of the operations offered in the window were completed in it, so that cost and latency are not "
        + "compared at an equal rate (~)"
    case .rigLate:
      "The rig sent more than 1 % of its requests over 1 ms late, so that latency carries no claim (~)"
    case .sharedProcessor:
      "The rig had no processor of its own, so that latency carries no claim (~)"
    case .hostBusy:
      "Within the window other programs or other virtual machines used more than a tenth of a processor, a quota stopped "
        + "the trial, or heat slowed a processor down, so that throughput and latency carry no claim (~)"
    case .cpuDisagrees:
      "The model's own count of its CPU time and the one from outside differ by more than 5 %, so that cost carries no "
        + "claim (~)"
    }
  }

  /// The rig's own lateness, without which no latency can be judged.
  var rigLateness: String? {
    let rigs = rows.flatMap(\.trials).compactMap { $0.figures?.rig }
    func worst(_ summary: (RigFigures) -> LatencySummary) -> String? {
      let values = rigs.compactMap { summary($0).p99 }.map { Double($0) }
      guard let largest = values.max() else { return nil }
      let scale = Unit.time.scale(for: [largest])
      return "\(significant(largest / scale.size)) \(scale.symbol)"
    }
    let send = drive == .openLoop ? worst(\.sendLateness) : nil
    let parts = [send.map { "sending \($0)" }, worst(\.backendLateness).map { "replying \($0)" }].compactMap { $0 }
    guard !parts.isEmpty else { return nil }
    return "The rig's own lateness at p99, worst trial: \(parts.joined(separator: ", "))."
  }
}

extension CaseSummary {
  /// Everything that stands below its tables.
  func notes(headlines: [String]) -> [String] {
    warnings + [rigLateness].compactMap { $0 } + disturbances(headlines) + [hostNoise].compactMap { $0 }
  }

  /// What the windows lost to others, the worst trial of each kind, also where that is little: a reader cannot know it
  /// otherwise. Nil for runs from before it was recorded.
  var hostNoise: String? {
    let hosts = rows.flatMap(\.trials).filter { $0.state == .ok }.compactMap(\.host)
    guard let others = hosts.map(\.othersProcessors).max(), let stolen = hosts.map(\.stolenProcessors).max() else {
      return nil
    }
    var text =
      "Of the host's processors others used \(hundredths(others)) and the hypervisor took \(hundredths(stolen)) within "
      + "the window, worst trials"
    if let kernel = hosts.compactMap(\.kernelProcessors).max(), kernel > HostFigures.toleratedProcessors {
      text += "; the kernel's own threads used \(hundredths(kernel)), which is in no model's CPU time"
    }
    if let throttled = hosts.compactMap(\.throttledNanoseconds).max() {
      text += "; a quota stopped the trial's processes for \(significant(Double(throttled) / 1e6)) ms"
    }
    if let slowed = hosts.compactMap(\.thermalThrottles).max(), slowed > 0 {
      text += "; heat slowed a processor down \(counted(slowed, "time"))"
    }
    return text + "."
  }

  private func hundredths(_ value: Double) -> String { trimmed((value * 100).rounded() / 100) }
}

/// Texts from a model may hold line breaks and control characters; a report's line holds none.
func oneLine(_ text: String) -> String {
  text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7f ? " " : String($0) }.joined()
    .split(separator: " ").joined(separator: " ")
}
