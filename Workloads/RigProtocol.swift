// The messages between the harness and the rig: JSON lines like the model's, but an internal matter of this package.
// A trial: `load` -> `listening`, `connect` -> `edge` open, `edge` close, `drained`, `finish` -> `result`.

/// A line from the harness to the rig.
public struct RigCommand: Sendable, Codable {
  public enum Name: String, Sendable, Codable { case load, connect, finish }
  public var command: Name
  /// With `load`.
  public var load: RigLoad?
  /// With `connect`: the model's port.
  public var port: UInt16?

  public init(_ command: Name, load: RigLoad? = nil, port: UInt16? = nil) {
    self.command = command
    self.load = load
    self.port = port
  }
}

/// What the rig is to do in one trial.
public struct RigLoad: Sendable, Codable, Hashable {
  public var workload: String
  public var parameters: [String: ParameterValue]
  public var seed: UInt64
  public var warmUpNanoseconds: UInt64
  public var windowNanoseconds: UInt64
  /// How long to wait for answers after the load has ended, and for any progress during it.
  public var patienceNanoseconds: UInt64
  /// Ends the load after so many requests instead of by time: the window then opens with the first request and closes
  /// with the last answer. Checks use it.
  public var operations: Int?
  /// The backend answers none of an id's sub-requests before all have arrived.
  public var isGated: Bool
  /// Whether the rig has a processor of its own and may spin on it.
  public var spins: Bool
  /// Where the rate follows from the model's workers or requests carry CPU work: how many workers it has, and the
  /// iterations of ``CPUWork`` that take a millisecond.
  public var workers: Int?
  public var iterationsPerMillisecond: Int?

  public init(
    workload: String, parameters: [String: ParameterValue], seed: UInt64, warmUpNanoseconds: UInt64,
    windowNanoseconds: UInt64, patienceNanoseconds: UInt64, operations: Int?, isGated: Bool, spins: Bool,
    workers: Int? = nil,
    iterationsPerMillisecond: Int? = nil
  ) {
    self.workload = workload
    self.parameters = parameters
    self.seed = seed
    self.warmUpNanoseconds = warmUpNanoseconds
    self.windowNanoseconds = windowNanoseconds
    self.patienceNanoseconds = patienceNanoseconds
    self.operations = operations
    self.isGated = isGated
    self.spins = spins
    self.workers = workers
    self.iterationsPerMillisecond = iterationsPerMillisecond
  }
}

/// A line from the rig to the harness.
public struct RigReply: Sendable, Codable {
  public enum Name: String, Sendable, Codable { case listening, edge, drained, result, failure }
  public var reply: Name
  /// With `listening`: the backend's port.
  public var port: UInt16?
  /// With `edge`.
  public var edge: Edge?
  public var monotonicNanoseconds: UInt64?
  /// With `result`.
  public var result: RigResult?
  /// With `failure`.
  public var reason: String?

  public init(_ reply: Name) { self.reply = reply }
}

/// Recorded values and how often each was seen: (nanoseconds, count), ascending; values are those of an HdrHistogram
/// with 3 significant digits.
public typealias RecordedCounts = [[UInt64]]

/// What the rig measured and counted.
public struct RigResult: Sendable, Codable {
  public var windowOpenNanoseconds: UInt64
  public var windowCloseNanoseconds: UInt64
  /// Requests answered within the window.
  public var operations: Int
  /// Requests intended (open loop) or sent (closed loop) within the window.
  public var offered: Int
  /// By class: `all`, or a workload's own, from the intended start; and `added` where there is a backend.
  public var latencies: [String: RecordedCounts]
  /// Actual minus intended send time of requests.
  public var sendLateness: RecordedCounts
  /// Actual minus due send time of the backend's replies.
  public var backendLateness: RecordedCounts
  /// Time spent in turns of the loop that found work, within the window.
  public var busyNanoseconds: UInt64
  /// CPU time of the rig's process within the window, spinning included.
  public var cpuNanoseconds: UInt64
  /// Whether every request intended in the window was sent and answered before patience ran out.
  public var isComplete: Bool
  public var ledger: Ledger
  /// Figures that only this workload has.
  public var measures: [Measure]?

  public init(
    windowOpenNanoseconds: UInt64, windowCloseNanoseconds: UInt64, operations: Int, offered: Int,
    latencies: [String: RecordedCounts], sendLateness: RecordedCounts, backendLateness: RecordedCounts,
    busyNanoseconds: UInt64, cpuNanoseconds: UInt64, isComplete: Bool, ledger: Ledger,
    measures: [Measure] = []
  ) {
    self.windowOpenNanoseconds = windowOpenNanoseconds
    self.windowCloseNanoseconds = windowCloseNanoseconds
    self.operations = operations
    self.offered = offered
    self.latencies = latencies
    self.sendLateness = sendLateness
    self.backendLateness = backendLateness
    self.busyNanoseconds = busyNanoseconds
    self.cpuNanoseconds = cpuNanoseconds
    self.isComplete = isComplete
    self.ledger = ledger
    self.measures = measures
  }
}
