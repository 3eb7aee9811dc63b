// A run on disk: `run.json`, version 2. Everything that a report needs, and nothing that it could derive.
//
// Version 2 has in-process workloads beside served ones: each case has a window of its own (in version 1 the plan has
// the one of all), a trial may have reached a limit, and the speed of the CPU work stands with the host.

import Workloads

/// The version that this code writes.
public let currentSchemaVersion = 2
/// Raised with every change of method: figures of two methods cannot be compared. CHANGELOG.md says what changed.
public let currentMethodVersion = 1
/// The versions of the format that it reads: a run of version 1 is one of version 2 that lacks what came later.
public let readableSchemaVersions = 1...currentSchemaVersion

/// One invocation of the harness: all rounds of all cases and models.
public struct Run: Sendable, Codable, Hashable {
  public var schemaVersion: Int
  /// Of the harness, the rig and the contracts; nil in runs from before it was recorded.
  public var methodVersion: Int?
  public var environment: RunEnvironment
  public var plan: Plan
  /// In the order of the plan, in which they were run. Shorter than `plan.trials` if the run was interrupted.
  public var trials: [Trial]
  /// Where the plan has a precision to reach: what came of it, once no more rounds are added.
  public var precision: PrecisionOutcome?
  /// The times that the run was interrupted and gone on with; nil if it never was.
  public var resumptions: [Resumption]?
  /// Where the plan has rounds under probes: what came of them, once they are finished. No figure of theirs is in `trials`.
  public var probes: ProbeResults?

  public init(
    environment: RunEnvironment, plan: Plan, trials: [Trial], precision: PrecisionOutcome? = nil,
    resumptions: [Resumption]? = nil
  ) {
    self.schemaVersion = currentSchemaVersion
    self.methodVersion = currentMethodVersion
    self.environment = environment
    self.plan = plan
    self.trials = trials
    self.precision = precision
    self.resumptions = resumptions
  }

  /// Element by element, so that an error says which.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    schemaVersion = try container.decode(Int.self, forKey: .schemaVersion)
    methodVersion = try container.decodeIfPresent(Int.self, forKey: .methodVersion)
    environment = try container.decode(Placed<RunEnvironment>.self, forKey: .environment).value
    plan = try container.decode(Placed<Plan>.self, forKey: .plan).value
    trials = try container.decode([Placed<Trial>].self, forKey: .trials).map(\.value)
    precision = try container.decodeIfPresent(Placed<PrecisionOutcome>.self, forKey: .precision)?.value
    resumptions = try container.decodeIfPresent(Placed<[Resumption]>.self, forKey: .resumptions)?.value
    probes = try container.decodeIfPresent(Placed<ProbeResults>.self, forKey: .probes)?.value
  }

  /// Whether every planned trial is there, no more rounds will be planned, and what was to be probed was.
  public var isComplete: Bool {
    trials.count == plan.trials.count && (plan.precision == nil || precision != nil)
      && (plan.probeRounds == nil || probes != nil)
  }
}

/// What was to be run, fixed before the first trial.
public struct Plan: Sendable, Codable, Hashable {
  /// `quick`, `standard`, `full`.
  public var preset: String
  /// The seed of the order, and through it of every trial.
  public var seed: UInt64
  public var rounds: Int
  public var warmUpSeconds: Double
  /// In version 1 only, where all cases have this window.
  public private(set) var windowSeconds: Double?
  /// Whether reports may claim differences; else they are shown as indicative.
  public var claims: Bool
  /// The headline metrics that are compared, declared before the first trial. Those of one workload, for all pairs, are
  /// one family: the tests are corrected for them together.
  public var families: [ClaimFamily]
  /// The rows that are compared on each of them; nil in runs from before pairs were declared.
  public var pairs: [ClaimPair]?
  public var models: [PlannedModel]
  public var cases: [PlannedCase]
  /// In the order in which they are run.
  public var trials: [PlannedTrial]
  /// Rounds are added until it is reached; nil where their number was fixed beforehand.
  public var precision: PrecisionGoal?
  /// Rows that are the same model under other names; nil in every run but a calibration.
  public var copies: [ModelCopy]?
  /// So many of the first rounds are repeated under probes when all trials are finished; nil for none.
  public var probeRounds: Int?

  public init(
    preset: String, seed: UInt64, rounds: Int, warmUpSeconds: Double, claims: Bool, families: [ClaimFamily],
    models: [PlannedModel], cases: [PlannedCase], trials: [PlannedTrial], pairs: [ClaimPair]? = nil,
    precision: PrecisionGoal? = nil
  ) {
    self.preset = preset
    self.seed = seed
    self.rounds = rounds
    self.warmUpSeconds = warmUpSeconds
    self.claims = claims
    self.families = families
    self.pairs = pairs
    self.models = models
    self.cases = cases
    self.trials = trials
    self.precision = precision
  }
}

extension Plan {
  /// The measured window of a case, in seconds.
  public func windowSeconds(of planned: PlannedCase) -> Double { planned.windowSeconds ?? windowSeconds ?? 0 }
}

/// One headline metric of one case, on which the plan's pairs are compared: a part of its workload's family.
public struct ClaimFamily: Sendable, Codable, Hashable {
  public var workload: String
  public var `case`: String
  /// `throughput`, `cpuPerOperation`, `addedLatency`, ...
  public var metric: String

  public init(workload: String, case: String, metric: String) {
    self.workload = workload
    self.case = `case`
    self.metric = metric
  }
}

/// A model of the run, or a labelled variant of one: a row of its own in every table.
public struct PlannedModel: Sendable, Codable, Hashable {
  public var name: String
  public var variant: String?
  public var idiom: String
  public var allocator: String?
  /// Whether it came from outside this package.
  public var isGuest: Bool

  public init(name: String, variant: String?, idiom: String, allocator: String?, isGuest: Bool) {
    self.name = name
    self.variant = variant
    self.idiom = idiom
    self.allocator = allocator
    self.isGuest = isGuest
  }
}

/// A case of the run with all its parameters.
public struct PlannedCase: Sendable, Codable, Hashable {
  public var name: String
  public var workload: String
  public var parameters: [String: ParameterValue]
  /// The measured window; nil in version 1, where it is the plan's.
  public var windowSeconds: Double?
  /// Threads that each model was allowed for its work.
  public var workers: Int
  /// Processors given to the rig and to the model; empty where they were not confined.
  public var rigProcessors: [Int]
  public var modelProcessors: [Int]

  public init(
    name: String, workload: String, parameters: [String: ParameterValue], windowSeconds: Double, workers: Int,
    rigProcessors: [Int], modelProcessors: [Int]
  ) {
    self.name = name
    self.workload = workload
    self.parameters = parameters
    self.windowSeconds = windowSeconds
    self.workers = workers
    self.rigProcessors = rigProcessors
    self.modelProcessors = modelProcessors
  }
}

/// One trial that is to be run.
public struct PlannedTrial: Sendable, Codable, Hashable {
  /// From 1, also the name of its folder under `trials/`.
  public var number: Int
  /// From 1.
  public var round: Int
  public var `case`: String
  public var model: String
  public var variant: String?
  public var seed: UInt64

  public init(number: Int, round: Int, case: String, model: String, variant: String?, seed: UInt64) {
    self.number = number
    self.round = round
    self.case = `case`
    self.model = model
    self.variant = variant
    self.seed = seed
  }
}

/// The host and the build, as far as they bear on the figures. Never the host's name.
public struct RunEnvironment: Sendable, Codable, Hashable {
  /// ISO 8601, UTC.
  public var startedAt: String
  /// What a published run's folder is called after: the processor's model unless said otherwise.
  public var label: String
  public var operatingSystem: String
  public var kernel: String
  public var architecture: String
  public var processor: String
  public var processors: Int
  public var memoryBytes: Int
  /// Hypervisor as the processor reports it, if any.
  public var virtualization: String?
  public var clockSource: String?
  public var compiler: String
  /// `release` or `debug`: figures of a debug build mean nothing, and tables say so.
  public var build: String
  /// The commit that was built, with `-dirty` where the tree differed; nil outside a checkout.
  public var revision: String?
  /// One-minute load average before the first trial.
  public var loadAverage: Double?
  /// Iterations of the CPU work that take a millisecond, calibrated before the first trial; nil where no case has any.
  public var iterationsPerMillisecond: Int?
  /// What a reader should know about this host, in sentences.
  public var warnings: [String]

  public init(
    startedAt: String, label: String, operatingSystem: String, kernel: String, architecture: String,
    processor: String, processors: Int, memoryBytes: Int, virtualization: String?, clockSource: String?,
    compiler: String, build: String, revision: String?, loadAverage: Double?,
    iterationsPerMillisecond: Int? = nil, warnings: [String]
  ) {
    self.startedAt = startedAt
    self.label = label
    self.operatingSystem = operatingSystem
    self.kernel = kernel
    self.architecture = architecture
    self.processor = processor
    self.processors = processors
    self.memoryBytes = memoryBytes
    self.virtualization = virtualization
    self.clockSource = clockSource
    self.compiler = compiler
    self.build = build
    self.revision = revision
    self.loadAverage = loadAverage
    self.iterationsPerMillisecond = iterationsPerMillisecond
    self.warnings = warnings
  }
}
