// What `switchyard calibrate` runs: every model a second time under another name, so that each difference which a test
// then calls one is a false alarm, and their number says what the tests are worth on this host; and once more with 10 %
// more work on one case, which the tests must find.
//
// The copies are rows as any other: the same executable, processors and seeds, the same random order within a case. No
// path of the harness knows that they are copies, or the calibration would be one of something else.

import ResultFormat
import Statistics
import Workloads

/// What to calibrate with.
public struct CalibrateRequest: Sendable {
  public var cases: [SelectedCase]
  /// Those that are compared with themselves.
  public var models: [ModelRow]
  public var rounds: Int
  public var seed: UInt64
  /// Of every case, instead of the shortest that its headlines bear.
  public var windowSeconds: Double?
  /// The known difference; nil for none.
  public var slowed: SlowedCase?
  public var processors: ProcessorSets

  public init(
    cases: [SelectedCase], models: [ModelRow], rounds: Int = CalibrateRequest.standardRounds, seed: UInt64,
    windowSeconds: Double? = nil, slowed: SlowedCase? = .standard, processors: ProcessorSets
  ) {
    self.cases = cases
    self.models = models
    self.rounds = rounds
    self.seed = seed
    self.windowSeconds = windowSeconds
    self.slowed = slowed
    self.processors = processors
  }

  /// Those of the presets that claim something.
  public static let standardRounds = Preset.standard.rounds

  /// Whether a case is taken if none is named: those of the standard preset, whose resolution the reports print, and as
  /// many others that take little time as make some 200 comparisons of four models with themselves.
  public static func isStandard(_ case: Case) -> Bool {
    `case`.presets.contains(.standard) || furtherCases.contains(`case`.name)
  }

  static let furtherCases: Set<String> = [
    "pipeline/one-lane", "pipeline/eight-lanes", "pipeline/narrow", "ping-pong/one-worker-1k", "ping-pong/all-workers",
    "ping-pong/all-workers-1k", "brigade/channels", "brigade/channels-50", "brigade/pipes-50", "contention/held",
    "contention/many-locks", "channel/1x1", "channel/1x40",
  ]
}

/// A case, and the same with more work in each operation.
public struct SlowedCase: Sendable {
  public let selected: SelectedCase
  public let slowdown: Slowdown

  /// - Parameter changes: parameters that make an operation take `factor` times as long.
  public init(_ selected: SelectedCase, factor: Double, changes: [String: ParameterValue]) {
    self.selected = selected
    slowdown = Slowdown(case: selected.name, factor: factor, changes: changes)
  }

  /// 10 % more of the CPU work, in a case that is nothing else: 2 stages burn 400 µs each on an item, and 440 in the
  /// slowed copy; beside them the three hops of an item, through queues that hold one, take some 10 µs of a model at
  /// most. So the truth is 10 %, less a tenth of the hops' share. Queues that hold more would fill and empty in bursts
  /// that a short window cuts.
  public static let standard: SlowedCase = {
    guard let narrow = Workload.pipeline.cases.first(where: { $0.name == "pipeline/narrow" }),
      let selected = try? SelectedCase(narrow, of: .pipeline, changes: ["stages": "2", "work": "400"])
    else { preconditionFailure("pipeline/narrow has stages and work") }
    return SlowedCase(selected, factor: 1.1, changes: ["work": .integer(440)])
  }()
}

extension CalibrateRequest {
  private var allCases: [SelectedCase] {
    guard let slowed, !cases.contains(where: { $0.name == slowed.selected.name }) else { return cases }
    return cases + [slowed.selected]
  }

  private var copies: [ModelCopy] {
    var names: [String] = []
    for row in models where !names.contains(row.program.name) { names.append(row.program.name) }
    let exact = names.map { ModelCopy(name: "\($0)-copy", model: $0) }
    guard let slowed else { return exact }
    return exact + names.map { ModelCopy(name: "\($0)-slowed", model: $0, slowdown: slowed.slowdown) }
  }

  /// The rows of the plan: the models, and their copies.
  public var rows: [ModelRow] { Self.rows(models, copies) }

  /// The rows of a calibration that is gone on with.
  /// - Parameter models: the rows of its plan that are no copies.
  public static func rows(of plan: Plan, _ models: [ModelRow]) -> [ModelRow] { rows(models, plan.copies ?? []) }

  private static func rows(_ models: [ModelRow], _ copies: [ModelCopy]) -> [ModelRow] {
    models
      + copies.flatMap { copy in
        models.filter { $0.program.name == copy.model }.map { row in
          ModelRow(
            program: ModelProgram(name: copy.name, path: row.program.path, isGuest: row.program.isGuest),
            variant: row.variant, description: row.description)
        }
      }
  }

  /// - Throws: ``HarnessError`` if a copy's name is a model's, or for fewer rounds than a claim takes.
  public func plan() throws(HarnessError) -> Plan {
    let copies = self.copies
    if let copy = copies.first(where: { copy in models.contains { $0.program.name == copy.name } }) {
      throw .usage("'\(copy.name)' is what the copy of '\(copy.model)' is called: give that model another name")
    }
    let cases = allCases
    var plan = Plan.make(
      PlanRequest(
        cases: cases, models: rows.map(\.planned), preset: .standard, seed: seed, rounds: rounds,
        warmUpSeconds: Self.warmUpSeconds, processors: processors))
    plan.claims = false
    plan.copies = copies
    plan.pairs = plan.originals.compactMap { original in
      plan.copy(of: original, isSlowed: false).map { ClaimPair(base: RowName(original), head: RowName($0)) }
    }
    for index in plan.cases.indices {
      plan.cases[index].windowSeconds = windowSeconds(of: cases[index], workers: plan.cases[index].workers)
    }
    // What is taken out was as likely to stand anywhere: the order of the others is as random without it.
    plan.trials.removeAll { trial in
      guard let slowdown = copies.first(where: { $0.name == trial.model })?.slowdown else { return false }
      return slowdown.case != trial.case
    }
    for index in plan.trials.indices { plan.trials[index].number = index + 1 }
    try checkRounds(plan)
    return plan
  }

  /// Every workload's family has to be able to reject: a calibration that cannot would praise the tests for it.
  private func checkRounds(_ plan: Plan) throws(HarnessError) {
    let rule = DecisionRule()
    var worst: (workload: String, claims: Int)?
    for workload in Set(plan.families.map(\.workload)).sorted() {
      let claims = plan.families.count { $0.workload == workload } * models.count
      if claims > worst?.claims ?? 0 { worst = (workload, claims) }
    }
    guard let worst else { throw .usage("there is nothing to compare: no case that was chosen has a headline") }
    let need = rule.fewestRounds(familySize: worst.claims)
    guard rounds < need else { return }
    throw .usage(
      "'\(rounds)' rounds are too few: the \(worst.claims) comparisons of \(worst.workload) are corrected together, "
        + "which takes at least \(need) rounds; give --rounds \(need) or more")
  }
}

extension Plan {
  /// Comparisons of a calibration: each headline metric, for each model with its copy.
  public var selfComparisons: Int { families.count * originals.count }
}

extension InterruptedRun {
  /// The rows of a calibration that are no copies, as after `--model`.
  public var models: [String] { stored.plan.originals.map { Progress.label($0.name, $0.variant) } }
  /// `NAME=PATH` of those that are guests, as after `--guest`.
  public var guestModels: [String] {
    let names = Set(stored.plan.originals.map(\.name))
    return stored.programs.filter { $0.isGuest && names.contains($0.name) }.map { "\($0.name)=\($0.path)" }
  }
}
