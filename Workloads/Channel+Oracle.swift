// channel's oracle: computes what the consumers must have added up from nothing but how many items each producer says
// it has put.

extension Channel {
  /// The rules, in the order in which they are reported.
  public enum Rule: String, Sendable, CaseIterable {
    case conservation
    case order
    case checksum
    case everyProducer = "every-producer"
    case gate
    case units
    case window
    case balance

    public var meaning: String {
      switch self {
      case .conservation: "items put = items taken = the sum over the producers = the sum over the consumers"
      case .order: "a consumer takes the items of one producer in the order in which they were put"
      case .checksum: "the values taken are those of the items put, each once"
      case .everyProducer: "each producer puts at least one item"
      case .gate: "gated: while the consumers stand still, as many items are put as the queue holds"
      case .units: "units started = units finished = producers + consumers"
      case .window: "the window holds at least one operation, and no more than the trial"
      case .balance: "the model's ledger has every count"
      }
    }
  }

  /// Names of the counts in the model's ledger; ``producerCount(_:)`` and ``consumerCount(_:)`` give further ones.
  public enum ModelCount: String, Sendable, CaseIterable {
    case unitsStarted, unitsFinished
    /// Counted by the producers after each put, and by the consumers after each take.
    case itemsSent, itemsReceived
    /// Items that a consumer took after a later one of the same producer.
    case itemsOutOfOrder
    /// Sum modulo 2^64 of the values that the consumers took.
    case checksum
    /// Gated: items that had been put when the consumers began to take; else 0.
    case itemsAdmittedWhileStopped
  }

  /// What an oracle is willing to compute again: some 15 seconds' worth, and more than a minute of any model's.
  static let mostItems = 10_000_000_000

  static func judge(_ evidence: Evidence) -> [Finding] {
    var judgement = Judgement<Rule, ModelCount>(evidence)
    guard let parameters = try? Parameters(evidence.parameters) else {
      return [Finding(Rule.balance.rawValue, "the trial's parameters are not channel's")]
    }
    guard judgement.hasAllCounts(.balance, signed: [ModelCount.checksum.rawValue]) else { return judgement.findings }
    let names = (0..<parameters.producers).map(producerCount) + (0..<parameters.consumers).map(consumerCount)
    let lacking = names.filter { (evidence.model[$0] ?? -1) < 0 }
    guard lacking.isEmpty else {
      judgement.report(.balance, "the model's ledger lacks \(lacking.joined(separator: ", ")), or has them below 0")
      return judgement.findings
    }
    let counts = names.map { evidence.model[$0] ?? 0 }
    let producers = Array(counts.prefix(parameters.producers))
    let sent = producers.reduce(0, &+)
    let received = counts.dropFirst(parameters.producers).reduce(0, &+)
    judgement.expect(.conservation, .itemsSent, sent)
    judgement.expect(.conservation, .itemsReceived, received)
    if sent != received {
      judgement.report(.conservation, "the producers put \(sent) items, the consumers took \(received)")
    }
    judgement.expect(.order, .itemsOutOfOrder, 0)
    judgeChecksum(producers, &judgement)
    if let idle = producers.firstIndex(of: 0) {
      judgement.report(.everyProducer, "\(producerCount(idle)) is 0, expected at least 1")
    }
    judgement.expect(.gate, .itemsAdmittedWhileStopped, evidence.isGated ? parameters.capacity : 0)
    judgement.expect(.units, .unitsStarted, parameters.units)
    judgement.expect(.units, .unitsFinished, parameters.units)
    judgement.expectOperations(.window, atMost: received)
    return judgement.findings
  }

  private static func judgeChecksum(_ producers: [Int], _ judgement: inout Judgement<Rule, ModelCount>) {
    guard producers.allSatisfy({ $0 <= mostItems / producers.count }) else {
      return judgement.report(
        .checksum, "\(producers.max() ?? 0) items of one producer: more than can be checked, or than anyone can move")
    }
    var sum: UInt64 = 0
    for (producer, items) in producers.enumerated() {
      for sequence in 0..<items { sum &+= value(producer: producer, sequence: sequence) }
    }
    judgement.expect(.checksum, checksum: .checksum, sum)
  }
}
