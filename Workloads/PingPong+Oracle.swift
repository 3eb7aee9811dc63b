// ping-pong's oracle: every hand-over counted on both sides, no token lost, doubled or strayed.

extension PingPong {
  /// The rules, in the order in which they are reported.
  public enum Rule: String, Sendable, CaseIterable {
    case handOvers = "hand-overs"
    case turn
    case checksum
    case units
    case gate
    case window
    case balance

    public var meaning: String {
      switch self {
      case .handOvers: "tokens received = pairs + hand-overs; each pair has one token and keeps it in the end"
      case .turn: "each unit receives the token that its partner made of the one it sent"
      case .checksum: "the tokens add up to their first values + hand-overs"
      case .units: "units started = units finished = 2 x pairs"
      case .gate: "all units have started before the first token is handed to one"
      case .window: "the window holds at least one hand-over, and no more than the trial"
      case .balance: "the model's ledger has every count"
      }
    }
  }

  /// Names of the counts in the model's ledger.
  public enum ModelCount: String, Sendable, CaseIterable {
    case unitsStarted, unitsFinished
    /// Units that had started when the first token was put into a mailbox.
    case startedAtFirstToken
    /// Hand-overs, counted by the unit that sends; tokens taken out of mailboxes, the first of each pair included,
    /// counted by the unit that receives.
    case handOversSent, tokensReceived
    /// Tokens received that were not the expected value.
    case tokensOutOfTurn
    /// Tokens that units had when they stopped, and their sum modulo 2^64.
    case tokensKept, checksum
  }

  static func judge(_ evidence: Evidence) -> [Finding] {
    var judgement = Judgement<Rule, ModelCount>(evidence)
    guard let parameters = try? Parameters(evidence.parameters) else {
      return [Finding(Rule.balance.rawValue, "the trial's parameters are not ping-pong's")]
    }
    guard judgement.hasAllCounts(.balance, signed: [ModelCount.checksum.rawValue]) else { return judgement.findings }
    let handOvers = judgement.count(.handOversSent)
    judgement.expect(.handOvers, .tokensReceived, parameters.pairs &+ handOvers)
    judgement.expect(.handOvers, .tokensKept, parameters.pairs)
    judgement.expect(.turn, .tokensOutOfTurn, 0)
    var sum = UInt64(handOvers)
    for pair in 0..<parameters.pairs { sum &+= firstToken(pair: pair) }
    judgement.expect(.checksum, checksum: .checksum, sum)
    judgement.expect(.units, .unitsStarted, parameters.units)
    judgement.expect(.units, .unitsFinished, parameters.units)
    judgement.expect(.gate, .startedAtFirstToken, parameters.units)
    judgement.expectOperations(.window, atMost: handOvers)
    return judgement.findings
  }
}
