// brigade: an oracle that finds rings of another length, tokens lost or doubled, and pipes left out or open.

import Testing
import Workloads

@Suite struct BrigadeTests {
  typealias Rule = Brigade.Rule

  /// Three tokens in a ring of seven: they begin at the units 0, 2 and 4.
  static func trial(_ medium: String) -> InProcessTrial {
    // PROTOCOL's example: with 500 hops 844424930132474.
    let first = (1 << 48) + (2 << 48) + 0 + 2 + 4
    let pipes = medium == "pipes" ? 7 : 0
    return InProcessTrial(
      workload: .brigade,
      parameters: ["length": .integer(7), "tokens": .integer(3), "medium": .text(medium)],
      model: [
        "unitsStarted": 7, "unitsFinished": 7, "startedAtFirstToken": 7, "hopsSent": 500, "tokensReceived": 503,
        "tokensOutOfTurn": 0, "tokensKept": 3, "checksum": first + 500, "pipesOpened": pipes, "pipesClosed": pipes,
      ],
      operations: 400)
  }

  static let breaches = [
    Breach(Rule.hops, "a token is lost on the way", [502, 503, 2, 3]) {
      $0.add(-1, to: "tokensReceived")
      $0.add(-1, to: "tokensKept")
    },
    Breach(Rule.hops, "a token is passed on twice", [4, 3]) { $0.model["tokensKept"] = 4 },
    Breach(Rule.turn, "a unit is left out of the ring", [71]) { $0.model["tokensOutOfTurn"] = 71 },
    Breach(Rule.checksum, "a hop adds nothing", []) { $0.add(-1, to: "checksum") },
    Breach(Rule.units, "fewer units than the ring is long", [6, 7]) {
      $0.model["unitsStarted"] = 6
      $0.model["unitsFinished"] = 6
    },
    Breach(Rule.gate, "units are created when the token comes", [1, 7]) { $0.model["startedAtFirstToken"] = 1 },
    Breach(Rule.window, "no hop", [0]) { $0.operations = 0 },
    Breach(Rule.window, "more hops than the trial had", [501, 500]) { $0.operations = 501 },
  ]
  static let pipeBreaches = [
    Breach(Rule.pipes, "the pipes are channels after all", [0, 7]) {
      $0.model["pipesOpened"] = 0
      $0.model["pipesClosed"] = 0
    },
    Breach(Rule.pipes, "a pipe is left open", [6, 7]) { $0.model["pipesClosed"] = 6 },
  ]

  @Test(arguments: breaches, ["channels", "pipes"])
  func `each breach is found by its rule and no other, with counts`(breach: Breach, medium: String) {
    breach.expectFound(in: Self.trial(medium))
  }

  @Test(arguments: pipeBreaches)
  func `pipes are counted`(breach: Breach) {
    breach.expectFound(in: Self.trial("pipes"))
  }

  @Test func `pipes where channels were asked for are found`() {
    var trial = Self.trial("channels")
    trial.model["pipesOpened"] = 7
    trial.model["pipesClosed"] = 7
    #expect(trial.broken == ["pipes"])
  }

  @Test func `every rule has a breach here`() {
    let covered = Set((Self.breaches + Self.pipeBreaches).map(\.rule)).union(["balance"])
    #expect(covered == Set(Rule.allCases.map(\.rawValue)))
  }

  @Test func `the ledger is complete, and absurd numbers are findings`() {
    expectGuardsItsLedger(Self.trial("channels"), counts: Brigade.ModelCount.allCases.map(\.rawValue))
    expectGuardsItsLedger(Self.trial("pipes"), counts: Brigade.ModelCount.allCases.map(\.rawValue))
  }

  @Test func `tokens begin at units spread over the ring, and it is nobody's turn but theirs`() throws {
    let parameters = try Brigade.Parameters(["length": .integer(500), "tokens": .integer(4)])
    #expect((0..<4).map(parameters.firstUnit) == [0, 125, 250, 375])
    #expect(parameters.firstToken(3) == 0x0003_0000_0000_0177)
    for token in 0..<4 {
      for unit in 0..<500 {
        #expect(parameters.isTurn(of: unit, parameters.firstToken(token)) == (unit == token * 125))
      }
    }
    // The 1,000th hop of token 3 is to where it began.
    #expect(parameters.isTurn(of: 375, parameters.firstToken(3) + 1_000))
  }

  @Test func `more tokens than units begin at units of the ring`() throws {
    let parameters = try Brigade.Parameters(["length": .integer(7), "tokens": .integer(40)])
    for token in 0..<40 {
      #expect((0..<7).contains(parameters.firstUnit(of: token)))
      #expect(parameters.isTurn(of: parameters.firstUnit(of: token), parameters.firstToken(token)))
    }
  }

  @Test func `parameters arrive typed`() throws {
    let parameters = try Brigade.Parameters([:])
    #expect(parameters.length == 500 && parameters.medium == .channels && parameters.tokens == 1)
    #expect(try Brigade.Parameters(["medium": .text("pipes")]).medium == .pipes)
    #expect(throws: ParameterError.self) { try Brigade.Parameters(["length": .integer(1)]) }
    #expect(throws: ParameterError.self) { try Brigade.Parameters(["medium": .text("sockets")]) }
  }
}
