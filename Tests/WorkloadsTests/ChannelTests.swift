// channel's contract: the oracle computes the checksum by itself, and finds each breach by its rule.

import Testing
import Workloads

@Suite struct ChannelTests {
  static let sent = [30, 1, 29]

  static func sum(_ producers: [Int]) -> Int {
    var sum: UInt64 = 0
    for (producer, items) in producers.enumerated() {
      for sequence in 0..<items { sum &+= Channel.value(producer: producer, sequence: sequence) }
    }
    return Int(truncatingIfNeeded: sum)
  }

  static let trial = MadeUpTrial(
    workload: .channel,
    changes: ["producers": .integer(3), "consumers": .integer(2), "capacity": .integer(6)],
    model: [
      "unitsStarted": 5, "unitsFinished": 5, "itemsSent": 60, "itemsReceived": 60, "itemsOutOfOrder": 0,
      "checksum": sum(sent), "itemsAdmittedWhileStopped": 0, "producer0Items": 30, "producer1Items": 1,
      "producer2Items": 29, "consumer0Items": 60, "consumer1Items": 0,
    ], operations: 50)

  static let breaches: [LedgerBreach] = [
    LedgerBreach(Channel.Rule.conservation, "an item is lost", [59, 60]) {
      $0.model["itemsReceived"] = 59
      $0.model["consumer0Items"] = 59
    },
    LedgerBreach(Channel.Rule.conservation, "a consumer counts twice", [61, 60]) { $0.model["consumer1Items"] = 1 },
    LedgerBreach(Channel.Rule.conservation, "the total is not the producers'", [61, 60]) {
      $0.model["itemsSent"] = 61
    },
    LedgerBreach(Channel.Rule.order, "items overtake", [7]) { $0.model["itemsOutOfOrder"] = 7 },
    LedgerBreach(Channel.Rule.checksum, "one item is taken twice and another not at all", []) {
      $0.model["checksum"] = sum([30, 2, 28])
    },
    LedgerBreach(Channel.Rule.everyProducer, "a producer is left out", [0, 1]) {
      $0.model["producer1Items"] = 0
      $0.model["producer2Items"] = 30
      $0.model["checksum"] = sum([30, 0, 30])
    },
    LedgerBreach(Channel.Rule.gate, "a gate where there is none", [6, 0]) {
      $0.model["itemsAdmittedWhileStopped"] = 6
    },
    LedgerBreach(Channel.Rule.gate, "gated, the queue holds one more", [7, 6]) {
      $0.isGated = true
      $0.model["itemsAdmittedWhileStopped"] = 7
    },
    LedgerBreach(Channel.Rule.gate, "gated, the queue holds less than declared", [1, 6]) {
      $0.isGated = true
      $0.model["itemsAdmittedWhileStopped"] = 1
    },
    LedgerBreach(Channel.Rule.gate, "gated, but the consumers do not stop", [0, 6]) { $0.isGated = true },
    LedgerBreach(Channel.Rule.units, "producers share a unit", [3, 5]) { $0.model["unitsStarted"] = 3 },
    LedgerBreach(Channel.Rule.units, "a unit is not joined", [4, 5]) { $0.model["unitsFinished"] = 4 },
    LedgerBreach(Channel.Rule.window, "operations counted twice", [61, 60]) { $0.operations = 61 },
    LedgerBreach(Channel.Rule.window, "nothing is done in the window", [0]) { $0.operations = 0 },
  ]

  @Test(arguments: breaches)
  func `each breach is found by its rule and no other, with counts`(breach: LedgerBreach) {
    breach.expectNamed(in: Self.trial)
  }

  @Test func `every rule has a breach here, and every count is needed`() {
    #expect(Set(Self.breaches.map(\.rule)).union(["balance"]) == Set(Channel.Rule.allCases.map(\.rawValue)))
    let names =
      Channel.ModelCount.allCases.map(\.rawValue) + (0..<3).map(Channel.producerCount)
      + (0..<2).map(Channel.consumerCount)
    #expect(Set(Self.trial.model.counts.keys) == Set(names))
    expectEveryCountIsNeeded(in: Self.trial, checksums: ["checksum"])
    expectNoNumberIsTooMuch(in: Self.trial)
  }

  @Test func `gated, as many items as the queue holds are right`() {
    var trial = Self.trial
    trial.isGated = true
    trial.model["itemsAdmittedWhileStopped"] = 6
    #expect(trial.findings == [])
  }

  @Test func `parameters arrive typed`() throws {
    let parameters = try Channel.Parameters(["producers": .integer(3)])
    #expect(parameters.producers == 3 && parameters.consumers == 40 && parameters.capacity == 50)
    #expect(parameters.units == 43)
    #expect(throws: ParameterError.self) { try Channel.Parameters(["capacity": .integer(0)]) }
  }

  /// The numbers of PROTOCOL.md's example.
  @Test func `the example of the specification`() {
    #expect(Channel.value(producer: 1, sequence: 2) == 0x0C94_AAC8_2217_2F16)
    #expect(Self.sum([2, 1]) == 1_562_957_801_323_913_664)
  }
}
