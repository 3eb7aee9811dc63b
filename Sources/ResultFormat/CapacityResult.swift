// A capacity search on disk: `capacity.json`, with a version of its own. Like run.json it holds all that a report needs:
// the plan as it was declared, every trial with its verdict, and for each model what came of it.

import Workloads

/// The version of capacity.json that this code writes, and the only one that it reads.
public let currentCapacityVersion = 1

/// One invocation of `switchyard capacity`.
public struct CapacityResult: Sendable, Codable, Hashable {
  public var schemaVersion: Int
  public var environment: RunEnvironment
  public var plan: CapacityPlan
  public var models: [CapacityModel]
  /// In the order in which they were run.
  public var trials: [CapacityTrial]
  /// Whether it ended, by whatever, before every model had its answer and its curve: true until then.
  public var isInterrupted: Bool

  public init(environment: RunEnvironment, plan: CapacityPlan, models: [CapacityModel]) {
    schemaVersion = currentCapacityVersion
    self.environment = environment
    self.plan = plan
    self.models = models
    trials = []
    isInterrupted = true
  }

  /// Element by element, so that an error says which. Every verdict is found again from its trial.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    schemaVersion = try container.decode(Int.self, forKey: .schemaVersion)
    environment = try container.decode(Placed<RunEnvironment>.self, forKey: .environment).value
    plan = try container.decode(Placed<CapacityPlan>.self, forKey: .plan).value
    models = try container.decode([Placed<CapacityModel>].self, forKey: .models).map(\.value)
    trials = try container.decode([Placed<CapacityTrial>].self, forKey: .trials).map(\.value)
    isInterrupted = try container.decode(Bool.self, forKey: .isInterrupted)
    if let problem {
      throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: problem))
    }
  }

  /// The first thing that does not fit the rest; nil for a good result.
  private var problem: String? {
    for (index, model) in models.enumerated() {
      if let capacity = model.capacity {
        let isOrdered =
          0 < capacity.requestsPerSecond && capacity.low ?? 0 <= capacity.requestsPerSecond
          && capacity.requestsPerSecond <= capacity.high ?? .infinity
        if !isOrdered { return "models[\(index)].capacity: its interval does not hold its rate" }
      }
      if (model.ending == .found) != (model.capacity != nil) {
        return "models[\(index)]: a capacity belongs to the ending 'found', and to that alone"
      }
    }
    var numbers: Set<Int> = []
    for (index, trial) in trials.enumerated() {
      if !numbers.insert(trial.trial.number).inserted {
        return "trials[\(index)]: the number \(trial.trial.number) is there twice"
      }
      if !models.contains(where: { $0.isModel(of: trial) }) {
        return "trials[\(index)]: its model '\(trial.trial.model)' is not one of the models"
      }
      let judgement = plan.judge(trial.trial)
      if judgement.verdict != trial.judgement.verdict {
        return "trials[\(index)]: judged '\(trial.judgement.verdict.rawValue)', and its figures say "
          + "'\(judgement.verdict.rawValue)' (\(judgement.reason))"
      }
    }
    return nil
  }
}

/// What came of one model.
public struct CapacityModel: Sendable, Codable, Hashable {
  public enum Ending: String, Sendable, Codable, CaseIterable {
    case found
    /// Not even the lowest rate is sustained.
    case belowLowest = "below-lowest"
    /// The highest rate that the parameter allows is.
    case aboveHighest = "above-highest"
    /// Beyond what is sustained the rig is at its own limit.
    case rigLimit = "rig-limit"
    /// Too many void trials in a row, or trials that contradict each other.
    case unsettled
    /// The model does not do this workload.
    case unsupported

    public init(from decoder: any Decoder) throws { self = try decodeName(from: decoder) }
  }

  public struct Estimate: Sendable, Codable, Hashable {
    /// Half of the trials at this rate are sustained.
    public var requestsPerSecond: Double
    /// Ends of the interval; nil where the trials do not bound it.
    public var low: Double?
    public var high: Double?

    public init(requestsPerSecond: Double, low: Double?, high: Double?) {
      self.requestsPerSecond = requestsPerSecond
      self.low = low
      self.high = high
    }
  }

  public var model: PlannedModel
  /// Nil while the search goes on, or where it was interrupted.
  public var ending: Ending?
  /// Why the model does not do the workload.
  public var reason: String?
  public var capacity: Estimate?
  /// The bracket: the highest rate decided to be sustained, and the lowest decided to be missed.
  public var sustained: Double?
  public var missed: Double?

  public init(model: PlannedModel, ending: Ending? = nil, reason: String? = nil) {
    self.model = model
    self.ending = ending
    self.reason = reason
  }

  /// The rate that the curve's shares are of: the capacity, or where that lies beyond reach the highest rate sustained.
  public var reference: Double? {
    switch ending {
    case .found: capacity?.requestsPerSecond
    case .aboveHighest, .rigLimit: sustained
    case .belowLowest, .unsettled, .unsupported, nil: nil
    }
  }

  public func isModel(of trial: CapacityTrial) -> Bool {
    trial.trial.model == model.name && trial.trial.variant == model.variant
  }
}

/// A trial and what it says.
public struct CapacityTrial: Sendable, Codable, Hashable {
  /// The offered rate, in requests per second.
  public var rate: Double
  /// The share of the model's capacity, in the curve; nil in the search.
  public var share: Double?
  public var judgement: CapacityJudgement
  public var trial: Trial

  public init(rate: Double, share: Double?, judgement: CapacityJudgement, trial: Trial) {
    self.rate = rate
    self.share = share
    self.judgement = judgement
    self.trial = trial
  }
}

// MARK: - The check

extension CapacityResult {
  /// The trials of a model at one share of its capacity; those of the search for nil.
  public func trials(of model: CapacityModel, at share: Double?) -> [CapacityTrial] {
    trials.filter { model.isModel(of: $0) && $0.share == share }
  }

  /// At the share to check: trials that met the objective, and those that tell. Nil where none tells.
  public func check(of model: CapacityModel) -> (met: Int, of: Int)? {
    let telling = trials(of: model, at: plan.checkShare).filter {
      [.sustained, .missed].contains($0.judgement.verdict)
    }
    guard !telling.isEmpty else { return nil }
    return (telling.count { $0.judgement.verdict == .sustained }, telling.count)
  }

  /// Whether the majority of those met it; nil where none tells.
  public func meetsCheck(_ model: CapacityModel) -> Bool? { check(of: model).map { $0.met * 2 > $0.of } }
}
