// ping-pong: an oracle that finds tokens lost, doubled or strayed, and units that are none.

import Testing
import Workloads

@Suite struct PingPongTests {
  typealias Rule = PingPong.Rule

  /// Three pairs, a thousand hand-overs, 900 of them in the window.
  static let trial = InProcessTrial(
    workload: .pingPong, parameters: ["pairs": .integer(3)],
    model: [
      "unitsStarted": 6, "unitsFinished": 6, "startedAtFirstToken": 6, "handOversSent": 1_000, "tokensReceived": 1_003,
      "tokensOutOfTurn": 0, "tokensKept": 3,
      "checksum": Int(truncatingIfNeeded: (0..<3).reduce(1_000) { $0 &+ SplitMix64.mix($1) }),
    ],
    operations: 900)

  static let breaches = [
    Breach(Rule.handOvers, "a token is received twice", [1_004, 1_003]) { $0.add(1, to: "tokensReceived") },
    Breach(Rule.handOvers, "a wake-up is dropped with its token", [2, 3, 1_002]) {
      $0.add(-1, to: "tokensReceived")
      $0.add(-1, to: "tokensKept")
    },
    Breach(Rule.turn, "tokens stray into other pairs", [2]) { $0.model["tokensOutOfTurn"] = 2 },
    Breach(Rule.checksum, "a hand-over adds nothing", []) { $0.add(-1, to: "checksum") },
    Breach(Rule.units, "one unit plays both sides", [3, 6]) {
      $0.model["unitsStarted"] = 3
      $0.model["unitsFinished"] = 3
    },
    Breach(Rule.units, "a unit is left waiting", [5, 6]) { $0.model["unitsFinished"] = 5 },
    Breach(Rule.gate, "pairs are created one after another", [2, 6]) { $0.model["startedAtFirstToken"] = 2 },
    Breach(Rule.window, "nothing is handed over", [0]) { $0.operations = 0 },
    Breach(Rule.window, "both sides of a hand-over are counted", [1_800, 1_000]) { $0.operations = 1_800 },
  ]

  @Test(arguments: breaches)
  func `each breach is found by its rule and no other, with counts`(breach: Breach) {
    breach.expectFound(in: Self.trial)
  }

  @Test func `every rule has a breach here`() {
    #expect(Set(Self.breaches.map(\.rule)).union(["balance"]) == Set(Rule.allCases.map(\.rawValue)))
  }

  @Test func `the ledger is complete, and absurd numbers are findings`() {
    expectGuardsItsLedger(Self.trial, counts: PingPong.ModelCount.allCases.map(\.rawValue))
  }

  @Test func `parameters arrive typed, and a choice that there is not is refused`() throws {
    let parameters = try PingPong.Parameters(["pairs": .integer(5), "workers": .text("all")])
    #expect(parameters.pairs == 5 && parameters.units == 10 && parameters.workers == .all)
    #expect(try PingPong.Parameters([:]).workers == .one)
    #expect(throws: ParameterError.self) { try PingPong.Parameters(["pairs": .integer(0)]) }
    #expect(throws: ParameterError.self) { try PingPong.Parameters(["workers": .text("two")]) }
  }

  @Test func `tokens begin where PROTOCOL says`() {
    #expect(PingPong.firstToken(pair: 0) == 0xE220_A839_7B1D_CDAF)
    #expect(PingPong.firstToken(pair: 1) == 0x910A_2DEC_8902_5CC1)
  }
}
