// Whether a trial has sustained its rate. Pure and here, so that whoever reads a capacity.json can judge its trials again
// and needs to take nothing on trust.

/// What one trial says of the rate that it ran at.
public enum CapacityVerdict: String, Sendable, Codable, CaseIterable {
  /// The objective was met, and the model kept up with what was offered.
  case sustained
  /// It was not, or the trial failed: the model's doing.
  case missed
  /// The rig was at its own limit: nothing can be said of the model at this rate.
  case rigLimit = "rig-limit"
  /// The rig or the host was disturbed: another trial may tell.
  case void

  public init(from decoder: any Decoder) throws { self = try decodeName(from: decoder) }
}

/// A verdict and what it rests on, in words.
public struct CapacityJudgement: Sendable, Codable, Hashable {
  public let verdict: CapacityVerdict
  public let reason: String

  public init(_ verdict: CapacityVerdict, _ reason: String) {
    self.verdict = verdict
    self.reason = reason
  }
}

extension ServiceObjective {
  /// Busier than this, a rig that is late is late because of its load.
  private static let busyShare = 0.5
  /// What the kernel's account of its processors may be wrong by, in seconds: a tick of 10 ms at either edge.
  private static let accountSeconds = 0.02

  /// Judges a trial of an open loop.
  ///
  /// The rig's own lateness is part of every latency, so that a trial that met the objective met it in spite of that. One
  /// that missed it by no more than what the rig may have added is not held against the model: it is void, or, where the
  /// rig was busy for more than half of the window, the rig's limit. What else runs on a host is known without looking at
  /// the result, and voids a trial whatever came out: where it is void by the harness's own rule for busy hosts, and where
  /// others had a processor for a larger part of the window than the part of the requests that may be late, for that
  /// alone makes so many late. Were misses alone void by that, passes would be left over, and capacities too high.
  /// - Parameters:
  ///   - latencyClass: the class that the objective is about.
  ///   - toleratesBusyHost: whether trials that others disturbed count all the same.
  public func judge(_ trial: Trial, latencyClass: String, toleratesBusyHost: Bool) -> CapacityJudgement {
    if trial.state == .voided { return CapacityJudgement(.void, trial.reason ?? "the rig or the host was at fault") }
    guard trial.state == .ok, let figures = trial.figures else {
      return CapacityJudgement(.missed, trial.reason ?? "ended in state '\(trial.state.rawValue)'")
    }
    let busyShare = figures.rig?.busyShare ?? 0
    if trial.warnings.contains(.rigSaturated) {
      return CapacityJudgement(.rigLimit, "the rig was busy for \(percent(busyShare)) of the window")
    }
    if trial.warnings.contains(.hostBusy) && !toleratesBusyHost {
      return CapacityJudgement(.void, "other programs or other machines used the host's processors meanwhile")
    }
    if let lost = trial.host.map({ $0.othersProcessors + $0.stolenProcessors }), !toleratesBusyHost,
      lost > max(shareThatMayBeLate, Self.accountSeconds / (Double(figures.windowNanoseconds) / 1e9))
    {
      return CapacityJudgement(.void, "others had \(percent(lost)) of a processor meanwhile")
    }
    let attainment: Attainment?
    do throws(ResultError) {
      attainment = try figures.attainment(of: self, in: latencyClass)
    } catch {
      return CapacityJudgement(.void, error.description)
    }
    guard let found = attainment else { return CapacityJudgement(.missed, "no '\(latencyClass)' request was answered") }
    let latency = "\(percentile) was \(milliseconds(found.percentileNanoseconds))"
    guard found.isMet else {
      let (own, overflows) = limitNanoseconds.addingReportingOverflow(found.rigNanoseconds)
      if found.percentileNanoseconds >= own || overflows { return CapacityJudgement(.missed, latency) }
      return CapacityJudgement(
        busyShare > Self.busyShare ? .rigLimit : .void,
        "\(latency), of which the rig may have added \(milliseconds(found.rigNanoseconds)) while it was busy for "
          + "\(percent(busyShare)) of the window")
    }
    if trial.warnings.contains(.behindOfferedRate) {
      return CapacityJudgement(
        .missed,
        "\(latency), but \(Int(figures.operationsPerSecond.rounded())) of "
          + "\(Int((figures.offeredPerSecond ?? 0).rounded())) requests/s were answered in the window")
    }
    return CapacityJudgement(.sustained, latency)
  }

  private var shareThatMayBeLate: Double { 1 - Double(perTenThousand) / 10_000 }
  private func percent(_ share: Double) -> String { "\(Int((share * 100).rounded())) %" }
  private func milliseconds(_ nanoseconds: UInt64) -> String {
    "\((Double(nanoseconds) / 1e4).rounded() / 100) ms"
  }
}
