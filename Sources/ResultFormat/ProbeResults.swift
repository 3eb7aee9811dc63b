// What was counted in rounds of their own, after all timed ones: system calls by type, instructions and cycles. A probe
// that counts also delays, so that no figure of a probed trial stands among those of the timed ones: they are not in
// `trials`, and have nothing that a table of speed could take for a measurement.
//
// Probed round n repeats timed round n: the same cases, models, order and seeds.

/// All that came of a run's probes.
public struct ProbeResults: Sendable, Codable, Hashable {
  public var probes: [ProbeState]
  /// In the order of the plan; empty where no probe could be used.
  public var trials: [ProbedTrial]

  public init(probes: [ProbeState], trials: [ProbedTrial]) {
    self.probes = probes
    self.trials = trials
  }
}

/// Whether a probe could be used, and what it costs.
public struct ProbeState: Sendable, Codable, Hashable {
  public enum Name: String, Sendable, Codable, CaseIterable {
    case systemCalls = "system-calls"
    case instructions, cycles

    public init(from decoder: any Decoder) throws { self = try decodeName(from: decoder) }
  }
  public var name: Name
  /// Why it could not be used, in a sentence; nil if it was.
  public var unavailable: String?
  /// How much longer a system call takes in a process that is probed, and in all others of the host meanwhile; in
  /// nanoseconds of CPU time.
  public var nanosecondsPerCall: Double?
  public var nanosecondsPerCallElsewhere: Double?
  /// Whether only what happens outside the kernel was counted, for want of the right to see more.
  public var excludesKernel: Bool?

  public init(
    name: Name, unavailable: String? = nil, nanosecondsPerCall: Double? = nil,
    nanosecondsPerCallElsewhere: Double? = nil, excludesKernel: Bool? = nil
  ) {
    self.name = name
    self.unavailable = unavailable
    self.nanosecondsPerCall = nanosecondsPerCall
    self.nanosecondsPerCallElsewhere = nanosecondsPerCallElsewhere
    self.excludesKernel = excludesKernel
  }
}

/// One probed trial.
public struct ProbedTrial: Sendable, Codable, Hashable {
  /// The number of the timed trial that it repeats.
  public var number: Int
  /// ISO 8601, UTC.
  public var startedAt: String
  public var state: TrialState
  /// Why the state is not `ok`, in a sentence.
  public var reason: String?
  /// Nil unless the state is `ok`.
  public var counts: ProbeCounts?

  public init(number: Int, startedAt: String, state: TrialState, reason: String? = nil, counts: ProbeCounts? = nil) {
    self.number = number
    self.startedAt = startedAt
    self.state = state
    self.reason = reason
    self.counts = counts
  }
}

/// Counts per operation, between the edges of the window.
public struct ProbeCounts: Sendable, Codable, Hashable {
  /// By the calls' names; `call 451` for one without.
  public var systemCalls: [String: Double]?
  public var instructions: Double?
  public var cycles: Double?
  /// What an operation took of CPU time under the probes: beside the timed trial's it shows what they cost.
  public var cpuNanoseconds: Double?

  public init(
    systemCalls: [String: Double]?, instructions: Double?, cycles: Double?, cpuNanoseconds: Double?
  ) {
    self.systemCalls = systemCalls
    self.instructions = instructions
    self.cycles = cycles
    self.cpuNanoseconds = cpuNanoseconds
  }
}

extension Plan {
  /// How many of the first rounds are repeated under probes, and at most so many as there are.
  public static let probedRounds = 3

  /// The timed trials that are repeated under probes when all others are finished; empty where nothing is probed.
  public var probedTrials: [PlannedTrial] {
    guard let probeRounds else { return [] }
    return trials.filter { $0.round <= probeRounds }
  }
}

extension Validation {
  mutating func checkProbes(_ run: Run) {
    if let rounds = run.plan.probeRounds, rounds < 1 || rounds > run.plan.rounds {
      report("plan.probeRounds", "\(rounds) is no number of probed rounds: expected 1 to \(run.plan.rounds)")
    }
    guard let probes = run.probes else { return }
    guard run.plan.probeRounds != nil else { return report("probes", "the plan has none") }
    let planned = Set(run.plan.probedTrials.map(\.number))
    var seen: Set<Int> = []
    for (index, trial) in probes.trials.enumerated() {
      let place = "probes.trials[\(index)]"
      if !planned.contains(trial.number) { report(place, "trial \(trial.number) was not to be probed") }
      if !seen.insert(trial.number).inserted { report(place, "trial \(trial.number) is there twice") }
      if (trial.state == .ok) != (trial.counts != nil) {
        report(place, "counts belong to trials that are ok, and to all of them")
      }
      let counts = trial.counts
      for (name, value) in counts?.systemCalls ?? [:] { checkMeasure("\(place).systemCalls.\(name)", value) }
      checkMeasure("\(place).instructions", counts?.instructions)
      checkMeasure("\(place).cycles", counts?.cycles)
      checkMeasure("\(place).cpuNanoseconds", counts?.cpuNanoseconds)
    }
  }
}
