// A run that ended before its plan did, read from its folder so that it can be gone on with: same plan, nothing lost,
// nothing twice.
//
// A trial is finished if its trial.json is there, which comes into being whole. Everything else of an unfinished one is
// taken away, and the trial is run from its start. run.json is not read but made anew: it may be torn, missing, or one
// trial behind.

import Foundation
import Glibc
import ResultFormat
import Workloads

public struct InterruptedRun: Sendable {
  public let folder: String
  public private(set) var stored: StoredPlan
  /// In the order of the plan.
  public let finished: [Trial]
  let lock: RunLock

  /// Reads the run, and keeps others from writing it as long as the value lives. Nothing on disk is changed.
  /// - Throws: ``HarnessError`` if the folder holds no run that could be gone on with, or a complete one.
  public init(_ folder: String) throws(HarnessError) {
    try Self.checkForPlan(folder)
    self.folder = folder
    lock = try RunLock("\(folder)/\(RunFiles.trialsName)", of: folder)
    do throws(ResultError) {
      stored = try RunFiles.readPlan(from: folder)
    } catch {
      throw .usage(error.description)
    }
    finished = try Self.readTrials(stored.plan, folder)
    if isComplete {
      throw .usage(
        "'\(folder)' is complete: all \(finished.count) trials of its plan are there; "
          + "print it with 'switchyard report \(folder)', or make another run in another folder")
    }
    stored.plan.restoreForm()
  }

  private static func checkForPlan(_ folder: String) throws(HarnessError) {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder) else {
      throw .usage("'\(folder)' does not exist: --resume takes the folder of an interrupted run")
    }
    guard isFolder.boolValue else {
      throw .usage("'\(folder)' is a file: --resume takes the folder of an interrupted run")
    }
    if RunFolder.holdsPlan(folder) { return }
    let plan = "\(RunFiles.trialsName)/\(RunFiles.planName)"
    guard RunFolder.trace(in: folder) != nil else {
      throw .usage(
        "'\(folder)' is no run: it has no \(plan), so that no trial was begun; "
          + "make one with 'switchyard run --output \(folder)'")
    }
    throw .usage(
      "'\(folder)' cannot be gone on with: it has no \(plan) (published runs leave it out, and older versions wrote none); "
        + "make the run again in another folder")
  }

  /// - Throws: ``HarnessError`` for a trial that cannot be read or is not the plan's: whoever knows why may still have
  ///   the right one.
  private static func readTrials(_ plan: Plan, _ folder: String) throws(HarnessError) -> [Trial] {
    let root = "\(folder)/\(RunFiles.trialsName)"
    func refuse(_ number: Int, _ why: String) -> HarnessError {
      .usage(
        "trial \(number) of '\(folder)' \(why): put the right file back, or remove \(root)/\(number) to have it run again"
      )
    }
    var finished: [Trial] = []
    for planned in plan.trials {
      let found: Trial?
      do throws(ResultError) {
        found = try RunFiles.readTrial(from: "\(root)/\(planned.number)")
      } catch {
        throw refuse(planned.number, "cannot be read (\(error))")
      }
      guard let trial = found else { continue }
      guard trial.isPlanned(as: planned, in: plan) else {
        throw refuse(
          planned.number,
          "is \(trial.case), \(trial.model), round \(trial.round), seed \(trial.seed), where its plan has "
            + "\(planned.case), \(planned.model), round \(planned.round), seed \(planned.seed)")
      }
      finished.append(trial)
    }
    let numbers = Set(plan.trials.map { "\($0.number)" })
    for name in entries(of: root) ?? [] where Int(name) != nil && !numbers.contains(name) {
      throw .usage("\(root)/\(name) is not of this run, whose plan has \(plan.trials.count) trials: remove it")
    }
    return finished
  }

  /// Nothing is left to run or to write.
  private var isComplete: Bool {
    guard finished.count == stored.plan.trials.count, access("\(folder)/\(RunFiles.reportName)", F_OK) == 0,
      let run = try? RunFiles.readRun(from: folder)
    else { return false }
    return run.isComplete && run.plan == stored.plan && run.trials == finished
  }

  /// Enters the resumption.
  /// - Parameter environment: this host, now; what it warns of joins what was warned of before.
  mutating func enterResumption(on environment: RunEnvironment) {
    let known = stored.environment.warnings
    stored.environment.warnings += environment.warnings.filter { !known.contains($0) }
      .map { "When it was resumed at \(environment.startedAt): \($0)" }
    stored.resumptions.append(Resumption(startedAt: environment.startedAt, finishedTrials: finished.count))
  }

  /// Takes away what was left half done.
  func clear() {
    let finished = Set(finished.map(\.number))
    let root = "\(folder)/\(RunFiles.trialsName)"
    for planned in stored.plan.trials {
      let path = "\(root)/\(planned.number)"
      if finished.contains(planned.number) {
        RunFiles.removePartialFiles(in: path)
      } else {
        try? FileManager.default.removeItem(atPath: path)
      }
    }
    for path in [folder, root] { RunFiles.removePartialFiles(in: path) }
  }

  /// Takes away the report of what there was so far: with it the run would look complete before its own is written.
  func withdrawReport() {
    unlink("\(folder)/\(RunFiles.reportName)")
  }
}

extension Plan {
  /// JSON does not tell 2000 from 2000.0: gives parameters the contract's own form again, which a new plan has.
  fileprivate mutating func restoreForm() {
    for index in (copies ?? []).indices {
      guard let slowdown = copies?[index].slowdown,
        let planned = cases.first(where: { $0.name == slowdown.case }),
        let workload = try? Workload.named(planned.workload), let values = try? workload.values(slowdown.changes)
      else { continue }
      copies?[index].slowdown?.changes = values.filter { slowdown.changes.keys.contains($0.key) }
    }
    for index in cases.indices {
      guard let workload = try? Workload.named(cases[index].workload),
        let values = try? workload.values(cases[index].parameters)
      else { continue }
      cases[index].parameters = values
    }
  }
}

extension Trial {
  /// Whether this is that trial of the plan, both as they were read.
  fileprivate func isPlanned(as planned: PlannedTrial, in plan: Plan) -> Bool {
    let own = PlannedTrial(
      number: number, round: round, case: `case`, model: model, variant: variant, seed: seed)
    return own == planned && parameters == plan.parameters(of: planned)
  }
}
