// What a capacity search is going to do: the part of capacity.json that stands before its first trial.

import Workloads

/// What was declared before the first trial.
public struct CapacityPlan: Sendable, Codable, Hashable {
  /// The case, with the rate that it has by itself; its window is that of the search.
  public var `case`: PlannedCase
  /// The parameter that sets the rate, and the requests per second that a value of 1 offers.
  public var rateParameter: String
  public var requestsPerUnit: Double
  public var objective: ServiceObjective
  /// The latencies that it is about.
  public var latencyClass: String
  public var seed: UInt64
  public var warmUpSeconds: Double
  /// The window of the curve's trials.
  public var curveWindowSeconds: Double

  /// Requests per second.
  public var startRate: Double
  public var lowestRate: Double
  public var highestRate: Double
  /// How close the ends of the bracket come, as a ratio.
  public var bracketRatio: Double
  /// Equal verdicts that decide over a rate of the bracket.
  public var majority: Int
  public var staircaseTrials: Int
  /// More void trials in a row end the search of a model.
  public var toleratedVoids: Int
  /// Of the interval: 0.95.
  public var level: Double
  /// The loads of the curve, as shares of the capacity, and the one at which the objective is checked by `checkTrials`.
  public var curve: [Double]
  public var checkShare: Double
  public var checkTrials: Int
  /// Whether trials count that other programs disturbed: somebody asked for it.
  public var toleratesBusyHost: Bool

  public init(
    case: PlannedCase, rateParameter: String, requestsPerUnit: Double, objective: ServiceObjective,
    latencyClass: String, seed: UInt64, warmUpSeconds: Double, curveWindowSeconds: Double, startRate: Double,
    lowestRate: Double, highestRate: Double, bracketRatio: Double, majority: Int, staircaseTrials: Int,
    toleratedVoids: Int, level: Double, curve: [Double], checkShare: Double, checkTrials: Int, toleratesBusyHost: Bool
  ) {
    self.case = `case`
    self.rateParameter = rateParameter
    self.requestsPerUnit = requestsPerUnit
    self.objective = objective
    self.latencyClass = latencyClass
    self.seed = seed
    self.warmUpSeconds = warmUpSeconds
    self.curveWindowSeconds = curveWindowSeconds
    self.startRate = startRate
    self.lowestRate = lowestRate
    self.highestRate = highestRate
    self.bracketRatio = bracketRatio
    self.majority = majority
    self.staircaseTrials = staircaseTrials
    self.toleratedVoids = toleratedVoids
    self.level = level
    self.curve = curve
    self.checkShare = checkShare
    self.checkTrials = checkTrials
    self.toleratesBusyHost = toleratesBusyHost
  }

  public func judge(_ trial: Trial) -> CapacityJudgement {
    objective.judge(trial, latencyClass: latencyClass, toleratesBusyHost: toleratesBusyHost)
  }
}
