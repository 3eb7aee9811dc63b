// pipeline's oracle: computes what the sinks must have added up from nothing but how many items each lane says it had.

extension Pipeline {
  /// The rules, in the order in which they are reported.
  public enum Rule: String, Sendable, CaseIterable {
    case conservation
    case order
    case checksum
    case gate
    case latency
    case units
    case window
    case balance

    public var meaning: String {
      switch self {
      case .conservation: "items put by the sources = items taken by the sinks = the sum over the lanes"
      case .order: "a sink takes its own lane's items in the order in which they were put"
      case .checksum: "every item went through every stage once, in order, and each stage did its work"
      case .gate:
        "gated: while a sink stands still, its lane takes in what its queues hold, and at most one more a stage"
      case .latency: "paced: one sample for each operation of the window; saturated: none"
      case .units: "units started = units finished = lanes x (stages + 2)"
      case .window: "the window holds at least one operation, and no more than the trial"
      case .balance: "the model's ledger has every count"
      }
    }
  }

  /// Names of the counts in the model's ledger; ``laneCount(_:)`` gives further ones, one a lane.
  public enum ModelCount: String, Sendable, CaseIterable {
    case unitsStarted, unitsFinished
    /// Counted by the sources after each put, and by the sinks after each take.
    case itemsSent, itemsReceived
    /// Items that a sink took and that were not the next one of its lane.
    case itemsOutOfOrder
    /// Sum modulo 2^64 of the values that the sinks took.
    case checksum
    /// Gated: the fewest and the most items that any lane's source had put when its sink began to take; else 0.
    case leastAdmittedWhileStopped, mostAdmittedWhileStopped
  }

  /// What an oracle is willing to compute again: some 15 seconds' worth, and more than a minute of any model's.
  static let mostSteps = 10_000_000_000

  static func judge(_ evidence: Evidence) -> [Finding] {
    var judgement = Judgement<Rule, ModelCount>(evidence)
    guard let parameters = try? Parameters(evidence.parameters) else {
      return [Finding(Rule.balance.rawValue, "the trial's parameters are not pipeline's")]
    }
    guard judgement.hasAllCounts(.balance, signed: [ModelCount.checksum.rawValue]) else { return judgement.findings }
    let lanes = (0..<parameters.lanes).map { evidence.model[laneCount($0)] ?? -1 }
    if let lane = lanes.firstIndex(where: { $0 < 0 }) {
      judgement.report(.balance, "the model's ledger lacks \(laneCount(lane)), or it is below 0")
      return judgement.findings
    }
    let received = judgement.count(.itemsReceived)
    judgement.expect(.conservation, .itemsSent, received)
    let sum = lanes.reduce(0, &+)
    if sum != received {
      judgement.report(.conservation, "the lanes have \(sum) items together, expected itemsReceived = \(received)")
    }
    judgement.expect(.order, .itemsOutOfOrder, 0)
    judgeChecksum(lanes, parameters, &judgement)
    judgeGate(parameters, &judgement)
    judgeSamples(parameters, &judgement)
    judgement.expect(.units, .unitsStarted, parameters.units)
    judgement.expect(.units, .unitsFinished, parameters.units)
    judgement.expectOperations(.window, atMost: received)
    return judgement.findings
  }

  private static func judgeChecksum(
    _ lanes: [Int], _ parameters: Parameters, _ judgement: inout Judgement<Rule, ModelCount>
  ) {
    guard lanes.allSatisfy({ $0 <= mostSteps / (lanes.count * parameters.stages) }) else {
      return judgement.report(
        .checksum, "\(lanes.max() ?? 0) items in one lane: more than can be checked, or than anyone can move")
    }
    var iterations = 0
    if parameters.workNanoseconds > 0 {
      guard let speed = judgement.evidence.iterationsPerMillisecond else {
        return judgement.report(.checksum, "the trial lacks iterationsPerMillisecond, without which work has no size")
      }
      iterations = CPUWork.iterations(nanoseconds: parameters.workNanoseconds, iterationsPerMillisecond: speed)
    }
    judgement.expect(.checksum, checksum: .checksum, checksum(lanes: lanes, stages: parameters.stages, iterations))
  }

  /// What the sinks add up if each lane had that many items.
  static func checksum(lanes: [Int], stages: Int, _ iterations: Int) -> UInt64 {
    let burnt = (0..<64).map { CPUWork.burn(seed: $0, iterations: iterations) }
    var sum: UInt64 = 0
    for (lane, items) in lanes.enumerated() {
      for sequence in 0..<items {
        var value = firstValue(lane: lane, sequence: sequence)
        for stage in 1...stages { value = SplitMix64.mix(value &+ UInt64(stage) &+ burnt[sequence & 63]) }
        sum &+= value
      }
    }
    return sum
  }

  private static func judgeGate(_ parameters: Parameters, _ judgement: inout Judgement<Rule, ModelCount>) {
    let least = judgement.count(.leastAdmittedWhileStopped)
    let most = judgement.count(.mostAdmittedWhileStopped)
    guard judgement.evidence.isGated else {
      judgement.expect(.gate, .leastAdmittedWhileStopped, 0)
      judgement.expect(.gate, .mostAdmittedWhileStopped, 0)
      return
    }
    let capacity = parameters.laneCapacity
    if least < capacity {
      judgement.report(
        .gate,
        "a lane took in \(least) items while its sink stood still, expected at least \(capacity): its stages do "
          + "not run side by side, or its queues are smaller than declared")
    }
    if most > capacity + parameters.stages || most < least {
      judgement.report(
        .gate,
        "a lane took in \(most) items while its sink stood still, expected \(max(capacity, least)) to "
          + "\(capacity + parameters.stages): its queues are larger than declared")
    }
  }

  private static func judgeSamples(_ parameters: Parameters, _ judgement: inout Judgement<Rule, ModelCount>) {
    guard let operations = judgement.evidence.operations else { return }  // `window` says so
    let samples = judgement.evidence.samples["all"] ?? 0
    switch parameters.load {
    case .saturated:
      if samples > 0 { judgement.report(.latency, "recorded \(samples) samples, expected 0 with load=saturated") }
    case .paced:
      // One reading of the clock decides for both, so that they agree whenever the edges come. What is left open is for
      // the runs of before that was asked for, whose operations were read off counters: they are still valid.
      if samples > judgement.count(.itemsReceived) || (operations >= 100 && samples < operations - operations / 10) {
        judgement.report(.latency, "recorded \(samples) samples, expected one for each of \(operations) operations")
      }
    }
  }
}
