// What a workload is: the contract that every model implements and the oracle that judges whether it did.

/// A kind of work with a contract.
public struct Workload: Sendable {
  public let name: String
  /// The question that this workload answers, for people.
  public let question: String
  /// The contract in prose: procedure, operation counted, what is recorded.
  public let contract: String
  /// What one operation is, as in "answered request".
  public let operation: String
  /// Whether the rig drives it over sockets; else the model drives itself.
  public let isServed: Bool
  public let parameters: [Parameter]
  /// Deviations from the contract that a model may offer; each is a row of its own.
  public let variants: [Variant]
  /// The oracle's rules: name and meaning.
  public let rules: [(name: String, meaning: String)]
  /// Those of them that judge by shares of what happened, so that a trial of which the host took the most breaks them too.
  public var rulesOfShares: Set<String> = []
  public let cases: [Case]
  /// Small and gated cases for `switchyard check`.
  public let checks: [Check]
  /// The oracle.
  public let judge: @Sendable (Evidence) -> [Finding]

  public struct Variant: Sendable {
    public let name: String
    public let meaning: String
  }

  /// The default of every parameter.
  public var defaults: [String: ParameterValue] {
    Dictionary(uniqueKeysWithValues: parameters.map { ($0.name, $0.defaultValue) })
  }

  public func parameter(_ name: String) throws(ParameterError) -> Parameter {
    guard let parameter = parameters.first(where: { $0.name == name }) else {
      let known = parameters.map(\.name).joined(separator: ", ")
      throw ParameterError("'\(name)' is not a parameter of \(self.name): it has \(known)")
    }
    return parameter
  }

  /// The defaults with `changes` laid over them, every value checked.
  public func values(_ changes: [String: ParameterValue]) throws(ParameterError) -> [String: ParameterValue] {
    var values = defaults
    for (name, value) in changes.sorted(by: { $0.key < $1.key }) {
      values[name] = try parameter(name).validate(value)
    }
    return values
  }
}

/// A workload with its parameters fixed.
public struct Case: Sendable {
  /// Short name, a string everywhere: `fan-out/closed`.
  public let name: String
  /// What differs from the workload's defaults.
  public let changes: [String: ParameterValue]
  /// The presets that include it.
  public let presets: Set<Preset>
  /// Metrics that a reader should look at first, by name in the result.
  public let headlines: [String]
}

/// How much is run. What each costs and claims stands in the README.
public enum Preset: String, Sendable, Codable, CaseIterable {
  case quick, standard, full

  /// Trials of every (case, model).
  public var rounds: Int {
    switch self {
    case .quick: 3
    case .standard: 12
    case .full: 12
    }
  }
  /// Load before the window opens, in seconds.
  public var warmUpSeconds: Double { 1 }
  /// The measured window, in seconds. Where latency is a headline it is long enough, at 2,000 samples a second, for the
  /// 10,000 that a p99 takes.
  public func windowSeconds(measuresLatency: Bool) -> Double {
    if measuresLatency { return 6 }
    return self == .quick ? 2 : 4
  }
  /// Whether tables made with it may claim anything.
  public var claims: Bool { self != .quick }
}

/// A case of `switchyard check`: small, judged, never timed. A served one is bounded by count, an in-process one by a
/// window of ``inProcessWindowSeconds`` without warm-up.
public struct Check: Sendable {
  public let name: String
  /// What this check can see that the others cannot.
  public let purpose: String
  public let changes: [String: ParameterValue]
  /// Served: operations to do before the load ends. In-process: the least that must have been done.
  public let operations: Int
  /// Served: no child is answered before all its siblings have arrived. In-process: as the contract says.
  public let isGated: Bool

  /// Served: what makes time count for less, where the check has failed by a rule of ``Workload/rulesOfShares``.
  public var changesInPatience: [String: ParameterValue] = [:]

  public static let inProcessWindowSeconds = 0.3
}

/// Everything the oracle judges by.
public struct Evidence: Sendable {
  public let parameters: [String: ParameterValue]
  public let variant: String?
  public let isGated: Bool
  /// What the model says that it counted.
  public let model: Ledger
  /// What the rig counted at the other end of the sockets; empty for in-process workloads.
  public let rig: Ledger
  /// TCP sockets that the model's process still held after it had printed its result, read from outside;
  /// nil where the process was gone or could not be read.
  public let openSockets: Int?
  /// In-process: operations within the window, samples recorded by class, and the calibrated iterations of CPU work.
  public let operations: Int?
  public let samples: [String: Int]
  public let iterationsPerMillisecond: Int?
  /// What the process's memory (PSS) had grown by between `ready` and the end of the window, read from outside.
  public let grownBytes: Int?

  public init(
    parameters: [String: ParameterValue], variant: String?, isGated: Bool, model: Ledger, rig: Ledger = [:],
    openSockets: Int? = nil, operations: Int? = nil, samples: [String: Int] = [:], iterationsPerMillisecond: Int? = nil,
    grownBytes: Int? = nil
  ) {
    self.parameters = parameters
    self.variant = variant
    self.isGated = isGated
    self.model = model
    self.rig = rig
    self.openSockets = openSockets
    self.operations = operations
    self.samples = samples
    self.iterationsPerMillisecond = iterationsPerMillisecond
    self.grownBytes = grownBytes
  }
}

extension Workload {
  /// All workloads, in the order of the tables.
  public static let all: [Workload] = [
    .fanOut, .timerStorm, .pipeline, .blockingMix, .spawnTree, .pingPong, .brigade, .parked, .contention, .channel,
  ]

  public static func named(_ name: String) throws(ParameterError) -> Workload {
    guard let workload = all.first(where: { $0.name == name }) else {
      throw ParameterError("'\(name)' is not a workload: there is \(all.map(\.name).joined(separator: ", "))")
    }
    return workload
  }
}
