// What one trial is to do, and what came of it.

import ResultFormat
import Workloads

/// A model's executable, as the harness starts it.
public struct ModelProgram: Sendable, Hashable {
  public let name: String
  public let path: String
  /// Whether it came from outside this package.
  public let isGuest: Bool

  public init(name: String, path: String, isGuest: Bool) {
    self.name = name
    self.path = path
    self.isGuest = isGuest
  }
}

/// One trial of a served workload, ready to be run.
struct TrialOrder: Sendable {
  var model: ModelProgram
  var variant: String?
  var workload: Workload
  /// Every parameter of the workload.
  var parameters: [String: ParameterValue]
  var seed: UInt64
  var warmUp: Duration
  var window: Duration
  /// Ends the load after so many requests instead of by time.
  var operations: Int?
  var isGated = false
  var processors: ProcessorSets
  var deadlines = Deadlines()

  /// How long each wait may take before the side that is waited for counts as hung.
  struct Deadlines: Sendable {
    /// The rig: to listen, and to print its result.
    var rig: Duration = .seconds(20)
    /// The model: from the request to `ready`.
    var ready: Duration = .seconds(30)
    /// The model: to answer an edge.
    var edge: Duration = .seconds(5)
    /// Both: without any progress under load, and for what is left of it at its end.
    var patience: Duration = .seconds(10)
    /// The whole of a load that is bounded by count, beyond its own time.
    var load: Duration = .seconds(20)
    /// The model: from `drain` to `result`, and from the end of its input to its exit.
    var drain: Duration = .seconds(15)
    var exit: Duration = .seconds(10)
  }
}

/// Why a trial did not become a number.
struct TrialEnd: Error, Sendable {
  enum Cause: Sendable, Hashable {
    case failed(TrialState)
    /// Somebody stopped the run; the trial never was.
    case interrupted
  }
  var cause: Cause
  /// What happened, without the names of model and case.
  var reason: String
  var findings: [Finding] = []
  /// What was known by then.
  var evidence = Observation()

  static func failed(_ state: TrialState, _ reason: String) -> TrialEnd {
    TrialEnd(cause: .failed(state), reason: reason)
  }
  static func wrong(_ findings: [Finding]) -> TrialEnd {
    TrialEnd(
      cause: .failed(.wrong), reason: findings.map(\.description).joined(separator: "; "), findings: findings)
  }
  /// The model said something that PROTOCOL.md does not allow.
  static func protocolBroken(_ message: String) -> TrialEnd { .wrong([Finding("protocol", message)]) }
  static let interrupted = TrialEnd(cause: .interrupted, reason: "interrupted")
}

/// What was read on one side of the window.
struct EdgeReading: Sendable {
  var usage: Usage
  /// CPU time of the model's process by the clock that others see, and when it was read: after the model's answer had
  /// come, which on a loaded processor takes its time.
  var outside: Reading?

  struct Reading: Sendable {
    var processorNanoseconds: Int
    var monotonicNanoseconds: UInt64
  }
}

/// Everything that was learned about a trial.
struct Observation: Sendable {
  var open: EdgeReading?
  var close: EdgeReading?
  var idlePSSBytes: Int?
  var steadyPSSBytes: Int?
  var closing = Probe.Status()
  var peakThreadsSampled: Int?
  var modelLedger: Ledger?
  var counters: Ledger?
  var rig: RigResult?
  var openSockets: Int?
}
