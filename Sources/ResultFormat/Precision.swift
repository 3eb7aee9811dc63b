// How narrow a run wants its intervals (`--until`), and how far it got.

import Workloads

/// Declared before the first trial: whole rounds are added until every headline metric of every (case, model) has an
/// interval that narrow, or the time is spent. Widths alone decide, never which model is ahead.
public struct PrecisionGoal: Sendable, Codable, Hashable {
  /// The upper end of the interval over its centre, the geometric mean, less 1: 0.02 for ±2 %.
  public var reach: Double
  /// 0.95 for a 95 % interval.
  public var level: Double
  /// No round is begun that would not end within so many seconds of running, at the pace of those before it.
  public var maximumSeconds: Double

  public init(reach: Double, level: Double = 0.95, maximumSeconds: Double) {
    self.reach = reach
    self.level = level
    self.maximumSeconds = maximumSeconds
  }

  /// `±2 %`.
  public var words: String {
    let percent = (reach * 10_000).rounded() / 100
    return "±\(Int(exactly: percent).map(String.init) ?? "\(percent)") %"
  }
}

/// Why no more rounds were added, and what is wider than it was to be.
public struct PrecisionOutcome: Sendable, Codable, Hashable {
  public enum Ending: String, Sendable, Codable, CaseIterable {
    /// Further rounds can narrow nothing that is still too wide, if anything is.
    case reached
    /// Another round would not have ended in time.
    case time
    /// A run has no more rounds than this.
    case rounds

    public init(from decoder: any Decoder) throws { self = try decodeName(from: decoder) }
  }
  public var ending: Ending
  /// Headline figures that were looked at: one for each metric of each (case, model) that does the workload.
  public var figures: Int
  public var unreached: [UnreachedFigure]

  public init(ending: Ending, figures: Int, unreached: [UnreachedFigure]) {
    self.ending = ending
    self.figures = figures
    self.unreached = unreached
  }
}

/// A headline figure whose interval is wider than it was to be.
public struct UnreachedFigure: Sendable, Codable, Hashable {
  public var `case`: String
  public var model: String
  public var variant: String?
  /// As in ``ClaimFamily``.
  public var metric: String
  /// The rounds that gave a value.
  public var rounds: Int
  /// As in ``PrecisionGoal``; nil where there is no interval.
  public var reach: Double?
  /// Why there is no interval, in a few words.
  public var reason: String?

  public init(
    case: String, model: String, variant: String?, metric: String, rounds: Int, reach: Double?, reason: String?
  ) {
    self.case = `case`
    self.model = model
    self.variant = variant
    self.metric = metric
    self.rounds = rounds
    self.reach = reach
    self.reason = reason
  }
}

extension Figures {
  /// A headline metric's value in this trial, by the name that the workload's cases and ``ClaimFamily`` give it. A
  /// latency without a percentile is its p99, which the presets' windows are made for.
  /// - Returns: nil where this trial has none, as with a percentile that too few samples bear out.
  public func value(of metric: String) -> Double? {
    switch metric {
    case "throughput": return operationsPerSecond
    case "cpuPerOperation": return cpu?.nanosecondsPerOperation
    case "addedLatency": return latencies["added"]?.p99.map { Double($0) }
    case "latency": return latencies["all"]?.p99.map { Double($0) }
    case "aboveIdlePSS":
      return memory?.grownBytes.map { Double($0) }
    case "kernelMemory": return memory?.kernelBytes.map { Double($0) }
    default: break
    }
    let parts = metric.split(separator: ".", omittingEmptySubsequences: false)
    if parts.count == 3, parts[0] == "latency", let summary = latencies[String(parts[1])] {
      return summary.percentile(String(parts[2])).map { Double($0) }
    }
    return measures.first { $0.name == metric }?.value
  }
}

extension LatencySummary {
  fileprivate func percentile(_ key: String) -> UInt64? {
    switch key {
    case "p50": p50
    case "p90": p90
    case "p99": p99
    case "p999": p999
    case "p9999": p9999
    default: nil
    }
  }
}
