// A run: the planned trials one after another, each on disk before the next starts.
//
// run.json is written anew after every trial, so that the folder is a valid run whatever ends this process. Where the
// disk is full, the trial that no longer fits leaves nothing behind, and the run holds those before it.

import Foundation
import Glibc
import ResultFormat
import Workloads

public struct RunExecution: Sendable {
  public let environment: RunEnvironment
  public let plan: Plan
  let rows: [ModelRow]
  let folder: String
  let runner: TrialRunner
  let processors: ProcessorSets
  let workloads: [Workload]

  /// - Parameter rows: those of the plan, in any order.
  /// - Parameter folder: the run's own, made by ``RunFolder/make(_:)``.
  public init(
    environment: RunEnvironment, plan: Plan, rows: [ModelRow], folder: String, runner: TrialRunner,
    processors: ProcessorSets, workloads: [Workload] = Workload.all
  ) {
    self.environment = environment
    self.plan = plan
    self.rows = rows
    self.folder = folder
    self.runner = runner
    self.processors = processors
    self.workloads = workloads
  }

  /// Trials that take no time: their models have said that they do not do that workload.
  public var skipped: Set<Int> { Set(plan.trials.filter { unsupportedReason($0) != nil }.map(\.number)) }
  /// Seconds that all others take together.
  public var expectedSeconds: Double {
    let skipped = skipped
    return plan.trials.reduce(0) { $0 + (skipped.contains($1.number) ? 0 : plan.expectedSeconds(of: $1)) }
  }

  private func unsupportedReason(_ planned: PlannedTrial) -> String? {
    let (row, _, workload) = parts(of: planned)
    return row.unsupportedReason(workload)
  }

  private func parts(of planned: PlannedTrial) -> (ModelRow, PlannedCase, Workload) {
    guard let row = rows.first(where: { $0.program.name == planned.model && $0.variant == planned.variant }),
      let plannedCase = plan.cases.first(where: { $0.name == planned.case }),
      let workload = workloads.first(where: { $0.name == plannedCase.workload })
    else { preconditionFailure("the plan names only rows and cases of its own") }
    return (row, plannedCase, workload)
  }

  /// What happens, told as it happens.
  public enum Event: Sendable {
    case starting(PlannedTrial)
    case finished(Trial)
  }

  public struct Completion: Sendable {
    public let run: Run
    public let isInterrupted: Bool
    /// Empty unless open-loop trials were ok.
    public let selfTest: RigSelfTest
  }

  /// Runs everything that is planned, or what an interruption leaves of it.
  /// - Throws: ``HarnessError`` if the disk or a missing program ends the run. What was finished stays, and is valid.
  public func run(_ tell: (Event) -> Void) async throws(HarnessError) -> Completion {
    var record = Record(run: Run(environment: environment, plan: plan, trials: []), folder: folder)
    try record.begin()
    var selfTest = RigSelfTest()
    for planned in plan.trials {
      if runner.interruption.isRequested { break }
      tell(.starting(planned))
      guard let trial = try await perform(planned, &record, &selfTest) else { break }
      tell(.finished(trial))
    }
    return Completion(
      run: record.run, isInterrupted: runner.interruption.isRequested, selfTest: selfTest)
  }

  /// - Returns: nil if the trial was interrupted.
  private func perform(_ planned: PlannedTrial, _ record: inout Record, _ selfTest: inout RigSelfTest)
    async throws(HarnessError) -> Trial?
  {
    let (row, plannedCase, workload) = parts(of: planned)
    let order = TrialOrder(
      model: row.program, variant: row.variant, workload: workload, parameters: plannedCase.parameters,
      seed: planned.seed, warmUp: .seconds(plan.warmUpSeconds), window: .seconds(plan.windowSeconds(of: plannedCase)),
      iterationsPerMillisecond: environment.iterationsPerMillisecond, processors: processors)
    let startedAt = timestamp()
    let folder = try record.startTrial(planned.number)
    do throws(HarnessError) {
      let result: Result<Observation, TrialEnd>
      if let reason = row.unsupportedReason(workload) {
        result = .failure(.failed(.unsupported, reason))
      } else if let reason = record.voidedReason(planned) {
        result = .failure(.failed(.voided, reason))
      } else {
        result = try await runner.run(order, folder: folder)
      }
      guard let trial = Trial(planned, of: order, startedAt: startedAt, result) else {
        record.dropTrial(planned.number)
        return nil
      }
      try record.add(trial)
      if case .success(let seen) = result, let figures = trial.figures, let rig = seen.rig, order.isOpenLoop {
        selfTest.add(model: row.label, case: planned.case, order: order, figures, rig)
      }
      return trial
    } catch {
      record.dropTrial(planned.number)
      throw error
    }
  }
}

/// The run on disk.
private struct Record {
  var run: Run
  let folder: String

  func begin() throws(HarnessError) { try write { () throws(ResultError) in try RunFiles.writeRun(run, to: folder) } }

  func startTrial(_ number: Int) throws(HarnessError) -> String {
    let path = "\(folder)/\(RunFiles.trialsName)/\(number)"
    try makeFolder(path)
    return path
  }

  /// Writes the trial, then the run with it. If the run no longer fits, the caller drops the trial, and both agree.
  mutating func add(_ trial: Trial) throws(HarnessError) {
    try writeTrial(trial)
    run.trials.append(trial)
    if trial.state == .voided { try voidRound(of: trial) }
    try begin()
  }

  func dropTrial(_ number: Int) {
    try? FileManager.default.removeItem(atPath: "\(folder)/\(RunFiles.trialsName)/\(number)")
  }

  /// Why a trial need not be run: its case and round are void already.
  func voidedReason(_ planned: PlannedTrial) -> String? {
    run.trials.first { $0.state == .voided && $0.case == planned.case && $0.round == planned.round }.map(Self.reason)
  }

  private static func reason(_ trial: Trial) -> String {
    "\(trial.case) is void for all models in round \(trial.round), since trial \(trial.number) was: "
      + (trial.reason ?? "no reason given")
  }

  /// Takes the figures of the round's other trials of that case away: the rig or the host was at fault for all. A
  /// failure that was seen stays seen.
  private mutating func voidRound(of trial: Trial) throws(HarnessError) {
    for (index, other) in run.trials.enumerated()
    where other.state == .ok && other.case == trial.case && other.round == trial.round {
      run.trials[index].state = .voided
      run.trials[index].figures = nil
      run.trials[index].warnings = []
      run.trials[index].reason = Self.reason(trial)
      try writeTrial(run.trials[index])
    }
  }

  private func writeTrial(_ trial: Trial) throws(HarnessError) {
    let path = "\(folder)/\(RunFiles.trialsName)/\(trial.number)"
    try write { () throws(ResultError) in try RunFiles.writeTrial(trial, to: path) }
  }

  private func write(_ body: () throws(ResultError) -> Void) throws(HarnessError) {
    do throws(ResultError) {
      try body()
    } catch {
      throw HarnessError(error)
    }
  }
}
