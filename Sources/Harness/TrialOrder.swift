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

/// One trial, ready to be run.
struct TrialOrder: Sendable {
  var model: ModelProgram
  var variant: String?
  var workload: Workload
  /// Every parameter of the workload.
  var parameters: [String: ParameterValue]
  var seed: UInt64
  var warmUp: Duration
  var window: Duration
  /// A check: a served workload's load ends after so many requests instead of by time, an in-process one has done at
  /// least so many in its window.
  var operations: Int?
  var isGated = false
  /// The calibrated speed of the CPU work, if it is known.
  var iterationsPerMillisecond: Int?
  var processors: ProcessorSets
  var deadlines = Deadlines()
  /// What is counted from outside; empty in every trial that is timed.
  var probes: Set<ProbeState.Name> = []

  /// How long each wait may take before the side that is waited for counts as hung. Hosts have been seen to take the
  /// processors away for 20 s, which must not become a model's state.
  struct Deadlines: Sendable {
    /// The rig: to listen, and to print its result.
    var rig: Duration = .seconds(30)
    /// The model: from the request to `ready`.
    var ready: Duration = .seconds(30)
    /// The model: to answer an edge.
    var edge: Duration = .seconds(30)
    /// Both: without any progress under load, and for what is left of it at its end.
    var patience: Duration = .seconds(30)
    /// The whole of a load that is bounded by count, beyond its own time.
    var load: Duration = .seconds(30)
    /// In-process: building what the case needs, beyond the warm-up; and finishing what was started, beyond the window.
    var work: Duration = .seconds(60)
    /// The model: from `drain` to `result`, and from the end of its input to its exit.
    var drain: Duration = .seconds(30)
    var exit: Duration = .seconds(30)
  }
}

extension TrialOrder {
  /// The model's: those that the rig leaves, or all where there is no rig.
  var modelProcessors: [Int] { processors.model(isServed: workload.isServed) }
  var workers: Int { processors.workers(isServed: workload.isServed) }
  var leastOperations: Int? { workload.isServed ? nil : operations }
  /// Served workloads have a parameter `load`, which is `closed` or names a schedule, or are open loops always.
  var isOpenLoop: Bool { workload.isServed && parameters["load"] != .text("closed") }
  /// Operations per second that an in-process model with `load=paced` is to make; nil where it makes what it can.
  var pacedRate: Double? {
    guard !workload.isServed, parameters["load"] == .text("paced") else { return nil }
    switch parameters["rate"] {
    case .number(let rate): return rate
    case .integer(let rate): return Double(rate)
    case .text, nil: return nil
    }
  }

  /// What the model is asked.
  func request(backendPort: UInt16? = nil) -> TrialRequest {
    var request = TrialRequest(
      workload: workload.name, variant: variant, parameters: parameters, seed: seed, workers: workers,
      backendPort: backendPort, iterationsPerMillisecond: iterationsPerMillisecond)
    if !workload.isServed {
      request.warmUpNanoseconds = warmUp.nanoseconds
      request.windowNanoseconds = window.nanoseconds
      request.isGated = isGated
    }
    return request
  }

  /// What the oracle judges by.
  func evidence(_ seen: Observation) -> Evidence {
    Evidence(
      parameters: parameters, variant: variant, isGated: isGated, model: seen.modelLedger ?? [:],
      rig: seen.rig?.ledger ?? [:], openSockets: seen.openSockets, operations: seen.operations,
      samples: seen.latencies.mapValues(\.count), iterationsPerMillisecond: iterationsPerMillisecond,
      grownBytes: seen.grownBytes)
  }
}

/// Where the model's and the rig's standard error go, and the lines of the model's conversation.
struct TrialFiles: Sendable {
  var modelError: BoundedFile
  /// Of a served trial; empty in others.
  var rigError: BoundedFile
  var replies: BoundedFile?
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
  /// With `limit`: the units that were reached, as the model says.
  var reached: Int?
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
  /// The same with what is known to be broken besides.
  func adding(_ found: [Finding]) -> TrialEnd {
    guard !found.isEmpty else { return self }
    var end = self
    end.findings += found
    end.reason += "; " + found.map(\.description).joined(separator: "; ")
    return end
  }
  static let interrupted = TrialEnd(cause: .interrupted, reason: "interrupted")
}

/// What was read on one side of the window.
struct EdgeReading: Sendable {
  var usage: Usage
  /// CPU time of the model's process by the clock that others see, and when it was read: after the model's answer had
  /// come, which on a loaded processor takes its time.
  var outside: Reading?
  /// What the probes counted so far; nil in a timed trial.
  var probes: ProbeReading?

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

  /// In-process: what the model says, and the length of its window between its edges.
  var operations: Int?
  var latencies: [String: LatencySummary] = [:]
  var measures: [Measure] = []
  var windowNanoseconds: UInt64?
  /// In-process: the kernel's own memory, of the whole host.
  var kernelGrowthBytes: Int?
  /// What the window lost to others; nil where the kernel gives no account.
  var host: HostFigures?

  /// What the process had grown by between `ready` and the window's end.
  var grownBytes: Int? {
    guard let steadyPSSBytes, let idlePSSBytes else { return nil }
    return steadyPSSBytes - idlePSSBytes
  }
}
