// A capacity search: all models in turn, one trial each, so that what drifts over minutes hits them alike; each at the
// rate that its own search asks for. Then the curve, again all models at one share of their capacities before the next.
//
// Overload is the point here, and it cannot hang: the rig keeps at most one request on each connection and the schedule
// is a formula, so that nothing queues up in it; and every wait of a trial has its deadline (``TrialOrder/Deadlines``).

import Foundation
import ResultFormat
import Statistics
import Workloads

public struct CapacityExecution: Sendable {
  public let environment: RunEnvironment
  public let plan: CapacityPlan
  public let folder: String
  let load: CapacityLoad
  let rows: [ModelRow]
  let runner: TrialRunner
  let processors: ProcessorSets
  var deadlines = TrialOrder.Deadlines()
  /// So long is a host waited for that others use, after a trial that was void.
  var idlePatience = Duration.seconds(60)

  /// A curve's trial that was void is made again so often at most.
  static let retries = 2

  /// - Parameter folder: the search's own, made by ``makeFolder(_:)``.
  public init(
    environment: RunEnvironment, plan: CapacityPlan, load: CapacityLoad, rows: [ModelRow], folder: String,
    runner: TrialRunner, processors: ProcessorSets
  ) {
    self.environment = environment
    self.plan = plan
    self.load = load
    self.rows = rows
    self.folder = folder
    self.runner = runner
    self.processors = processors
  }

  /// Makes the search's folder.
  /// - Throws: ``HarnessError`` if it holds a search or a run already, is a file, or cannot be made.
  public static func makeFolder(_ path: String) throws(HarnessError) {
    if FileManager.default.fileExists(atPath: "\(path)/\(RunFiles.capacityName)") {
      throw .usage("'\(path)' holds a capacity search already (\(RunFiles.capacityName)): choose another folder")
    }
    try RunFolder.make(path)
  }

  /// Seconds that it takes, about.
  public var expectedSeconds: Double {
    plan.expectedSeconds(models: rows.count { $0.unsupportedReason(load.workload) == nil })
  }

  /// What happens, told as it happens.
  public enum Event: Sendable {
    /// A trial of that row at that rate; in the curve, at that share. Seconds are those still to come, about.
    case starting(model: String, rate: Double, share: Double?, secondsLeft: Double)
    case finished(model: String, CapacityTrial)
    /// Others use the host, after a trial that was void.
    case waiting(HostWatch)
  }

  /// Searches, and draws the curves; or what an interruption leaves of it.
  /// - Throws: ``HarnessError`` if the disk or a missing program ends it. What is on disk then stays, and is valid.
  public func run(_ tell: (Event) -> Void) async throws(HarnessError) -> CapacityResult {
    let models = rows.map { row in
      let reason = row.unsupportedReason(load.workload)
      return CapacityModel(model: row.planned, ending: reason == nil ? nil : .unsupported, reason: reason)
    }
    var record = try CapacityRecord(
      CapacityResult(environment: environment, plan: plan, models: models), folder: folder)
    var order = SplitMix64(seed: plan.seed)
    var step = 0
    var isComplete = try await search(&record, &order, &step, tell)
    if isComplete { isComplete = try await drawCurve(&record, &order, &step, tell) }
    if isComplete { try record.complete() }
    return record.result
  }

  // MARK: - Stages

  /// - Returns: whether all searches came to their end.
  private func search(
    _ record: inout CapacityRecord, _ order: inout SplitMix64, _ step: inout Int, _ tell: (Event) -> Void
  ) async throws(HarnessError) -> Bool {
    var searches = record.result.models.map { $0.ending == nil ? plan.search : nil }
    while searches.contains(where: { $0?.nextRate != nil }) {
      step += 1
      for index in rows.indices.shuffled(using: &order) {
        guard var search = searches[index], let rate = search.nextRate else { continue }
        await waitForIdleHost(after: record.result.trials.last, tell)
        let left = Double(searches.reduce(0) { $0 + ($1?.expectedTrialsLeft ?? 0) })
        let curve = Double(searches.count { $0 != nil } * plan.curveTrials.count)
        tell(
          .starting(
            model: rows[index].label, rate: rate, share: nil,
            secondsLeft: left * plan.seconds(isCurve: false) + curve * plan.seconds(isCurve: true)))
        guard let trial = try await perform(rows[index], rate, share: nil, step: step, &record) else { return false }
        search.record(RateSearch.Outcome(trial.judgement.verdict))
        searches[index] = search
        try record.update(index, search)
        tell(.finished(model: rows[index].label, trial))
      }
    }
    return true
  }

  /// The loads in random order, so that the order does not look like an effect of the load. Trials that were void are made
  /// again after all others, since what spoils a trial lasts for seconds or minutes.
  /// - Returns: whether all of it was drawn.
  private func drawCurve(
    _ record: inout CapacityRecord, _ order: inout SplitMix64, _ step: inout Int, _ tell: (Event) -> Void
  ) async throws(HarnessError) -> Bool {
    let references = record.result.models.map(\.reference)
    func rate(_ index: Int, _ share: Double) -> Double? {
      references[index].map { $0 * share }.flatMap { load.rates.contains($0) ? $0 : nil }
    }
    var due = plan.curveTrials.shuffled(using: &order).map { share in
      (share: share, rows: rows.indices.filter { rate($0, share) != nil }.shuffled(using: &order))
    }
    for _ in 0...Self.retries {
      for position in due.indices {
        // One schedule for all models, and another for each time.
        step += 1
        let (share, present) = due[position]
        due[position].rows = []
        for (turn, index) in present.enumerated() {
          guard let rate = rate(index, share) else { continue }
          await waitForIdleHost(after: record.result.trials.last, tell)
          let left = due.reduce(0) { $0 + $1.rows.count } + present.count - turn
          tell(
            .starting(
              model: rows[index].label, rate: rate, share: share,
              secondsLeft: Double(left) * plan.seconds(isCurve: true)))
          guard let trial = try await perform(rows[index], rate, share: share, step: step, &record) else {
            return false
          }
          try record.write()
          tell(.finished(model: rows[index].label, trial))
          if trial.judgement.verdict == .void { due[position].rows.append(index) }
        }
      }
      due.removeAll { $0.rows.isEmpty }
    }
    return true
  }

  // MARK: - A trial

  /// What voided a trial is often others' use of the host, which lasts for seconds or minutes: trials made at once would
  /// be void as well.
  private func waitForIdleHost(after trial: CapacityTrial?, _ tell: (Event) -> Void) async {
    guard trial?.judgement.verdict == .void, !plan.toleratesBusyHost else { return }
    _ = await HostWatch.untilIdle(within: idlePatience, interruption: runner.interruption) { tell(.waiting($0)) }
  }

  /// - Returns: nil if it was interrupted, or an interruption was asked for before it.
  private func perform(
    _ row: ModelRow, _ rate: Double, share: Double?, step: Int, _ record: inout CapacityRecord
  ) async throws(HarnessError) -> CapacityTrial? {
    guard !runner.interruption.isRequested else { return nil }
    let window = share == nil ? plan.case.windowSeconds ?? 0 : plan.curveWindowSeconds
    let order = TrialOrder(
      model: row.program, variant: row.variant, workload: load.workload, parameters: load.parameters(at: rate),
      seed: Plan.trialSeed(plan.seed, caseIndex: 0, round: step), warmUp: .seconds(plan.warmUpSeconds),
      window: .seconds(window), iterationsPerMillisecond: environment.iterationsPerMillisecond,
      processors: processors, deadlines: deadlines)
    let planned = PlannedTrial(
      number: record.nextNumber, round: step, case: plan.case.name, model: row.program.name, variant: row.variant,
      seed: order.seed)
    let path = record.path(of: planned.number)
    let startedAt = timestamp()
    do throws(HarnessError) {
      let result = try await runner.run(order, folder: path)
      guard let trial = Trial(planned, of: order, startedAt: startedAt, result) else {
        try? FileManager.default.removeItem(atPath: path)
        return nil
      }
      let judged = CapacityTrial(rate: rate, share: share, judgement: plan.judge(trial), trial: trial)
      try record.add(judged)
      return judged
    } catch {
      try? FileManager.default.removeItem(atPath: path)
      throw error
    }
  }
}
