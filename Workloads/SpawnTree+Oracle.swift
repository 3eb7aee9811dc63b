// spawn-tree's oracle: the sum, and exactly the tree's number of units.

extension SpawnTree {
  /// The rules, in the order in which they are reported.
  public enum Rule: String, Sendable, CaseIterable {
    case sum
    case units
    case gate
    case window
    case balance

    public var meaning: String {
      switch self {
      case .sum: "the roots' values add up to trees x leaves x (leaves - 1) / 2"
      case .units: "units started = units finished = trees x (10 x leaves - 1) / 9"
      case .gate: "gated: no child returns before all ten children of its parent have started"
      case .window: "the window holds whole trees, at least one, and no more than the trial"
      case .balance: "the model's ledger has every count"
      }
    }
  }

  /// Names of the counts in the model's ledger.
  public enum ModelCount: String, Sendable, CaseIterable {
    /// Trees whose root has been joined.
    case treesFinished
    /// Counted by each unit itself, as its first act and as its last before it hands over its value.
    case unitsStarted, unitsFinished
    /// The roots' values added up modulo 2^64.
    case checksum
    /// Gated, else 0: nodes of which the tenth child has arrived at the gate; children that were about to hand over
    /// their value when fewer than ten of their parent's had arrived.
    case gatesOpened, returnedEarly
  }

  static func judge(_ evidence: Evidence) -> [Finding] {
    var judgement = Judgement<Rule, ModelCount>(evidence)
    guard let parameters = try? Parameters(evidence.parameters) else {
      return [Finding(Rule.balance.rawValue, "the trial's parameters are not spawn-tree's")]
    }
    guard judgement.hasAllCounts(.balance, signed: [ModelCount.checksum.rawValue]) else { return judgement.findings }
    let trees = judgement.count(.treesFinished)
    judgement.expect(.sum, checksum: .checksum, UInt64(bitPattern: Int64(trees &* parameters.sum)))
    let units = trees &* parameters.units
    judgement.expect(.units, .unitsStarted, units)
    judgement.expect(.units, .unitsFinished, units)
    let returnedEarly = judgement.count(.returnedEarly)
    if returnedEarly > 0 {
      judgement.report(
        .gate, "\(returnedEarly) children returned before their siblings had started; they do not run side by side")
    }
    judgement.expect(.gate, .gatesOpened, evidence.isGated ? trees &* parameters.innerUnits : 0)
    judgement.expectOperations(.window, atMost: units, inStepsOf: parameters.units)
    return judgement.findings
  }
}
