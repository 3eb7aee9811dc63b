// One planned trial: its folder, its processes, and its line in the result.

import Foundation
import Glibc
import ResultFormat
import Workloads

/// Runs trials, served and in-process ones.
public struct TrialRunner: Sendable {
  let executables: Executables
  let interruption: Interruption

  public init(executables: Executables, interruption: Interruption) {
    self.executables = executables
    self.interruption = interruption
  }

  /// Runs one trial with its files in `folder`.
  /// - Returns: what was observed, or why there is nothing to show.
  /// - Throws: ``HarnessError`` if the folder cannot be written or a process cannot be started.
  func run(_ order: TrialOrder, folder: String) async throws(HarnessError) -> Result<Observation, TrialEnd> {
    try makeFolder(folder)
    let files = TrialFiles(
      modelError: try BoundedFile(path: "\(folder)/stderr", limit: 1 << 20),
      rigError: try BoundedFile(path: "\(folder)/rig-stderr", limit: 1 << 20),
      replies: try BoundedFile(path: "\(folder)/reply.jsonl", limit: 4 << 20))
    try writeRequest(order, folder: folder)
    let inbox = Inbox()
    let token = interruption.listen { inbox.interrupt() }
    defer { interruption.stopListening(token) }
    let result =
      if order.workload.isServed {
        try await ServedTrial(order: order, executables: executables, inbox: inbox, files: files).run()
      } else {
        try await InProcessTrial(order: order, executables: executables, inbox: inbox, files: files).run()
      }
    // Nearly always empty, and then in the way.
    if contents(of: "\(folder)/rig-stderr")?.isEmpty == true { unlink("\(folder)/rig-stderr") }
    return result
  }

  /// What the model was asked, without the port, which only the rig knows.
  private func writeRequest(_ order: TrialOrder, folder: String) throws(HarnessError) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(order.request()) else { preconditionFailure("a request is plain values") }
    do {
      try RunFiles.writeText(String(decoding: data, as: UTF8.self) + "\n", to: "\(folder)/request.json")
    } catch {
      throw HarnessError(error)
    }
  }
}

/// - Throws: ``HarnessError`` that names the path, if it is not there and cannot be made.
func makeFolder(_ path: String) throws(HarnessError) {
  do {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  } catch {
    let code = (error as NSError).userInfo[NSUnderlyingErrorKey].map { ($0 as! NSError).code } ?? Int(errno)
    throw .file("making the folder", path, code: Int32(code))
  }
}

extension Trial {
  /// The trial as it goes on disk; nil if it was interrupted, and so never was.
  init?(
    _ planned: PlannedTrial, of order: TrialOrder, startedAt: String, _ result: Result<Observation, TrialEnd>
  ) {
    func trial(_ state: TrialState, _ seen: Observation) -> Trial {
      Trial(
        number: planned.number, model: planned.model, variant: planned.variant, workload: order.workload.name,
        case: planned.case, parameters: order.parameters, seed: planned.seed, round: planned.round,
        startedAt: startedAt, state: state, ledger: seen.modelLedger, rigLedger: seen.rig?.ledger,
        counters: seen.counters, host: seen.host)
    }
    func failed(
      _ state: TrialState, _ seen: Observation, _ reason: String, _ findings: [Finding] = [], reached: Int? = nil
    )
      -> Trial
    {
      let name = planned.variant.map { "\(planned.model):\($0)" } ?? planned.model
      var trial = trial(state, seen)
      trial.findings = findings
      trial.reached = reached
      trial.reason =
        "model '\(name)' failed \(planned.case) (round \(planned.round)): \(reason); its stderr is in "
        + "trials/\(planned.number)/stderr"
      return trial
    }
    switch result {
    case .failure(let end):
      guard case .failed(let state) = end.cause else { return nil }
      self = failed(state, end.evidence, end.reason, end.findings, reached: end.reached)
      if state == .unsupported || state == .voided { reason = end.reason }
    case .success(let seen):
      do {
        guard let measured = try seen.measured(order) else {
          self = failed(.timeout, seen, "completed no \(order.workload.operation) within the window")
          return
        }
        self = trial(.ok, seen)
        figures = measured.figures
        warnings = measured.warnings
      } catch {
        self = failed(.voided, seen, "the rig's figures cannot be read: \(error)")
      }
    }
  }
}

extension Observation {
  /// The figures of a trial that nothing is wrong with, and what a reader must know about them; nil where nothing was
  /// completed within the window.
  /// - Throws: ``ResultError`` if the rig's counts are none.
  func measured(_ order: TrialOrder) throws(ResultError) -> (figures: Figures, warnings: [Warning])? {
    guard order.workload.isServed else {
      guard let figures = Figures(inProcess: self) else { return nil }
      return (figures, warnings(figures, pacedRate: order.pacedRate))
    }
    guard let rig else { preconditionFailure("a served trial that is ok has the rig's result") }
    guard rig.operations > 0, rig.windowCloseNanoseconds > rig.windowOpenNanoseconds else { return nil }
    let figures = try Figures(self, rig: rig, isOpenLoop: order.isOpenLoop)
    return (
      figures, warnings(figures, rig: rig, isOpenLoop: order.isOpenLoop, processors: order.processors)
    )
  }
}

/// Now, as ISO 8601 in UTC.
func timestamp() -> String { Date().formatted(.iso8601) }
