// The rows of a calibration (`switchyard calibrate`): the same model under further names, so that the truth about every
// difference between them is known beforehand. A plan with such rows is a calibration, and its run is reported as one:
// a figure of a slowed copy passes for no model's.

import Workloads

/// A row of the plan that is another row's executable under a name of its own.
public struct ModelCopy: Sendable, Codable, Hashable {
  /// The row's, as in ``PlannedModel``. It has the variant of the row that it copies.
  public var name: String
  /// The name of the model that it is.
  public var model: String
  /// What sets a slowed copy apart; nil for one that nothing does.
  public var slowdown: Slowdown?

  public init(name: String, model: String, slowdown: Slowdown? = nil) {
    self.name = name
    self.model = model
    self.slowdown = slowdown
  }
}

/// A difference that is there on purpose: more work in each operation. It is made by parameters, so that the oracle
/// demands the additional work, and every trial states it.
public struct Slowdown: Sendable, Codable, Hashable {
  /// The case on which it is made; the copy runs no other.
  public var `case`: String
  /// What an operation takes, as a multiple of what it takes the model: 1.1 for 10 % more.
  public var factor: Double
  /// The parameters in place of the case's own.
  public var changes: [String: ParameterValue]

  public init(case: String, factor: Double, changes: [String: ParameterValue]) {
    self.case = `case`
    self.factor = factor
    self.changes = changes
  }
}

extension Plan {
  public var isCalibration: Bool { copies != nil }

  /// The rows that are no copies.
  public var originals: [PlannedModel] {
    models.filter { model in !(copies ?? []).contains { $0.name == model.name } }
  }

  /// The row that copies another one, exactly or slowed.
  public func copy(of original: PlannedModel, isSlowed: Bool) -> PlannedModel? {
    guard let copy = copies?.first(where: { $0.model == original.name && ($0.slowdown != nil) == isSlowed }) else {
      return nil
    }
    return models.first { $0.name == copy.name && $0.variant == original.variant }
  }

  /// The parameters of a trial: its case's, but for what a slowed copy has in their place. Empty for a case that is not
  /// the plan's.
  public func parameters(of trial: PlannedTrial) -> [String: ParameterValue] {
    guard let planned = cases.first(where: { $0.name == trial.case }) else { return [:] }
    let slowdown = copies?.first { $0.name == trial.model }?.slowdown
    guard let slowdown, slowdown.case == trial.case else { return planned.parameters }
    return planned.parameters.merging(slowdown.changes) { $1 }
  }
}
