// pipeline's contract: the oracle computes the checksum by itself, and finds each breach by its rule.

import Testing
import Workloads

@Suite struct PipelineTests {
  static let stages = 3
  static let lanes = [400, 350]
  static let parameters: [String: ParameterValue] = [
    "stages": .integer(stages), "capacity": .integer(4), "lanes": .integer(2),
  ]

  /// What a sink adds up, item by item and stage by stage, as a model does it.
  static func sum(_ lanes: [Int], iterations: Int, stages: some Sequence<Int> = 1...stages) -> Int {
    var sum: UInt64 = 0
    for (lane, items) in lanes.enumerated() {
      for sequence in 0..<items {
        sum &+= stages.reduce(Pipeline.firstValue(lane: lane, sequence: sequence)) {
          Pipeline.apply(stage: $1, to: $0, sequence: sequence, iterations: iterations)
        }
      }
    }
    return Int(truncatingIfNeeded: sum)
  }

  static let trial = MadeUpTrial(
    workload: .pipeline, changes: parameters,
    model: [
      "unitsStarted": 10, "unitsFinished": 10, "itemsSent": 750, "itemsReceived": 750, "itemsOutOfOrder": 0,
      "checksum": sum(lanes, iterations: 0), "leastAdmittedWhileStopped": 0, "mostAdmittedWhileStopped": 0,
      "lane0Items": 400, "lane1Items": 350,
    ], operations: 500)

  static let breaches: [LedgerBreach] = [
    LedgerBreach(Pipeline.Rule.conservation, "an item is lost", [751, 750]) { $0.model["itemsSent"] = 751 },
    LedgerBreach(Pipeline.Rule.conservation, "an item is counted twice", [751, 750]) {
      $0.model["itemsSent"] = 751
      $0.model["itemsReceived"] = 751
    },
    LedgerBreach(Pipeline.Rule.order, "items overtake", [2]) { $0.model["itemsOutOfOrder"] = 2 },
    LedgerBreach(Pipeline.Rule.checksum, "a stage is skipped", []) {
      $0.model["checksum"] = sum(lanes, iterations: 0, stages: 1...2)
    },
    LedgerBreach(Pipeline.Rule.checksum, "two stages change places", []) {
      $0.model["checksum"] = sum(lanes, iterations: 0, stages: [1, 3, 2])
    },
    LedgerBreach(Pipeline.Rule.checksum, "a lane's items are another's", []) {
      $0.model["lane0Items"] = 350
      $0.model["lane1Items"] = 400
    },
    LedgerBreach(Pipeline.Rule.checksum, "the work is left out", []) { $0.changes["work"] = .integer(2) },
    LedgerBreach(Pipeline.Rule.gate, "a gate where there is none", [16]) {
      $0.model["mostAdmittedWhileStopped"] = 16
    },
    LedgerBreach(Pipeline.Rule.gate, "gated, a queue holds one more", [20, 19, 16]) {
      $0.isGated = true
      $0.model["leastAdmittedWhileStopped"] = 16
      $0.model["mostAdmittedWhileStopped"] = 20
    },
    LedgerBreach(Pipeline.Rule.gate, "gated, stages are fused", [8, 16]) {
      $0.isGated = true
      $0.model["leastAdmittedWhileStopped"] = 8
      $0.model["mostAdmittedWhileStopped"] = 19
    },
    LedgerBreach(Pipeline.Rule.gate, "gated, but the sinks do not stop", [0, 16]) { $0.isGated = true },
    LedgerBreach(Pipeline.Rule.latency, "samples where nothing is paced", [5]) { $0.samples = ["all": 5] },
    LedgerBreach(Pipeline.Rule.latency, "paced, samples are left out", [449, 500]) {
      $0.changes["load"] = .text("paced")
      $0.samples = ["all": 449]
    },
    LedgerBreach(Pipeline.Rule.latency, "paced, more samples than items", [751]) {
      $0.changes["load"] = .text("paced")
      $0.samples = ["all": 751]
    },
    LedgerBreach(Pipeline.Rule.units, "stages share a unit", [6, 10]) { $0.model["unitsStarted"] = 6 },
    LedgerBreach(Pipeline.Rule.units, "a unit is not joined", [9, 10]) { $0.model["unitsFinished"] = 9 },
    LedgerBreach(Pipeline.Rule.window, "operations counted twice", [751, 750]) { $0.operations = 751 },
    LedgerBreach(Pipeline.Rule.window, "nothing is done in the window", [0]) { $0.operations = 0 },
  ]

  @Test(arguments: breaches)
  func `each breach is found by its rule and no other, with counts`(breach: LedgerBreach) {
    breach.expectNamed(in: Self.trial)
  }

  @Test func `every rule has a breach here, and every count is needed`() {
    #expect(Set(Self.breaches.map(\.rule)).union(["balance"]) == Set(Pipeline.Rule.allCases.map(\.rawValue)))
    let names = Pipeline.ModelCount.allCases.map(\.rawValue) + [Pipeline.laneCount(0), Pipeline.laneCount(1)]
    #expect(Set(Self.trial.model.counts.keys) == Set(names))
    expectEveryCountIsNeeded(in: Self.trial, checksums: ["checksum"])
    expectNoNumberIsTooMuch(in: Self.trial)
  }

  /// A model may hold an item in each stage's hand or take none before there is room for it downstream.
  @Test(arguments: [16, 17, 19])
  func `gated, a lane takes in what its queues hold and at most one more a stage`(admitted: Int) {
    var trial = Self.trial
    trial.isGated = true
    trial.model["leastAdmittedWhileStopped"] = 16
    trial.model["mostAdmittedWhileStopped"] = admitted
    #expect(trial.findings == [])
  }

  @Test func `work and paced load balance with their own checksum and samples`() {
    var trial = Self.trial
    trial.changes["work"] = .integer(2)
    trial.changes["load"] = .text("paced")
    trial.model["checksum"] = Self.sum(Self.lanes, iterations: 2)
    trial.samples = ["all": 498]
    #expect(trial.findings == [])
    trial.iterationsPerMillisecond = nil
    #expect(trial.brokenRules == ["checksum"])
  }

  @Test func `parameters arrive typed`() throws {
    let parameters = try Pipeline.Parameters(["work": .integer(10), "load": .text("paced"), "lanes": .integer(8)])
    #expect(parameters.stages == 8 && parameters.capacity == 64 && parameters.lanes == 8)
    #expect(parameters.workNanoseconds == 10_000)
    #expect(parameters.load == .paced(rate: 4_000))
    #expect(parameters.units == 80)
    #expect(parameters.laneCapacity == 576)
    #expect(try Pipeline.Parameters([:]).load == .saturated)
    #expect(throws: ParameterError.self) { try Pipeline.Parameters(["lanes": .integer(9)]) }
  }

  @Test func `paced items of all lanes together are due at the rate, evenly`() throws {
    let parameters = try Pipeline.Parameters(["load": .text("paced"), "lanes": .integer(2), "rate": .number(1_000)])
    let dues = (0..<3).flatMap { sequence in (0..<2).map { parameters.due(lane: $0, sequence: sequence) } }
    #expect(dues == [0, 1_000_000, 2_000_000, 3_000_000, 4_000_000, 5_000_000])
  }

  /// The numbers of PROTOCOL.md's example.
  @Test func `the example of the specification`() {
    let first = Pipeline.firstValue(lane: 1, sequence: 2)
    let second = Pipeline.apply(stage: 1, to: first, sequence: 2, iterations: 0)
    let third = Pipeline.apply(stage: 2, to: second, sequence: 2, iterations: 0)
    #expect([first, second, third] == [0x0C94_AAC8_2217_2F16, 0xB4BD_C01D_2661_4BF4, 0xA7A0_4B4D_9680_E3BB])
  }
}
