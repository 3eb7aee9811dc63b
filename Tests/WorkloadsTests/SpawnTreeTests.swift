// spawn-tree: the tree's arithmetic, and an oracle that finds each way to build another tree.

import Testing
import Workloads

@Suite struct SpawnTreeTests {
  typealias Rule = SpawnTree.Rule

  /// Seven trees of 100 leaves, the last five of them in the window.
  static let plain = InProcessTrial(
    workload: .spawnTree, parameters: ["leaves": .integer(100)],
    model: [
      "treesFinished": 7, "unitsStarted": 777, "unitsFinished": 777, "checksum": 7 * 4_950, "gatesOpened": 0,
      "returnedEarly": 0,
    ],
    operations: 555)
  static let gated: InProcessTrial = {
    var trial = plain
    trial.isGated = true
    trial.model["gatesOpened"] = 77
    return trial
  }()

  static let breaches = [
    Breach(Rule.sum, "a leaf is lost", [34_649, 34_650]) { $0.add(-1, to: "checksum") },
    Breach(Rule.sum, "a tree's value is added twice", [39_600, 34_650]) { $0.add(4_950, to: "checksum") },
    Breach(Rule.units, "a unit fewer is created", [776, 777]) {
      $0.add(-1, to: "unitsStarted")
      $0.add(-1, to: "unitsFinished")
    },
    Breach(Rule.units, "leaves run within their parents", [77, 777]) {
      $0.model["unitsStarted"] = 77
      $0.model["unitsFinished"] = 77
    },
    Breach(Rule.units, "units are counted twice", [1_554, 777]) { $0.model["unitsStarted"] = 1_554 },
    Breach(Rule.units, "a unit never finishes", [776, 777]) { $0.add(-1, to: "unitsFinished") },
    Breach(Rule.gate, "gates although none was asked for", [3]) { $0.model["gatesOpened"] = 3 },
    Breach(Rule.window, "no tree in the window", [0, 111]) { $0.operations = 0 },
    Breach(Rule.window, "more units than the trial had", [888, 777]) { $0.operations = 888 },
    Breach(Rule.window, "a tree is cut at an edge", [554, 111]) { $0.operations = 554 },
  ]
  static let gatedBreaches = [
    Breach(Rule.gate, "children run one after another", [630]) { $0.model["returnedEarly"] = 630 },
    Breach(Rule.gate, "the gates are left out", [0, 77]) { $0.model["gatesOpened"] = 0 },
    Breach(Rule.gate, "the last level has none", [7, 77]) { $0.model["gatesOpened"] = 7 },
  ]

  @Test(arguments: breaches)
  func `each breach is found by its rule and no other, with counts`(breach: Breach) {
    breach.expectFound(in: Self.plain)
  }

  @Test(arguments: gatedBreaches)
  func `each breach of a gated trial is found by its rule and no other`(breach: Breach) {
    breach.expectFound(in: Self.gated)
  }

  @Test func `every rule has a breach here`() {
    let covered = Set((Self.breaches + Self.gatedBreaches).map(\.rule)).union(["balance"])
    #expect(covered == Set(Rule.allCases.map(\.rawValue)))
  }

  @Test func `the ledger is complete, and absurd numbers are findings`() {
    expectGuardsItsLedger(Self.plain, counts: SpawnTree.ModelCount.allCases.map(\.rawValue))
    expectGuardsItsLedger(Self.gated, counts: SpawnTree.ModelCount.allCases.map(\.rawValue))
  }

  @Test(arguments: [(10, 11, 1, 45), (1_000, 1_111, 111, 499_500), (1_000_000, 1_111_111, 111_111, 499_999_500_000)])
  func `a tree has so many units, and that sum`(leaves: Int, units: Int, inner: Int, sum: Int) throws {
    let parameters = try SpawnTree.Parameters(["leaves": .integer(leaves)])
    #expect(parameters.units == units)
    #expect(parameters.innerUnits == inner)
    #expect(parameters.sum == sum)
  }

  @Test(arguments: [-1_000, 0, 1, 20, 999, 10_000_000])
  func `leaves that make no tree ten wide are refused`(leaves: Int) {
    let error = #expect(throws: ParameterError.self) { try SpawnTree.Parameters(["leaves": .integer(leaves)]) }
    #expect(error?.description == "'\(leaves)' is not a value of leaves: expected 10 to 1000000, a power of 10")
  }
}
