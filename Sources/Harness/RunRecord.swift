// The run on disk, while it is made. What stands there is enough to go on from, at every moment:
//
//     trials/plan.json        before the first trial, before the first trial of each round that is added, and when it is
//                             decided that none is added any more
//     trials/<n>/trial.json   when trial n is finished: the file makes it so
//     run.json                after that, made from the others
//
// Each is there whole or not at all. A trial whose folder has no trial.json never was.

import Foundation
import ResultFormat

struct RunRecord {
  private(set) var run: Run
  private var stored: StoredPlan
  private let folder: String
  private let lock: RunLock

  /// Begins a run, or goes on with one: writes its plan, then its run.json.
  /// - Parameters:
  ///   - stored: as it is to stand on disk from now on.
  ///   - finished: the trials that are on disk already.
  init(_ stored: StoredPlan, finished: [Trial], folder: String, lock: RunLock) throws(HarnessError) {
    var stored = stored
    // It was decided on trials that are there no more.
    if finished.count < stored.plan.trials.count { stored.precision = nil }
    self.stored = stored
    self.folder = folder
    self.lock = lock
    run = Run(
      environment: stored.environment, plan: stored.plan, trials: finished, precision: stored.precision,
      resumptions: stored.resumptions.isEmpty ? nil : stored.resumptions)
    try writePlan()
    // A process that was killed while it voided a round has left trials that are ok.
    for trial in finished where trial.state == .voided { try voidRound(of: trial) }
    try writeRun()
  }

  /// What is planned and not finished, in the order of the plan.
  var remaining: [PlannedTrial] {
    let finished = Set(run.trials.map(\.number))
    return run.plan.trials.filter { !finished.contains($0.number) }
  }

  func startTrial(_ number: Int) throws(HarnessError) -> String {
    let path = path(of: number)
    try makeFolder(path)
    return path
  }

  /// Writes the trial, then the run with it. If the run no longer fits, the caller drops the trial, and both agree.
  mutating func add(_ trial: Trial) throws(HarnessError) {
    try writeTrial(trial)
    // At the end, but for a trial whose file was spoilt.
    let place = run.trials.firstIndex { $0.number > trial.number } ?? run.trials.endIndex
    run.trials.insert(trial, at: place)
    if trial.state == .voided { try voidRound(of: trial) }
    try writeRun()
  }

  func dropTrial(_ number: Int) { try? FileManager.default.removeItem(atPath: path(of: number)) }

  /// - Parameter spentSeconds: what the rounds so far took; on disk, so that a resumption knows.
  mutating func addRound(spentSeconds: Double) throws(HarnessError) {
    stored.spentSeconds = spentSeconds
    stored.plan.addRound()
    run.plan = stored.plan
    try writePlan()
    try writeRun()
  }

  /// No more rounds are added, by a resumption either.
  mutating func end(_ outcome: PrecisionOutcome) throws(HarnessError) {
    stored.precision = outcome
    run.precision = outcome
    try writePlan()
    try writeRun()
  }

  /// The counts of the probed rounds.
  mutating func add(_ probes: ProbeResults) throws(HarnessError) {
    run.probes = probes
    try writeRun()
  }

  // MARK: Voided rounds

  /// Why a trial need not be run: its case and round are void already.
  func voidedReason(_ planned: PlannedTrial) -> String? {
    let voided = run.trials.filter {
      $0.state == .voided && $0.case == planned.case && $0.round == planned.round
    }
    // The one at fault, not one that was voided for its sake.
    let cause = voided.first { !($0.reason ?? "").hasPrefix(Self.beginning($0)) } ?? voided.first
    return cause.map(Self.reason)
  }

  private static func beginning(_ trial: Trial) -> String {
    "\(trial.case) is void for all models in round \(trial.round), since trial "
  }

  private static func reason(_ trial: Trial) -> String {
    if let reason = trial.reason, reason.hasPrefix(beginning(trial)) { return reason }
    return beginning(trial) + "\(trial.number) was: " + (trial.reason ?? "no reason given")
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

  // MARK: Files

  private func path(of number: Int) -> String { "\(folder)/\(RunFiles.trialsName)/\(number)" }

  private func writePlan() throws(HarnessError) {
    try write { () throws(ResultError) in try RunFiles.writePlan(stored, to: folder) }
  }

  private func writeTrial(_ trial: Trial) throws(HarnessError) {
    let path = path(of: trial.number)
    try write { () throws(ResultError) in try RunFiles.writeTrial(trial, to: path) }
  }

  private func writeRun() throws(HarnessError) {
    try write { () throws(ResultError) in try RunFiles.writeRun(run, to: folder) }
  }

  private func write(_ body: () throws(ResultError) -> Void) throws(HarnessError) {
    do throws(ResultError) {
      try body()
    } catch {
      throw HarnessError(error)
    }
  }
}
