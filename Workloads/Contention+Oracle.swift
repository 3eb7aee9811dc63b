// contention's oracle: counters that are no atomics add up to the sections only if no two sections overlapped.

extension Contention {
  /// The rules, in the order in which they are reported.
  public enum Rule: String, Sendable, CaseIterable {
    case exclusion
    case checksum
    case gate
    case everyUnit = "every-unit"
    case units
    case window
    case balance

    public var meaning: String {
      switch self {
      case .exclusion: "the counters add up to the sections that the units counted"
      case .checksum: "each section did its CPU work, with the counter that it found"
      case .gate: "gated: each section gives way between reading its counter and writing it back"
      case .everyUnit: "each unit runs at least one section"
      case .units: "units started = units finished = units"
      case .window: "the window holds at least one operation, and no more than the trial"
      case .balance: "the model's ledger has every count"
      }
    }
  }

  /// Names of the counts in the model's ledger; ``lockCount(_:)`` gives further ones, one a counter.
  public enum ModelCount: String, Sendable, CaseIterable {
    case unitsStarted, unitsFinished
    /// Sections, counted by each unit for itself, added up; and the units that ran any.
    case sections, unitsWithSections
    /// Sum modulo 2^64 of the counters' checksums.
    case checksum
    /// Gated: sections that gave way, counted by the units like `sections`; else 0.
    case sectionsGivenWay
  }

  static func judge(_ evidence: Evidence) -> [Finding] {
    var judgement = Judgement<Rule, ModelCount>(evidence)
    guard let parameters = try? Parameters(evidence.parameters) else {
      return [Finding(Rule.balance.rawValue, "the trial's parameters are not contention's")]
    }
    guard judgement.hasAllCounts(.balance, signed: [ModelCount.checksum.rawValue]) else { return judgement.findings }
    let counters = (0..<parameters.locks).map { evidence.model[lockCount($0)] ?? -1 }
    if let lock = counters.firstIndex(where: { $0 < 0 }) {
      judgement.report(.balance, "the model's ledger lacks \(lockCount(lock)), or it is below 0")
      return judgement.findings
    }
    let sections = judgement.count(.sections)
    let counted = counters.reduce(0, &+)
    if counted != sections {
      judgement.report(.exclusion, "the counters add up to \(counted), the units ran \(sections) sections")
    }
    judgeChecksum(counters, parameters, &judgement)
    judgement.expect(.gate, .sectionsGivenWay, evidence.isGated ? sections : 0)
    judgement.expect(.everyUnit, .unitsWithSections, parameters.units)
    judgement.expect(.units, .unitsStarted, parameters.units)
    judgement.expect(.units, .unitsFinished, parameters.units)
    judgement.expectOperations(.window, atMost: sections)
    return judgement.findings
  }

  private static func judgeChecksum(
    _ counters: [Int], _ parameters: Parameters, _ judgement: inout Judgement<Rule, ModelCount>
  ) {
    var iterations = 0
    if parameters.holdNanoseconds > 0 {
      guard let speed = judgement.evidence.iterationsPerMillisecond else {
        return judgement.report(.checksum, "the trial lacks iterationsPerMillisecond, without which hold has no size")
      }
      iterations = CPUWork.iterations(nanoseconds: parameters.holdNanoseconds, iterationsPerMillisecond: speed)
    }
    judgement.expect(.checksum, checksum: .checksum, checksum(counters: counters, iterations: iterations))
  }

  /// What the sections add up if the counters ended with those values: the CPU work starts from one of 64 seeds, so
  /// that whole rounds of it need not be added one by one.
  static func checksum(counters: [Int], iterations: Int) -> UInt64 {
    let round = (0..<64).map { work(counter: $0, iterations: iterations) }
    let whole = round.reduce(0, &+)
    return counters.reduce(0) { sum, counter in
      sum &+ whole &* UInt64(counter / 64) &+ round.prefix(counter % 64).reduce(0, &+)
    }
  }
}
