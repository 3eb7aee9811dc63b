// brigade's oracle: every hop counted on both sides, in the ring's order, no token lost or doubled.

extension Brigade {
  /// The rules, in the order in which they are reported.
  public enum Rule: String, Sendable, CaseIterable {
    case hops
    case turn
    case checksum
    case units
    case gate
    case pipes
    case window
    case balance

    public var meaning: String {
      switch self {
      case .hops: "tokens received = tokens + hops; all tokens are kept in the end"
      case .turn: "each token passes the units in the order of the ring, none left out"
      case .checksum: "the tokens add up to their first values + hops"
      case .units: "units started = units finished = length"
      case .gate: "all units have started before the first token is put in"
      case .pipes: "over pipes: one pipe a unit, each closed in the end; over channels: none"
      case .window: "the window holds at least one hop, and no more than the trial"
      case .balance: "the model's ledger has every count"
      }
    }
  }

  /// Names of the counts in the model's ledger.
  public enum ModelCount: String, Sendable, CaseIterable {
    case unitsStarted, unitsFinished
    /// Units that had started when the first token was put into an inlet.
    case startedAtFirstToken
    /// Hops, counted by the unit that sends; tokens taken out of inlets, the first time of each included, counted by the
    /// unit that receives.
    case hopsSent, tokensReceived
    /// Tokens that came to a unit when it was not its turn.
    case tokensOutOfTurn
    /// Tokens that units had when they stopped, and their sum modulo 2^64.
    case tokensKept, checksum
    /// Pipes, each of two descriptors.
    case pipesOpened, pipesClosed
  }

  static func judge(_ evidence: Evidence) -> [Finding] {
    var judgement = Judgement<Rule, ModelCount>(evidence)
    guard let parameters = try? Parameters(evidence.parameters) else {
      return [Finding(Rule.balance.rawValue, "the trial's parameters are not brigade's")]
    }
    guard judgement.hasAllCounts(.balance, signed: [ModelCount.checksum.rawValue]) else { return judgement.findings }
    let hops = judgement.count(.hopsSent)
    judgement.expect(.hops, .tokensReceived, parameters.tokens &+ hops)
    judgement.expect(.hops, .tokensKept, parameters.tokens)
    judgement.expect(.turn, .tokensOutOfTurn, 0)
    var sum = UInt64(hops)
    for token in 0..<parameters.tokens { sum &+= parameters.firstToken(token) }
    judgement.expect(.checksum, checksum: .checksum, sum)
    judgement.expect(.units, .unitsStarted, parameters.length)
    judgement.expect(.units, .unitsFinished, parameters.length)
    judgement.expect(.gate, .startedAtFirstToken, parameters.length)
    let pipes = parameters.medium == .pipes ? parameters.length : 0
    judgement.expect(.pipes, .pipesOpened, pipes)
    judgement.expect(.pipes, .pipesClosed, pipes)
    judgement.expectOperations(.window, atMost: hops)
    return judgement.findings
  }
}
