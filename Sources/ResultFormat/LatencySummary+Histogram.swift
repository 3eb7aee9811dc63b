// A latency summary is wholly derived from its histogram, so that a reader can check every figure of it.

import Workloads

extension LatencySummary {
  /// Samples that must lie beyond a percentile for it to be stated.
  public static let samplesBeyond = 100

  /// - Parameter recorded: values in nanoseconds and how often each was seen; those beyond 1 h count as 1 h.
  /// - Throws: ``ResultError`` for an entry that is no pair.
  public init(recorded: RecordedCounts) throws(ResultError) {
    self.init(try HistogramSlots(recorded: recorded))
  }

  /// The summary of a histogram. `mean` is that of the slots' middles, a percentile and `max` the highest value of
  /// their slots: within 0.1 % of what was recorded.
  public init(_ slots: HistogramSlots) {
    func percentile(_ share: Int) -> UInt64? {
      slots.samples(beyondPerTenThousand: share) >= Self.samplesBeyond ? slots.value(atPerTenThousand: share) : nil
    }
    self.init(
      count: slots.count, mean: slots.mean, p50: percentile(5_000), p90: percentile(9_000), p99: percentile(9_900),
      p999: percentile(9_990), p9999: percentile(9_999), max: slots.max, histogram: slots.encoded)
  }

  /// The histogram, decoded.
  /// - Throws: ``ResultError`` if the text is no V2 compressed histogram of 1 ns to 1 h with 3 significant digits.
  public func slots() throws(ResultError) -> HistogramSlots { try HistogramSlots(encoded: histogram) }
}
