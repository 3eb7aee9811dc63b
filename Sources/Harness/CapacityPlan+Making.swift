// What a capacity search is going to do, fixed before its first trial, and how long that will take.

import ResultFormat
import Statistics
import Workloads

extension CapacityPlan {
  /// Samples that a window holds beyond the objective's percentile at the lowest rate that is tried: below that a single
  /// late request decides.
  static let samplesBeyond = 10.0
  /// A rate that is too high by a hundredth lets latency grow by a hundredth of the time that it lasts: fifty times the
  /// limit let it be seen before the window ends, warm-up included.
  static let limitsPerWindow = 50.0
  /// Seconds.
  static let windows = 2.0...10.0
  static let shares = [0.1, 0.25, 0.5, 0.75, 0.8, 0.9, 1, 1.1, 1.2]

  /// - Parameters:
  ///   - windowSeconds: instead of one that follows from the objective.
  ///   - processors: of this host.
  /// - Throws: ``HarnessError`` if no rate that the parameter allows puts enough requests into a window.
  public static func make(
    _ load: CapacityLoad, _ objective: ServiceObjective, seed: UInt64, warmUpSeconds: Double? = nil,
    windowSeconds: Double? = nil, processors: ProcessorSets, toleratesBusyHost: Bool
  ) throws(HarnessError) -> CapacityPlan {
    let beyond = Double(10_000 - objective.perTenThousand) / 10_000
    let needed = max(limitsPerWindow * Double(objective.limitNanoseconds) / 1e9, samplesBeyond / beyond / 1_000)
    let window = windowSeconds ?? min(max(needed, windows.lowerBound), windows.upperBound)
    let lowest = max(load.rates.lowerBound, (samplesBeyond / beyond / window).rounded(.up))
    guard lowest <= load.rates.upperBound else {
      throw .usage(
        "a window of \(window) s tells no \(objective.percentile) at the rates that \(load.parameter) allows (up to "
          + "\(Int(load.rates.upperBound)) requests/s): give a longer --window")
    }
    let workload = load.workload
    return CapacityPlan(
      case: PlannedCase(
        name: load.selected.name, workload: workload.name, parameters: load.selected.parameters,
        windowSeconds: window, workers: processors.workers(isServed: true), rigProcessors: processors.rig,
        modelProcessors: processors.model(isServed: true)),
      rateParameter: load.parameter, requestsPerUnit: load.requestsPerUnit, objective: objective,
      latencyClass: load.latencyClass, seed: seed, warmUpSeconds: warmUpSeconds ?? Preset.quick.warmUpSeconds,
      curveWindowSeconds: windowSeconds ?? max(4, window),
      startRate: min(max(lowest, (load.ownRate / 2).rounded(.up)), load.rates.upperBound), lowestRate: lowest,
      highestRate: load.rates.upperBound, bracketRatio: 1.05, majority: 2, staircaseTrials: 12, toleratedVoids: 5,
      level: 0.95, curve: shares, checkShare: 0.8, checkTrials: 3, toleratesBusyHost: toleratesBusyHost)
  }

  var search: RateSearch {
    RateSearch(
      RateSearch.Settings(
        start: startRate, lowest: lowestRate, highest: highestRate, ratio: bracketRatio, majority: majority,
        staircaseTrials: staircaseTrials, toleratedVoids: toleratedVoids))
  }

  /// The shares of the curve's trials, those of the check as often as it has trials.
  var curveTrials: [Double] {
    curve.flatMap { share in Array(repeating: share, count: share == checkShare ? max(1, checkTrials) : 1) }
  }

  /// Seconds that a trial takes, its processes' start and end included.
  func seconds(isCurve: Bool) -> Double {
    warmUpSeconds + (isCurve ? curveWindowSeconds : `case`.windowSeconds ?? 0) + Plan.overheadSeconds(isServed: true)
  }

  /// Seconds for so many models, about.
  public func expectedSeconds(models: Int) -> Double {
    let own =
      Double(search.expectedTrialsLeft) * seconds(isCurve: false)
      + Double(curveTrials.count) * seconds(isCurve: true)
    return own * Double(models)
  }
}
