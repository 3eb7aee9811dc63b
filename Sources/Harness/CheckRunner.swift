// `switchyard check`: small and gated cases, bounded by count or a short window, judged and never timed.

import Foundation
import ResultFormat
import Workloads

/// How one model did in one check.
public struct CheckResult: Sendable, Encodable {
  public var model: String
  public var variant: String?
  public var check: String
  public var state: TrialState
  /// Why the state is not `ok`.
  public var reason: String?
  public var findings: [Finding]
  /// The model's standard error, kept where the check failed.
  public var standardError: String?

  /// Whether the model did what the contract asks, or honestly declined.
  public var isAcceptable: Bool { state == .ok || state == .unsupported }
}

public struct CheckRunner: Sendable {
  let runner: TrialRunner
  let processors: ProcessorSets
  let deadlines: TrialOrder.Deadlines
  let patience: Duration
  let iterationsPerMillisecond: Int?

  /// How long a model may make no progress: checks are small, and on a machine that is not busy what takes seconds is
  /// stuck.
  public static let patience: Duration = .seconds(3)

  /// - Parameter patience: how long a model may make no progress. All other deadlines stretch with it.
  public init(
    runner: TrialRunner, processors: ProcessorSets, patience: Duration = CheckRunner.patience,
    iterationsPerMillisecond: Int? = nil
  ) {
    self.runner = runner
    self.processors = processors
    self.patience = patience
    func stretched(_ seconds: Double) -> Duration { .seconds(seconds) * max(1, patience / Self.patience) }
    deadlines = TrialOrder.Deadlines(
      rig: stretched(10), ready: stretched(10), edge: stretched(5), patience: patience, load: stretched(30),
      work: patience * 3, drain: stretched(12), exit: stretched(10))
    self.iterationsPerMillisecond = iterationsPerMillisecond
  }

  /// Runs all checks of the workloads on every row.
  /// - Returns: nil if it was interrupted.
  public func run(_ rows: [ModelRow], _ workloads: [Workload], _ tell: (CheckResult) -> Void)
    async throws(HarnessError) -> [CheckResult]?
  {
    let folder = try temporaryFolder()
    defer {
      // Only what failed has left something.
      if entries(of: folder)?.isEmpty ?? true { try? FileManager.default.removeItem(atPath: folder) }
    }
    var results: [CheckResult] = []
    for row in rows {
      for workload in workloads {
        // A model's variants are of single workloads; where it has none of that name there is nothing to check.
        if row.variant != nil && row.unsupportedReason(workload) != nil { continue }
        for check in workload.checks {
          guard let result = try await run(check, of: workload, row, folder: folder) else { return nil }
          tell(result)
          results.append(result)
        }
      }
    }
    return results
  }

  private func run(_ check: Check, of workload: Workload, _ row: ModelRow, folder: String) async throws(HarnessError)
    -> CheckResult?
  {
    var result = CheckResult(
      model: row.program.name, variant: row.variant, check: check.name, state: .ok, findings: [])
    if let reason = row.unsupportedReason(workload) {
      result.state = .unsupported
      result.reason = reason
      return result
    }
    let place =
      "\(folder)/\(row.label.replacingOccurrences(of: ":", with: "-"))-"
      + check.name.replacingOccurrences(of: "/", with: "-")
    func trial(_ changes: [String: ParameterValue], window: Duration) async throws(HarnessError)
      -> Result<Observation, TrialEnd>
    {
      let parameters: [String: ParameterValue]
      do {
        parameters = try workload.values(changes)
      } catch {
        throw HarnessError(error)
      }
      try? FileManager.default.removeItem(atPath: place)
      return try await runner.run(
        TrialOrder(
          model: row.program, variant: row.variant, workload: workload, parameters: parameters, seed: 1,
          warmUp: .zero, window: window, operations: check.operations, isGated: check.isGated,
          iterationsPerMillisecond: iterationsPerMillisecond, processors: processors, deadlines: deadlines),
        folder: place)
    }
    let window = Duration.seconds(workload.isServed ? 60 : Check.inProcessWindowSeconds)
    var outcome = try await trial(check.changes, window: window)
    if case .failure(let end) = outcome, end.mayBeTheHosts(check, of: workload) {
      // A host may take the processors away for as long as a short window is, and not for as long as patience lasts.
      outcome = try await trial(
        check.changes.merging(check.changesInPatience) { $1 }, window: max(window, patience))
    }
    guard case .failure(let end) = outcome else {
      try? FileManager.default.removeItem(atPath: place)
      return result
    }
    guard case .failed(let state) = end.cause else {
      try? FileManager.default.removeItem(atPath: place)
      return nil
    }
    result.state = state
    result.reason = end.reason
    result.findings = end.findings
    result.standardError = "\(place)/stderr"
    return result
  }
}

extension TrialEnd {
  /// Whether nothing is wrong but what a model that stood still for most of a short window would show too: less than the
  /// check asks for, or shares that are not those of the time.
  fileprivate func mayBeTheHosts(_ check: Check, of workload: Workload) -> Bool {
    guard cause == .failed(.wrong) else { return false }
    let hasTooFew = evidence.operations.map { $0 == 0 || $0 < check.operations } ?? false
    return findings.allSatisfy { $0.rule == "window" && hasTooFew || workload.rulesOfShares.contains($0.rule) }
  }
}
