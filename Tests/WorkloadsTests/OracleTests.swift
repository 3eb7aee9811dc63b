// The oracle: a trial that balances is clean, and each way to break a rule is found by that rule, and by no other,
// with the counts in its message.

import Testing
import Workloads

@Suite struct OracleTests {
  static let width = 8
  static let requests = 100

  /// A trial in which everything balances.
  struct TrialCounts: Sendable {
    var model: Ledger = [
      "requestsReceived": requests, "requestsAnswered": requests,
      "subRequestsSent": requests * width, "subRepliesReceived": requests * width,
      "unitsStarted": requests * (1 + width), "unitsFinished": requests * (1 + width),
      "clientConnectionsAccepted": 64, "clientConnectionsClosed": 64,
      "backendConnectionsOpened": 512, "backendConnectionsClosed": 512,
    ]
    var rig: Ledger = [
      "requestsSent": requests, "requestsAnswered": requests, "subRequestsReceived": requests * width,
      "backendConnectionsPeak": 512,
    ]
    var variant: String?
    var isGated = false
    var openSockets: Int? = 0
    var parameters = Workload.fanOut.defaults

    var findings: [Finding] {
      Workload.fanOut.judge(
        Evidence(
          parameters: parameters, variant: variant, isGated: isGated, model: model, rig: rig, openSockets: openSockets))
    }
  }

  /// One way to break a rule, what the oracle must call it, and the numbers that its messages must hold.
  struct Breach: Sendable, CustomTestStringConvertible {
    let rule: FanOut.Rule
    let name: String
    let numbers: [Int]
    let commit: @Sendable (inout TrialCounts) -> Void

    init(
      _ rule: FanOut.Rule, _ name: String, _ numbers: [Int], _ commit: @escaping @Sendable (inout TrialCounts) -> Void
    ) {
      self.rule = rule
      self.name = name
      self.numbers = numbers
      self.commit = commit
    }
    var testDescription: String { "\(rule.rawValue): \(name)" }
  }

  static let breaches: [Breach] = [
    Breach(.answeredOnce, "an id is never answered", [99, 100]) {
      $0.rig["requestsAnswered"] = 99
      $0.rig["requestsUnanswered"] = 1
      $0.model["requestsAnswered"] = 99
    },
    Breach(.answeredOnce, "an id is answered twice", [3]) {
      $0.rig["answersRepeated"] = 3
      $0.model["requestsAnswered"] = 103
    },
    Breach(.answeredOnce, "an unknown id is answered", [2]) {
      $0.rig["answersUnknown"] = 2
      $0.model["requestsAnswered"] = 102
    },
    Breach(.answeredOnce, "client connections are closed early", [4]) { $0.rig["clientConnectionsLost"] = 4 },
    Breach(.checksum, "answers carry a wrong sum", [7, 100]) { $0.rig["answersWrong"] = 7 },
    Breach(.subRequests, "a sub-request is skipped", [799, 800]) {
      $0.rig["subRequestsReceived"] = 799
      $0.model["subRequestsSent"] = 799
      $0.model["subRepliesReceived"] = 799
    },
    Breach(.subRequests, "an answer comes before its replies", [5]) { $0.rig["answersEarly"] = 5 },
    Breach(.subRequests, "a sub-request comes twice and another not at all", [6]) { $0.rig["subRequestsRepeated"] = 6 },
    Breach(.subRequests, "a sub-request belongs to no request", [11]) { $0.rig["subRequestsUnknown"] = 11 },
    Breach(.subRequests, "a sub-request carries another payload", [12]) { $0.rig["subRequestsAltered"] = 12 },
    Breach(.oneOutstanding, "more connections than allowed", [513, 512]) { $0.rig["backendConnectionsPeak"] = 513 },
    Breach(.oneOutstanding, "two sub-requests on one connection", [13]) { $0.rig["subRequestsOverlapping"] = 13 },
    Breach(.gate, "children run one after another", [14, 1, 8]) {
      $0.isGated = true
      $0.rig["gatesStuck"] = 14
      $0.rig["gateReached"] = 1
    },
    Breach(.frames, "a frame has another length", [15]) { $0.rig["framesMalformed"] = 15 },
    Breach(.units, "children are run without units of their own", [100, 900]) {
      $0.model["unitsStarted"] = 100
      $0.model["unitsFinished"] = 100
    },
    Breach(.units, "a unit never finishes", [900, 899]) { $0.model["unitsFinished"] = 899 },
    Breach(.units, "gather starts children after all", [900, 100]) { $0.variant = "gather" },
    Breach(.leftOpen, "sockets are open after the result", [16]) { $0.openSockets = 16 },
  ]

  @Test(arguments: breaches)
  func `each breach is found by its rule and no other, with counts`(breach: Breach) {
    var trial = TrialCounts()
    breach.commit(&trial)
    let findings = trial.findings
    #expect(Set(findings.map(\.rule)) == [breach.rule.rawValue])
    let numbers = Set(findings.flatMap { $0.message.split { !$0.isNumber }.compactMap { Int($0) } })
    #expect(numbers.isSuperset(of: breach.numbers), "\(findings)")
  }

  @Test func `every rule has a breach here`() {
    let covered = Set(Self.breaches.map(\.rule)).union([.balance])
    #expect(covered == Set(FanOut.Rule.allCases))
  }

  @Test func `a trial that balances has no finding`() {
    #expect(TrialCounts().findings == [])
  }

  @Test func `gather balances with one unit per request`() {
    var trial = TrialCounts()
    trial.variant = "gather"
    trial.model["unitsStarted"] = Self.requests
    trial.model["unitsFinished"] = Self.requests
    #expect(trial.findings == [])
  }

  @Test func `sockets that nobody could count are not held against the model`() {
    var trial = TrialCounts()
    trial.openSockets = nil
    #expect(trial.findings == [])
  }

  @Test func `fewer backend connections than allowed are fine`() {
    var trial = TrialCounts()
    trial.rig["backendConnectionsPeak"] = 1
    #expect(trial.findings == [])
  }

  /// Units have a rule of their own; every other count of the model's ledger is judged by `balance`.
  @Test(arguments: FanOut.ModelCount.allCases.filter { $0 != .unitsStarted && $0 != .unitsFinished }, [-1, 1])
  func `a count of the model that disagrees is found by balance and named`(count: FanOut.ModelCount, error: Int) throws
  {
    var trial = TrialCounts()
    let right = try #require(trial.model[count.rawValue])
    trial.model[count.rawValue] = right + error
    let findings = trial.findings
    #expect(findings.map(\.rule) == ["balance"])
    let message = try #require(findings.first).message
    // An unequal pair is reported at its second half, whichever half is off.
    let named = count.rawValue
      .replacingSuffix("Accepted", with: "Closed").replacingSuffix("Opened", with: "Closed")
    #expect(message.contains(named))
    #expect(message.contains("\(right + error)") && message.contains("\(right)"))
  }

  @Test(arguments: FanOut.ModelCount.allCases)
  func `a ledger that lacks a count is found by balance and the count named`(count: FanOut.ModelCount) {
    var trial = TrialCounts()
    trial.model[count.rawValue] = nil
    #expect(trial.findings.map(\.rule) == ["balance"])
    #expect(trial.findings.first?.message.contains(count.rawValue) == true)
  }

  @Test func `an empty ledger names every count`() {
    var trial = TrialCounts()
    trial.model = [:]
    let message = trial.findings.map(\.message).joined()
    for count in FanOut.ModelCount.allCases { #expect(message.contains(count.rawValue)) }
  }

  @Test func `several breaches are all reported, in the order of the rules`() {
    var trial = TrialCounts()
    for breach in Self.breaches.reversed() where breach.rule != .units { breach.commit(&trial) }
    let order = FanOut.Rule.allCases.map(\.rawValue)
    let places = trial.findings.compactMap { order.firstIndex(of: $0.rule) }
    #expect(places == places.sorted())
    #expect(Set(places).count >= 7)
  }

  @Test func `parameters that are not fan-out's are a finding, not a crash`() {
    var trial = TrialCounts()
    trial.parameters = ["width": .text("eight")]
    #expect(!trial.findings.isEmpty)
  }
}

extension String {
  fileprivate func replacingSuffix(_ suffix: String, with other: String) -> String {
    hasSuffix(suffix) ? dropLast(suffix.count) + other : self
  }
}
