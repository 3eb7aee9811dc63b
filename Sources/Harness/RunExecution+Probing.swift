// The rounds that are repeated under probes, after all others and apart from them: their figures are in no trial, and
// only the counts are kept. They are not resumed but made again: what counts is the whole of them or nothing.

import Foundation
import ResultFormat
import Workloads

extension RunExecution {
  /// Repeats what the plan says under probes, and adds the counts to the record; adds nothing where it is interrupted.
  func probe(_ record: inout RunRecord, _ tell: (Event) -> Void) async throws(HarnessError) {
    let probes = AttachedProbes.examine()
    let usable = Set(probes.filter { $0.unavailable == nil }.map(\.name))
    let planned = usable.isEmpty ? [] : record.run.plan.probedTrials
    let root = "\(folder)/\(RunFiles.probesName)"
    try? FileManager.default.removeItem(atPath: root)
    var trials: [ProbedTrial] = []
    for trial in planned {
      if runner.interruption.isRequested { return }
      tell(.probing(trial, finished: trials.count, of: planned.count))
      guard let probed = try await probe(trial, usable, folder: "\(root)/\(trial.number)") else { return }
      trials.append(probed)
    }
    try record.add(ProbeResults(probes: probes, trials: trials))
  }

  /// - Returns: nil if the trial was interrupted.
  private func probe(_ planned: PlannedTrial, _ probes: Set<ProbeState.Name>, folder: String)
    async throws(HarnessError) -> ProbedTrial?
  {
    let (row, _, workload) = parts(of: planned)
    var trial = ProbedTrial(number: planned.number, startedAt: timestamp(), state: .unsupported)
    if let reason = row.unsupportedReason(workload) {
      trial.reason = reason
      return trial
    }
    var order = order(of: planned)
    order.probes = probes
    switch try await runner.run(order, folder: folder) {
    case .failure(let end):
      guard case .failed(let state) = end.cause else { return nil }
      trial.state = state
      trial.reason = end.reason
    case .success(let seen):
      trial.counts = seen.probeCounts(order)
      trial.state = trial.counts == nil ? .timeout : .ok
      if trial.counts == nil { trial.reason = "completed no \(workload.operation) within the window" }
    }
    return trial
  }
}

extension Observation {
  /// What the probes counted; nil where nothing was completed within the window.
  func probeCounts(_ order: TrialOrder) -> ProbeCounts? {
    guard let measured = try? measured(order), let before = open?.probes, let after = close?.probes else { return nil }
    return ProbeCounts(
      from: before, to: after, operationsPerSecond: measured.figures.operationsPerSecond,
      cpuNanoseconds: measured.figures.cpu?.nanosecondsPerOperation)
  }
}
