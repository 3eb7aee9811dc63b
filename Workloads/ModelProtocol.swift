// The messages between the harness and a model: one JSON object a line, commands on the model's standard input,
// replies on its standard output. PROTOCOL.md is the specification; both must change together.

/// The version of PROTOCOL.md that this code speaks.
public let protocolVersion = 1

/// A line from the harness to a model.
public struct ModelCommand: Sendable, Codable {
  public enum Name: String, Sendable, Codable {
    case describe, trial, begin, edge, drain
  }
  public var command: Name
  /// With `describe` and `trial`.
  public var `protocol`: Int?
  /// With `trial`.
  public var trial: TrialRequest?
  /// With `edge`.
  public var edge: Edge?

  public static let describe = ModelCommand(command: .describe, protocol: protocolVersion)
  /// With an in-process workload: start the work, and with it the warm-up.
  public static let begin = ModelCommand(command: .begin)
  public static let drain = ModelCommand(command: .drain)
  public static func trial(_ request: TrialRequest) -> ModelCommand {
    ModelCommand(command: .trial, protocol: protocolVersion, trial: request)
  }
  public static func edge(_ edge: Edge) -> ModelCommand { ModelCommand(command: .edge, edge: edge) }
}

/// The two ends of the measured window.
public enum Edge: String, Sendable, Codable { case open, close }

/// What a model is asked to do in one trial.
public struct TrialRequest: Sendable, Codable, Hashable {
  public var workload: String
  public var variant: String?
  /// Every parameter of the workload, by name.
  public var parameters: [String: ParameterValue]
  public var seed: UInt64
  /// Threads that may run the model's work at once. No model asks the system.
  public var workers: Int
  /// With a served workload: the loopback port at which the rig plays the backend.
  public var backendPort: UInt16?
  /// With an in-process workload: how long the model works before it opens its window, and how long the window is.
  public var warmUpNanoseconds: UInt64?
  public var windowNanoseconds: UInt64?
  /// With an in-process workload: a check in which units wait for each other, or the sink stands still, as the
  /// workload's contract says. A served model is not told: there the rig is the gate.
  public var isGated: Bool?
  /// Iterations of ``CPUWork`` that take a millisecond on this host, calibrated once per run and equal for all models.
  public var iterationsPerMillisecond: Int?

  public init(
    workload: String, variant: String?, parameters: [String: ParameterValue], seed: UInt64, workers: Int,
    backendPort: UInt16? = nil, warmUpNanoseconds: UInt64? = nil, windowNanoseconds: UInt64? = nil,
    isGated: Bool? = nil, iterationsPerMillisecond: Int? = nil
  ) {
    self.workload = workload
    self.variant = variant
    self.parameters = parameters
    self.seed = seed
    self.workers = workers
    self.backendPort = backendPort
    self.warmUpNanoseconds = warmUpNanoseconds
    self.windowNanoseconds = windowNanoseconds
    self.isGated = isGated
    self.iterationsPerMillisecond = iterationsPerMillisecond
  }
}

/// A line from a model to the harness.
public struct ModelReply: Sendable, Codable {
  public enum Name: String, Sendable, Codable {
    case description, ready, edge, result, failure
  }
  public var reply: Name
  /// With `description`.
  public var `protocol`: Int?
  public var description: ModelDescription?
  /// With `ready`, of a served workload: where the model listens.
  public var port: UInt16?
  /// With `edge`.
  public var edge: Edge?
  public var usage: Usage?
  /// With `edge` and `result`.
  public var ledger: Ledger?
  /// With `result`: whatever else the model's runtime counted; shown, never judged.
  public var counters: Ledger?
  /// With `result` of an in-process workload: operations completed between the two edges.
  public var operations: Int?
  /// With `result` of an in-process workload: latencies of operations within the window, by class.
  public var latencies: [String: RecordedCounts]?
  /// With `result`: figures that only this workload has.
  public var measures: [Measure]?
  /// With `failure`.
  public var failure: ModelFailure?

  public init(reply: Name) { self.reply = reply }
}

/// A figure that only one workload has, as the spread of sections per unit.
public struct Measure: Sendable, Codable, Hashable {
  public var name: String
  public var unit: String
  public var value: Double

  public init(_ name: String, unit: String, _ value: Double) {
    self.name = name
    self.unit = unit
    self.value = value
  }
}

/// A model's answer to `describe`.
public struct ModelDescription: Sendable, Codable, Hashable {
  public struct Support: Sendable, Codable, Hashable {
    public var workload: String
    public var variants: [String]
    /// Why the model does not implement the workload; nil if it does.
    public var unsupported: String?

    public init(workload: String, variants: [String], unsupported: String? = nil) {
      self.workload = workload
      self.variants = variants
      self.unsupported = unsupported
    }
  }
  public var model: String
  /// The model's idiom in one line.
  public var idiom: String
  /// Name and version of the allocator in use, as far as the model knows.
  public var allocator: String?
  public var workloads: [Support]

  public init(model: String, idiom: String, allocator: String?, workloads: [Support]) {
    self.model = model
    self.idiom = idiom
    self.allocator = allocator
    self.workloads = workloads
  }
}

/// What the model's process has used since its start, read by itself (counters read from outside lose the threads
/// that have exited).
public struct Usage: Sendable, Codable, Hashable {
  /// CLOCK_MONOTONIC at the reading, in nanoseconds.
  public var monotonicNanoseconds: UInt64
  public var userNanoseconds: UInt64
  public var systemNanoseconds: UInt64
  public var voluntarySwitches: Int
  public var involuntarySwitches: Int
  public var minorFaults: Int
  public var majorFaults: Int
  /// Live bytes and allocations so far according to the allocator; nil where it cannot tell.
  public var heapAllocatedBytes: Int?
  public var heapAllocations: Int?

  public init(
    monotonicNanoseconds: UInt64, userNanoseconds: UInt64, systemNanoseconds: UInt64, voluntarySwitches: Int,
    involuntarySwitches: Int, minorFaults: Int, majorFaults: Int, heapAllocatedBytes: Int?, heapAllocations: Int?
  ) {
    self.monotonicNanoseconds = monotonicNanoseconds
    self.userNanoseconds = userNanoseconds
    self.systemNanoseconds = systemNanoseconds
    self.voluntarySwitches = voluntarySwitches
    self.involuntarySwitches = involuntarySwitches
    self.minorFaults = minorFaults
    self.majorFaults = majorFaults
    self.heapAllocatedBytes = heapAllocatedBytes
    self.heapAllocations = heapAllocations
  }
}

/// Why a model cannot go on.
public struct ModelFailure: Sendable, Codable, Hashable, Error, CustomStringConvertible {
  public enum State: String, Sendable, Codable {
    /// The request is none that this model can serve.
    case unsupported
    /// A limit of the system was reached; `reached` says where.
    case limit
    case outOfMemory = "out-of-memory"
    /// Anything else.
    case failed
  }
  public var state: State
  public var reason: String
  /// The count that was reached, with `limit`.
  public var reached: Int?

  public init(_ state: State, _ reason: String, reached: Int? = nil) {
    self.state = state
    self.reason = reason
    self.reached = reached
  }
  public var description: String { reason }
}
