// Headline metrics, as plans name them, and the columns that show them.

import ResultFormat
import Statistics

extension Metric {
  /// The key of the column with the figures that ``Figures/value(of:)`` gives for a headline.
  static func key(ofHeadline name: String) -> String {
    switch name {
    case "addedLatency": "latency.added.p99"
    case "latency": "latency.all.p99"
    default: name
    }
  }

  /// All headlines but rates are better lower.
  static func better(ofHeadline name: String) -> Statistics.Better {
    name == "throughput" || name == "goodput" ? .higher : .lower
  }

  /// What the better of two is called.
  static func comparative(ofHeadline name: String) -> String {
    switch name {
    case "cpuPerOperation": "cheaper"
    case "aboveIdlePSS", "kernelMemory": "smaller"
    default: "faster"
    }
  }
}

extension CaseSummary {
  /// The column's title, where it says enough outside its table.
  func title(ofHeadline name: String) -> String {
    switch name {
    case "aboveIdlePSS": "memory above idle"
    case "kernelMemory": "kernel memory"
    default: metrics.first { $0.key == Metric.key(ofHeadline: name) }?.title ?? name
    }
  }
}
