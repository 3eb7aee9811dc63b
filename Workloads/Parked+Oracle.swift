// parked's oracle: all units waited at once, all woke, each found its state; and the state was in memory, as seen from
// outside.

extension Parked {
  /// The rules, in the order in which they are reported.
  public enum Rule: String, Sendable, CaseIterable {
    case units
    case parked
    case state
    case resident
    case timer
    case window
    case balance

    public var meaning: String {
      switch self {
      case .units: "units started = units finished = `units`"
      case .parked: "each unit parks once and wakes once; all are parked when the window closes"
      case .state: "each unit finds every word of its state as it wrote it"
      case .resident: "while all wait the process has grown by the units' states, as seen from outside"
      case .timer: "gated: the timer wakes each unit, not before its time; else the model does"
      case .window: "the window holds all units"
      case .balance: "the model's ledger has every count"
      }
    }
  }

  /// Names of the counts in the model's ledger.
  public enum ModelCount: String, Sendable, CaseIterable {
    case unitsStarted, unitsFinished
    /// Counted by each unit as its last act before it waits, and as its first when it waits no more.
    case unitsParked, unitsWoken
    /// Units parked and not yet woken when the window closed.
    case parkedAtClose
    /// Units that were woken by their timer; of them those that woke before its time.
    case wokenByTimer, wokenEarly
    /// Units that found every word of their state; the sum of all words that they found, modulo 2^64.
    case statesIntact, checksum
  }

  /// Memory that a process may have touched before `ready` and use again: the states may hide in so much.
  static let reusableBytes = 2 << 20

  static func judge(_ evidence: Evidence) -> [Finding] {
    var judgement = Judgement<Rule, ModelCount>(evidence)
    guard let parameters = try? Parameters(evidence.parameters) else {
      return [Finding(Rule.balance.rawValue, "the trial's parameters are not parked's")]
    }
    guard judgement.hasAllCounts(.balance, signed: [ModelCount.checksum.rawValue]) else { return judgement.findings }
    let units = parameters.units
    judgement.expect(.units, .unitsStarted, units)
    judgement.expect(.units, .unitsFinished, units)
    judgement.expect(.parked, .unitsParked, units)
    judgement.expect(.parked, .unitsWoken, units)
    // Gated, the first timers may fire before the last unit is parked.
    if !evidence.isGated { judgement.expect(.parked, .parkedAtClose, units) }
    judgement.expect(.state, .statesIntact, units)
    judgement.expect(.state, checksum: .checksum, parameters.checksum)
    let bytes = units * parameters.liveState
    if !evidence.isGated, let grown = evidence.grownBytes, grown < bytes - reusableBytes {
      judgement.report(.resident, "the process grew by \(grown) bytes, expected at least \(bytes) of state")
    }
    judgement.expect(.timer, .wokenByTimer, evidence.isGated ? units : 0)
    judgement.expect(.timer, .wokenEarly, 0)
    judgement.expectOperations(.window, atMost: units, inStepsOf: units)
    return judgement.findings
  }
}
