// What will be run, in which order, fixed before the first trial and repeatable from one seed.
//
// A round has one trial of every (case, model). Within it cases are shuffled, and within a case all models run back to
// back in random order: what drifts over minutes (frequency, neighbours) then hits all models of a case alike, and the
// round is a block of the experiment.

import ResultFormat
import Workloads

/// What to plan for.
public struct PlanRequest: Sendable {
  public var cases: [SelectedCase]
  public var models: [PlannedModel]
  public var preset: Preset
  public var seed: UInt64
  public var rounds: Int
  public var warmUpSeconds: Double
  /// Instead of the preset's, which has one for served and one for in-process workloads.
  public var windowSeconds: Double?
  public var processors: ProcessorSets

  public init(
    cases: [SelectedCase], models: [PlannedModel], preset: Preset, seed: UInt64, rounds: Int? = nil,
    warmUpSeconds: Double? = nil, windowSeconds: Double? = nil, processors: ProcessorSets
  ) {
    self.cases = cases
    self.models = models
    self.preset = preset
    self.seed = seed
    self.rounds = rounds ?? preset.rounds
    self.warmUpSeconds = warmUpSeconds ?? preset.warmUpSeconds
    self.windowSeconds = windowSeconds
    self.processors = processors
  }
}

extension PlanRequest {
  func windowSeconds(of selected: SelectedCase) -> Double {
    windowSeconds ?? preset.windowSeconds(measuresLatency: selected.measuresLatency)
  }
}

/// A case with the command line's changes laid over its own.
public struct SelectedCase: Sendable {
  public let name: String
  public let workload: Workload
  public let parameters: [String: ParameterValue]
  public let headlines: [String]
  var measuresLatency: Bool { workload.isServed || headlines.contains("latency") }

  /// - Parameter changes: from `--set`. A case that they change says so in its name, since it is another case.
  /// - Throws: ``ParameterError`` that quotes the value.
  public init(_ case: Case, of workload: Workload, changes: [String: String] = [:]) throws(ParameterError) {
    var values = try workload.values(`case`.changes)
    var label = ""
    for (name, text) in changes.sorted(by: { $0.key < $1.key }) {
      let value = try workload.parameter(name).parse(text)
      if values[name] != value { label += "+\(name)=\(value)" }
      values[name] = value
    }
    self.name = `case`.name + label
    self.workload = workload
    self.parameters = values
    self.headlines = `case`.headlines
  }
}

extension Plan {
  public static func make(_ request: PlanRequest) -> Plan {
    let cases = request.cases.map { selected in
      let isServed = selected.workload.isServed
      return PlannedCase(
        name: selected.name, workload: selected.workload.name, parameters: selected.parameters,
        windowSeconds: request.windowSeconds(of: selected),
        workers: request.processors.workers(isServed: isServed), rigProcessors: isServed ? request.processors.rig : [],
        modelProcessors: request.processors.model(isServed: isServed))
    }
    let families = request.cases.flatMap { selected in
      selected.headlines.map { ClaimFamily(workload: selected.workload.name, case: selected.name, metric: $0) }
    }
    let isCut =
      request.rounds < request.preset.rounds || request.warmUpSeconds < request.preset.warmUpSeconds
      || request.cases.contains {
        request.windowSeconds(of: $0) < request.preset.windowSeconds(measuresLatency: $0.measuresLatency)
      }
    return Plan(
      preset: request.preset.rawValue, seed: request.seed, rounds: request.rounds,
      warmUpSeconds: request.warmUpSeconds, claims: request.preset.claims && !isCut, families: families,
      models: request.models, cases: cases,
      trials: order(
        of: cases.map(\.name), models: request.models, seed: request.seed, rounds: max(1, request.rounds)),
      pairs: ClaimPair.all(among: request.models))
  }

  /// All trials of so many rounds. Those of fewer are the beginning of it.
  private static func order(of cases: [String], models: [PlannedModel], seed: UInt64, rounds: Int) -> [PlannedTrial] {
    var order = SplitMix64(seed: seed)
    var trials: [PlannedTrial] = []
    for round in 1...rounds {
      for `case` in Array(cases.indices).shuffled(using: &order) {
        for model in models.shuffled(using: &order) {
          trials.append(
            PlannedTrial(
              number: trials.count + 1, round: round, case: cases[`case`], model: model.name,
              variant: model.variant,
              seed: trialSeed(seed, caseIndex: `case`, round: round)))
        }
      }
    }
    return trials
  }

  /// Adds the round that a plan of one round more would have had. What may be claimed stays as it was declared.
  mutating func addRound() {
    rounds += 1
    let all = Self.order(of: cases.map(\.name), models: models, seed: seed, rounds: rounds)
    trials += all.dropFirst(trials.count)
  }

  /// All models of a case and round get one seed, hence one schedule and the same service times: common random numbers.
  /// 53 bits, since not every language reads 64-bit integers from JSON.
  static func trialSeed(_ seed: UInt64, caseIndex: Int, round: Int) -> UInt64 {
    SplitMix64.mix(SplitMix64.mix(seed ^ UInt64(caseIndex)) &+ UInt64(round)) >> 11
  }

  /// Seconds that a trial takes, its processes' start and end included.
  public func expectedSeconds(of trial: PlannedTrial) -> Double {
    guard let planned = cases.first(where: { $0.name == trial.case }) else { return 0 }
    let isServed = (try? Workload.named(planned.workload))?.isServed ?? true
    return warmUpSeconds + windowSeconds(of: planned) + Self.overheadSeconds(isServed: isServed)
  }

  /// What a trial takes beside warm-up and window, as measured with the built-in models.
  static func overheadSeconds(isServed: Bool) -> Double { isServed ? 0.8 : 0.4 }
}
