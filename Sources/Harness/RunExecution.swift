// A run: the planned trials one after another, each on disk before the next starts.
//
// run.json is written anew after every trial, so that the folder is a valid run whatever ends this process. Where the
// disk is full, the trial that no longer fits leaves nothing behind, and the run holds those before it. A run that was
// cut short goes on from its folder (``InterruptedRun``).

import CLinux
import Foundation
import Glibc
import ResultFormat
import Workloads

public struct RunExecution: Sendable {
  public let environment: RunEnvironment
  /// As it stands before the first trial: rounds may be added to it.
  public let plan: Plan
  let rows: [ModelRow]
  public let folder: String
  let runner: TrialRunner
  let processors: ProcessorSets
  let workloads: [Workload]
  /// The run that is gone on with; nil for a new one.
  private let interrupted: InterruptedRun?
  /// Seconds of any clock.
  var clock: @Sendable () -> Double = { Double(clinux_monotonic_ns()) / 1e9 }

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
    interrupted = nil
  }

  /// Goes on with a run: ``run(_:)`` takes away what was left half done and runs the rest of the plan.
  /// - Parameter environment: this host, now.
  public init(
    _ run: InterruptedRun, on environment: RunEnvironment, rows: [ModelRow], runner: TrialRunner,
    processors: ProcessorSets, workloads: [Workload] = Workload.all
  ) {
    var run = run
    run.enterResumption(on: environment)
    self.environment = run.stored.environment
    plan = run.stored.plan
    self.rows = rows
    folder = run.folder
    self.runner = runner
    self.processors = processors
    self.workloads = workloads
    interrupted = run
  }

  /// Trials that were finished before.
  public var finished: Set<Int> { Set(interrupted?.finished.map(\.number) ?? []) }
  /// Trials that take no time: their models have said that they do not do that workload.
  public func skipped(of plan: Plan) -> Set<Int> {
    Set(plan.trials.filter { unsupportedReason($0) != nil }.map(\.number))
  }
  /// Seconds that all others of the plan take together, those that are finished left out.
  public var expectedSeconds: Double { expectedSeconds(of: plan.trials.filter { !finished.contains($0.number) }) }

  private func expectedSeconds(of trials: [PlannedTrial]) -> Double {
    trials.reduce(0) { $0 + (unsupportedReason($1) == nil ? plan.expectedSeconds(of: $1) : 0) }
  }

  private func unsupportedReason(_ planned: PlannedTrial) -> String? {
    let (row, _, workload) = parts(of: planned)
    return row.unsupportedReason(workload)
  }

  func parts(of planned: PlannedTrial) -> (ModelRow, PlannedCase, Workload) {
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
    /// The plan with a round more.
    case extended(Plan)
    /// A trial is repeated under probes.
    case probing(PlannedTrial, finished: Int, of: Int)
  }

  public struct Completion: Sendable {
    public let run: Run
    public let isInterrupted: Bool
    /// Empty unless open-loop trials were ok.
    public let selfTest: RigSelfTest
  }

  /// Runs everything that is planned and not finished, and adds rounds where the plan has a precision to reach; or what
  /// an interruption leaves of it.
  /// - Throws: ``HarnessError`` if the disk or a missing program ends the run. What was finished stays, and is valid.
  public func run(_ tell: (Event) -> Void) async throws(HarnessError) -> Completion {
    var record = try begin()
    var selfTest = RigSelfTest()
    let startedAt = clock()
    let spentBefore = self.spentBefore
    var isEnded = false
    while !isEnded, !runner.interruption.isRequested {
      for planned in record.remaining {
        if runner.interruption.isRequested { break }
        tell(.starting(planned))
        guard let trial = try await perform(planned, &record, &selfTest) else { break }
        tell(.finished(trial))
      }
      guard record.remaining.isEmpty else { break }
      // Decided by an earlier process.
      isEnded = record.run.precision != nil
      if isEnded { break }
      let spent = spentBefore + clock() - startedAt
      switch plan.precision?.decide(record.run, spentSeconds: spent) {
      case .addRound:
        try record.addRound(spentSeconds: spent)
        tell(.extended(record.run.plan))
      case .end(let outcome):
        try record.end(outcome)
        isEnded = true
      case nil: isEnded = true
      }
    }
    if isEnded, plan.probeRounds != nil, !runner.interruption.isRequested { try await probe(&record, tell) }
    return Completion(
      run: record.run, isInterrupted: runner.interruption.isRequested && !record.run.isComplete, selfTest: selfTest)
  }

  /// Seconds that earlier processes took.
  private var spentBefore: Double {
    guard let interrupted else { return 0 }
    let finished = plan.trials.filter { self.finished.contains($0.number) }
    guard let spent = interrupted.stored.spentSeconds else { return expectedSeconds(of: finished) }
    // What they took of the last round is not on disk, and what the plan expects of its trials comes close.
    return spent + expectedSeconds(of: finished.filter { $0.round == plan.rounds })
  }

  private func begin() throws(HarnessError) -> RunRecord {
    if let interrupted {
      interrupted.clear()
      let record = try RunRecord(
        interrupted.stored, finished: interrupted.finished, folder: folder, lock: interrupted.lock)
      // Not before: where the disk is full the old report is all that the reader has.
      interrupted.withdrawReport()
      return record
    }
    let trials = "\(folder)/\(RunFiles.trialsName)"
    try makeFolder(trials)
    return try RunRecord(
      StoredPlan(
        environment: environment, protocolVersion: protocolVersion, plan: plan,
        programs: try StoredProgram.all(runner.executables, rows)),
      finished: [], folder: folder, lock: try RunLock(trials, of: folder))
  }

  /// The trial as it is run.
  func order(of planned: PlannedTrial) -> TrialOrder {
    let (row, plannedCase, workload) = parts(of: planned)
    return TrialOrder(
      model: row.program, variant: row.variant, workload: workload, parameters: plan.parameters(of: planned),
      seed: planned.seed, warmUp: .seconds(plan.warmUpSeconds), window: .seconds(plan.windowSeconds(of: plannedCase)),
      iterationsPerMillisecond: environment.iterationsPerMillisecond, processors: processors)
  }

  /// - Returns: nil if the trial was interrupted.
  private func perform(_ planned: PlannedTrial, _ record: inout RunRecord, _ selfTest: inout RigSelfTest)
    async throws(HarnessError) -> Trial?
  {
    let (row, _, workload) = parts(of: planned)
    let order = order(of: planned)
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
