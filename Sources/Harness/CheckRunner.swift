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
    let parameters: [String: ParameterValue]
    do {
      parameters = try workload.values(check.changes)
    } catch {
      throw HarnessError(error)
    }
    let place =
      "\(folder)/\(row.label.replacingOccurrences(of: ":", with: "-"))-"
      + check.name.replacingOccurrences(of: "/", with: "-")
    func trial(window: Double) async throws(HarnessError) -> Result<Observation, TrialEnd> {
      try? FileManager.default.removeItem(atPath: place)
      return try await runner.run(
        TrialOrder(
          model: row.program, variant: row.variant, workload: workload, parameters: parameters, seed: 1,
          warmUp: .zero, window: .seconds(window), operations: check.operations, isGated: check.isGated,
          iterationsPerMillisecond: iterationsPerMillisecond, processors: processors, deadlines: deadlines),
        folder: place)
    }
    var outcome = try await trial(window: workload.isServed ? 60 : Check.inProcessWindowSeconds)
    if !workload.isServed, case .failure(let end) = outcome, end.findsTooFewOperations(of: check) {
      // A host may take the processors away for as long as a short window is. Nothing in a long one is the model's doing.
      outcome = try await trial(window: 10 * Check.inProcessWindowSeconds)
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
  /// Whether all that is wrong is that the window held less than the check asks for.
  fileprivate func findsTooFewOperations(of check: Check) -> Bool {
    guard cause == .failed(.wrong), findings.allSatisfy({ $0.rule == "window" }), let counted = evidence.operations
    else { return false }
    return counted == 0 || counted < check.operations
  }
}
