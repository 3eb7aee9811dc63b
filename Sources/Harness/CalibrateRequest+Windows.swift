// How long a calibration's windows are. It compares so many rows in so many cases that the presets' windows would take
// it half a day; shorter ones scatter more, so that what they resolve is a bound on what the presets' do.

import ResultFormat
import Workloads

extension CalibrateRequest {
  static let warmUpSeconds = 0.1
  /// Where no percentile asks for more. Served loads take longer to settle, and their windows cut more off.
  static let inProcessSeconds = 0.3
  static let servedSeconds = 1.0
  /// Beyond the samples that a percentile takes: four standard deviations of a Poisson process of 10,000.
  static let margin = 1.04

  func windowSeconds(of selected: SelectedCase, workers: Int) -> Double {
    if let windowSeconds { return windowSeconds }
    let least = selected.workload.isServed ? Self.servedSeconds : Self.inProcessSeconds
    guard let samples = selected.headlines.compactMap(Self.samples(for:)).max(),
      let rate = selected.samplesPerSecond(workers: workers)
    else { return least }
    // In tenths; a rate of 0.1 × 20,000 is a little more than 2,000, and is not to cost one.
    return max(least, (samples * Self.margin / rate * 10 - 1e-6).rounded(.up) / 10)
  }

  /// Samples without which a headline metric has no value; nil for one that is no percentile.
  static func samples(for metric: String) -> Double? {
    let beyond: [String: Double] = ["p50": 0.5, "p90": 0.1, "p99": 0.01, "p999": 0.001, "p9999": 0.0001]
    if metric == "latency" || metric == "addedLatency" { return Double(LatencySummary.samplesBeyond) / 0.01 }
    guard metric.hasPrefix("latency."), let key = metric.split(separator: ".").last, let share = beyond[String(key)]
    else { return nil }
    return Double(LatencySummary.samplesBeyond) / share
  }
}

extension SelectedCase {
  /// Samples a second of the latency that is its headline, where the case sets their rate.
  func samplesPerSecond(workers: Int) -> Double? {
    switch workload.name {
    case Workload.fanOut.name:
      switch (try? FanOut.Parameters(parameters))?.load {
      case .poisson(let rate)?, .bursts(let rate, _)?: return rate
      case .closed?, nil: return nil
      }
    case Workload.blockingMix.name:
      // Hogs are a class of their own.
      guard let mix = try? BlockingMix.Parameters(parameters) else { return nil }
      return mix.rate(workers: workers) * (1 - mix.hogShare)
    case Workload.timerStorm.name:
      // Timers that are cancelled have no lateness.
      guard case .paced(let rate, let cancelShare)? = (try? TimerStorm.Parameters(parameters))?.load else {
        return nil
      }
      return rate * (1 - cancelShare)
    case Workload.pipeline.name:
      guard case .paced(let rate)? = (try? Pipeline.Parameters(parameters))?.load else { return nil }
      return rate
    default: return nil
    }
  }
}
