// A capacity search on disk, while it is made: each trial in its folder, then capacity.json anew with it, so that the
// folder tells what is known whatever ends this process.

import ResultFormat
import Statistics

struct CapacityRecord {
  private(set) var result: CapacityResult
  let folder: String

  init(_ result: CapacityResult, folder: String) throws(HarnessError) {
    self.result = result
    self.folder = folder
    try write()
  }

  var nextNumber: Int { (result.trials.last?.trial.number ?? 0) + 1 }
  func path(of number: Int) -> String { "\(folder)/\(RunFiles.trialsName)/\(number)" }

  mutating func add(_ trial: CapacityTrial) throws(HarnessError) {
    do throws(ResultError) {
      try RunFiles.writeTrial(trial.trial, to: path(of: trial.trial.number))
    } catch {
      throw HarnessError(error)
    }
    result.trials.append(trial)
  }

  /// Puts down what a search has come to.
  mutating func update(_ index: Int, _ search: RateSearch) throws(HarnessError) {
    result.models[index].take(search, level: result.plan.level)
    try write()
  }

  /// Every model has its answer and its curve.
  mutating func complete() throws(HarnessError) {
    result.isInterrupted = false
    try write()
  }

  func write() throws(HarnessError) {
    do throws(ResultError) {
      try RunFiles.writeCapacity(result, to: folder)
    } catch {
      throw HarnessError(error)
    }
  }
}

extension CapacityModel {
  mutating func take(_ search: RateSearch, level: Double) {
    sustained = search.sustained
    missed = search.missed
    capacity = nil
    switch search.ending {
    case nil: ending = nil
    case .belowLowest: ending = .belowLowest
    case .aboveHighest: ending = .aboveHighest
    case .rigLimit: ending = .rigLimit
    case .unsettled:
      ending = .unsettled
      reason = "\(search.settings.toleratedVoids + 1) trials in a row were void"
    case .found:
      let threshold = search.threshold(level: level)
      let isBelowRig = { (rate: Double) in search.rigLimit.map { rate < $0 } ?? true }
      if let rate = threshold.estimate {
        // What the load generator could not bear says nothing of the model.
        ending = isBelowRig(rate) ? .found : .rigLimit
        if isBelowRig(rate) {
          capacity = Estimate(
            requestsPerSecond: rate, low: threshold.low, high: threshold.high.flatMap { isBelowRig($0) ? $0 : nil })
        }
      } else {
        // The bracket was missed by chance, and all that followed was sustained; or the other way about.
        ending = .unsettled
        reason = "later trials contradict the bracket"
      }
    }
  }
}

extension RateSearch.Outcome {
  init(_ verdict: CapacityVerdict) {
    self =
      switch verdict {
      case .sustained: .sustained
      case .missed: .missed
      case .rigLimit: .rigLimit
      case .void: .void
      }
  }
}
