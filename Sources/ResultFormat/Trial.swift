// One trial of one model on one case, as it stands in `trials/<n>/trial.json` and in `run.json`.

import Workloads

/// How a trial ended. Only `ok` has figures.
public enum TrialState: String, Sendable, Codable, CaseIterable {
  case ok
  /// The oracle found a broken rule.
  case wrong
  /// The model's process died by a signal or with an error of its own.
  case crashed
  /// The model hung: no reply, or requests never answered.
  case timeout
  /// A limit of the system was reached.
  case limit
  case outOfMemory = "out-of-memory"
  /// The model declines the workload or the variant.
  case unsupported
  /// The rig or the host was at fault; voids the case and round for all models.
  case voided

  public init(from decoder: any Decoder) throws { self = try decodeName(from: decoder) }
}

/// One trial.
public struct Trial: Sendable, Codable, Hashable {
  public var number: Int
  public var model: String
  public var variant: String?
  public var workload: String
  public var `case`: String
  public var parameters: [String: ParameterValue]
  public var seed: UInt64
  public var round: Int
  /// ISO 8601, UTC.
  public var startedAt: String
  public var state: TrialState
  /// Why the state is not `ok`, in a sentence.
  public var reason: String?
  /// The units that were reached, with `limit`, as far as the model says so.
  public var reached: Int?
  /// The rules that were broken, with `wrong`.
  public var findings: [Finding]
  public var warnings: [Warning]
  /// Nil unless the state is `ok`.
  public var figures: Figures?
  /// What the model and the rig counted, as far as they came to say so.
  public var ledger: Ledger?
  public var rigLedger: Ledger?
  /// Whatever else the model's runtime counted.
  public var counters: Ledger?
  /// What the window lost to others, also where the trial is not ok; nil where it never closed, where the kernel gives no
  /// account, and in runs from before this was recorded.
  public var host: HostFigures?

  public init(
    number: Int, model: String, variant: String?, workload: String, case: String,
    parameters: [String: ParameterValue], seed: UInt64, round: Int, startedAt: String, state: TrialState,
    reason: String? = nil, reached: Int? = nil, findings: [Finding] = [], warnings: [Warning] = [],
    figures: Figures? = nil,
    ledger: Ledger? = nil, rigLedger: Ledger? = nil, counters: Ledger? = nil, host: HostFigures? = nil
  ) {
    self.number = number
    self.model = model
    self.variant = variant
    self.workload = workload
    self.case = `case`
    self.parameters = parameters
    self.seed = seed
    self.round = round
    self.startedAt = startedAt
    self.state = state
    self.reason = reason
    self.reached = reached
    self.findings = findings
    self.warnings = warnings
    self.figures = figures
    self.ledger = ledger
    self.rigLedger = rigLedger
    self.counters = counters
    self.host = host
  }
}

/// Something that a reader of a trial's figures must know; decided from signals, never from the result's merit.
public enum Warning: String, Sendable, Codable, CaseIterable {
  /// The rig was busy for more than 80 % of the window: throughput is a lower bound.
  case rigSaturated = "rig-saturated"
  /// The rig was busy for more than 50 % of the window: latency carries no claim.
  case rigBusy = "rig-busy"
  /// Closed loop with neither side saturated: throughput is set by the parameters.
  case setByParameters = "set-by-parameters"
  /// Fewer requests were answered in the window than 95 % of those offered.
  case behindOfferedRate = "behind-offered-rate"
  /// The rig's p99 send lateness exceeds 1 ms: the schedule was not kept.
  case rigLate = "rig-late"
  /// The rig had no processor of its own.
  case sharedProcessor = "shared-processor"
  /// What else ran on the host, or the hypervisor took, used more than a tenth of a processor within the window, or a
  /// quota stopped the trial's processes for more than a hundredth of it.
  case hostBusy = "host-busy"
  /// The model's own CPU figures and those seen from outside differ by more than 5 %.
  case cpuDisagrees = "cpu-disagrees"

  public init(from decoder: any Decoder) throws { self = try decodeName(from: decoder) }
}

/// On disk a trial's figures stand beside its state, not in an object of their own: `operationsPerSecond`, `latencies`,
/// `memory`, ... are keys of the trial, present where the state is `ok` and only there.
extension Trial {
  private enum Key: String, CodingKey {
    case number, model, variant, workload, `case`, parameters, seed, round, startedAt, state, reason, reached, findings,
      warnings
    case ledger, rigLedger, counters, host
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    number = try container.decode(Int.self, forKey: .number)
    model = try container.decode(String.self, forKey: .model)
    variant = try container.decodeIfPresent(String.self, forKey: .variant)
    workload = try container.decode(String.self, forKey: .workload)
    `case` = try container.decode(String.self, forKey: .case)
    parameters = try container.decode([String: ParameterValue].self, forKey: .parameters)
    seed = try container.decode(UInt64.self, forKey: .seed)
    round = try container.decode(Int.self, forKey: .round)
    startedAt = try container.decode(String.self, forKey: .startedAt)
    state = try container.decode(TrialState.self, forKey: .state)
    reason = try container.decodeIfPresent(String.self, forKey: .reason)
    reached = try container.decodeIfPresent(Int.self, forKey: .reached)
    findings = try container.decodeIfPresent([Finding].self, forKey: .findings) ?? []
    warnings = try container.decodeIfPresent([Warning].self, forKey: .warnings) ?? []
    ledger = try container.decodeIfPresent(Ledger.self, forKey: .ledger)
    rigLedger = try container.decodeIfPresent(Ledger.self, forKey: .rigLedger)
    counters = try container.decodeIfPresent(Ledger.self, forKey: .counters)
    host = try container.decodeIfPresent(HostFigures.self, forKey: .host)
    if state == .ok {
      figures = try Figures(from: decoder)
    } else {
      figures = nil
      let stray = try decoder.container(keyedBy: Figures.CodingKeys.self).allKeys.map(\.stringValue).sorted()
      guard stray.isEmpty else {
        throw DecodingError.dataCorrupted(
          .init(
            codingPath: decoder.codingPath,
            debugDescription:
              "its state is '\(state.rawValue)', yet it has figures (\(stray.joined(separator: ", "))): "
              + "only a trial that is ok may have them"))
      }
    }
  }

  public func encode(to encoder: any Encoder) throws {
    precondition((state == .ok) == (figures != nil), "figures belong to trials that are ok, and to all of them")
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(number, forKey: .number)
    try container.encode(model, forKey: .model)
    try container.encodeIfPresent(variant, forKey: .variant)
    try container.encode(workload, forKey: .workload)
    try container.encode(`case`, forKey: .case)
    try container.encode(parameters, forKey: .parameters)
    try container.encode(seed, forKey: .seed)
    try container.encode(round, forKey: .round)
    try container.encode(startedAt, forKey: .startedAt)
    try container.encode(state, forKey: .state)
    try container.encodeIfPresent(reason, forKey: .reason)
    try container.encodeIfPresent(reached, forKey: .reached)
    try container.encode(findings, forKey: .findings)
    try container.encode(warnings, forKey: .warnings)
    try container.encodeIfPresent(ledger, forKey: .ledger)
    try container.encodeIfPresent(rigLedger, forKey: .rigLedger)
    try container.encodeIfPresent(counters, forKey: .counters)
    try container.encodeIfPresent(host, forKey: .host)
    try figures?.encode(to: encoder)
  }
}

/// The figures of a trial that is `ok`. Groups that a workload does not have are nil.
public struct Figures: Sendable, Codable, Hashable {
  /// Operations completed in the window, and per second of it.
  public var operations: Int
  public var operationsPerSecond: Double
  /// Offered in the window, per second: the rate asked for in open loop.
  public var offeredPerSecond: Double?
  public var windowNanoseconds: UInt64
  /// By class: `all`, `added`, or a workload's own.
  public var latencies: [String: LatencySummary]
  /// What only one workload has.
  public var measures: [Measure]
  public var memory: MemoryFigures?
  public var cpu: CPUFigures?
  public var rig: RigFigures?

  enum CodingKeys: String, CodingKey {
    case operations, operationsPerSecond, offeredPerSecond, windowNanoseconds, latencies, measures, memory, cpu, rig
  }

  public init(
    operations: Int, operationsPerSecond: Double, offeredPerSecond: Double?, windowNanoseconds: UInt64,
    latencies: [String: LatencySummary], measures: [Measure] = [], memory: MemoryFigures?, cpu: CPUFigures?,
    rig: RigFigures?
  ) {
    self.operations = operations
    self.operationsPerSecond = operationsPerSecond
    self.offeredPerSecond = offeredPerSecond
    self.windowNanoseconds = windowNanoseconds
    self.latencies = latencies
    self.measures = measures
    self.memory = memory
    self.cpu = cpu
    self.rig = rig
  }
}

/// A distribution of latencies in nanoseconds. A percentile is nil unless at least 100 samples lie beyond it.
public struct LatencySummary: Sendable, Codable, Hashable {
  public var count: Int
  public var mean: Double
  public var p50: UInt64?
  public var p90: UInt64?
  public var p99: UInt64?
  public var p999: UInt64?
  public var p9999: UInt64?
  public var max: UInt64
  /// HdrHistogram V2, compressed, base64: 1 ns to 1 h with 3 significant digits.
  public var histogram: String

  public init(
    count: Int, mean: Double, p50: UInt64?, p90: UInt64?, p99: UInt64?, p999: UInt64?, p9999: UInt64?, max: UInt64,
    histogram: String
  ) {
    self.count = count
    self.mean = mean
    self.p50 = p50
    self.p90 = p90
    self.p99 = p99
    self.p999 = p999
    self.p9999 = p9999
    self.max = max
    self.histogram = histogram
  }
}

/// The model's memory.
public struct MemoryFigures: Sendable, Codable, Hashable {
  /// The high-water mark of the window (reset at its start).
  public var peakRSSBytes: Int?
  /// Resident at the window's end.
  public var steadyRSSBytes: Int?
  /// Proportional set size after the window closed, and before the load began.
  public var steadyPSSBytes: Int?
  public var idlePSSBytes: Int?
  /// Page tables and kernel stacks, at the window's end.
  public var kernelBytes: Int?
  /// What the kernel's own memory (stacks, page tables, unreclaimable slab) of the whole host had grown by from before
  /// the work began to the window's end; in-process workloads only. Negative where others gave back more.
  public var kernelGrowthBytes: Int?
  /// Live bytes by the allocator at the window's end, and allocations per operation within it.
  public var heapAllocatedBytes: Int?
  public var allocationsPerOperation: Double?

  public init(
    peakRSSBytes: Int?, steadyRSSBytes: Int?, steadyPSSBytes: Int?, idlePSSBytes: Int?, kernelBytes: Int?,
    kernelGrowthBytes: Int? = nil, heapAllocatedBytes: Int?, allocationsPerOperation: Double?
  ) {
    self.peakRSSBytes = peakRSSBytes
    self.steadyRSSBytes = steadyRSSBytes
    self.steadyPSSBytes = steadyPSSBytes
    self.idlePSSBytes = idlePSSBytes
    self.kernelBytes = kernelBytes
    self.kernelGrowthBytes = kernelGrowthBytes
    self.heapAllocatedBytes = heapAllocatedBytes
    self.allocationsPerOperation = allocationsPerOperation
  }
}

/// What the model's process used within the window, by its own reading at both edges.
public struct CPUFigures: Sendable, Codable, Hashable {
  public var userNanosecondsPerOperation: Double
  public var systemNanosecondsPerOperation: Double
  public var voluntarySwitches: Int
  public var involuntarySwitches: Int
  public var pageFaults: Int
  /// The most threads seen by a sampler outside: short-lived ones may be missing.
  public var peakThreadsSampled: Int?

  public init(
    userNanosecondsPerOperation: Double, systemNanosecondsPerOperation: Double, voluntarySwitches: Int,
    involuntarySwitches: Int, pageFaults: Int, peakThreadsSampled: Int?
  ) {
    self.userNanosecondsPerOperation = userNanosecondsPerOperation
    self.systemNanosecondsPerOperation = systemNanosecondsPerOperation
    self.voluntarySwitches = voluntarySwitches
    self.involuntarySwitches = involuntarySwitches
    self.pageFaults = pageFaults
    self.peakThreadsSampled = peakThreadsSampled
  }

  /// User and system together, in nanoseconds.
  public var nanosecondsPerOperation: Double { userNanosecondsPerOperation + systemNanosecondsPerOperation }
}

/// The rig's own figures: what its side of the sockets cost, and how well it kept time.
public struct RigFigures: Sendable, Codable, Hashable {
  /// Share of the window spent in turns of its loop that found work, 0 to 1.
  public var busyShare: Double
  /// Time in such turns per operation, by the wall clock: CPU time as long as nobody takes the rig's processor away.
  public var cpuNanosecondsPerOperation: Double
  /// Actual minus intended send time of requests.
  public var sendLateness: LatencySummary
  /// Actual minus due send time of the backend's replies.
  public var backendLateness: LatencySummary

  public init(
    busyShare: Double, cpuNanosecondsPerOperation: Double, sendLateness: LatencySummary,
    backendLateness: LatencySummary
  ) {
    self.busyShare = busyShare
    self.cpuNanosecondsPerOperation = cpuNanosecondsPerOperation
    self.sendLateness = sendLateness
    self.backendLateness = backendLateness
  }
}

extension MemoryFigures {
  /// PSS at the window's end above that before the work; nil where either is not known, or no figure of memory.
  public var grownBytes: Int? {
    guard let steadyPSSBytes, let idlePSSBytes else { return nil }
    let (grown, overflows) = steadyPSSBytes.subtractingReportingOverflow(idlePSSBytes)
    return overflows ? nil : grown
  }
}
