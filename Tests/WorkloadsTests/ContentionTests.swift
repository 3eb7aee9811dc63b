// contention's contract: the oracle finds each breach by its rule, and the spread is what statistics calls it.

import Testing
import Workloads

@Suite struct ContentionTests {
  static let counters = [128, 63, 9]

  /// What the sections add up, one by one, as a model does it.
  static func sum(_ counters: [Int], iterations: Int) -> Int {
    var sum: UInt64 = 0
    for counter in counters {
      for found in 0..<counter { sum &+= Contention.work(counter: found, iterations: iterations) }
    }
    return Int(truncatingIfNeeded: sum)
  }

  static let trial = MadeUpTrial(
    workload: .contention, changes: ["units": .integer(5), "locks": .integer(3), "hold": .integer(2)],
    model: [
      "unitsStarted": 5, "unitsFinished": 5, "sections": 200, "unitsWithSections": 5,
      "checksum": sum(counters, iterations: 2), "sectionsGivenWay": 0, "lock0Sections": 128, "lock1Sections": 63,
      "lock2Sections": 9,
    ], operations: 150)

  static let breaches: [LedgerBreach] = [
    LedgerBreach(Contention.Rule.exclusion, "sections overlap and a count is lost", [200, 201]) {
      $0.model["sections"] = 201
    },
    LedgerBreach(Contention.Rule.exclusion, "a section is counted twice", [200, 199]) { $0.model["sections"] = 199 },
    LedgerBreach(Contention.Rule.checksum, "the work is left out", []) {
      $0.model["checksum"] = sum(counters, iterations: 0)
    },
    LedgerBreach(Contention.Rule.checksum, "the work is too short", []) {
      $0.model["checksum"] = sum(counters, iterations: 1)
    },
    LedgerBreach(Contention.Rule.gate, "gated, but no section gives way", [0, 200]) { $0.isGated = true },
    LedgerBreach(Contention.Rule.gate, "a gate where there is none", [200, 0]) {
      $0.model["sectionsGivenWay"] = 200
    },
    LedgerBreach(Contention.Rule.everyUnit, "a unit never gets a turn", [4, 5]) { $0.model["unitsWithSections"] = 4 },
    LedgerBreach(Contention.Rule.units, "fewer units", [4, 5]) { $0.model["unitsStarted"] = 4 },
    LedgerBreach(Contention.Rule.units, "a unit is not joined", [4, 5]) { $0.model["unitsFinished"] = 4 },
    LedgerBreach(Contention.Rule.window, "operations counted twice", [201, 200]) { $0.operations = 201 },
    LedgerBreach(Contention.Rule.window, "nothing is done in the window", [0]) { $0.operations = 0 },
  ]

  @Test(arguments: breaches)
  func `each breach is found by its rule and no other, with counts`(breach: LedgerBreach) {
    breach.expectNamed(in: Self.trial)
  }

  @Test func `every rule has a breach here, and every count is needed`() {
    #expect(Set(Self.breaches.map(\.rule)).union(["balance"]) == Set(Contention.Rule.allCases.map(\.rawValue)))
    let names = Contention.ModelCount.allCases.map(\.rawValue) + (0..<3).map(Contention.lockCount)
    #expect(Set(Self.trial.model.counts.keys) == Set(names))
    expectEveryCountIsNeeded(in: Self.trial, checksums: ["checksum"])
    expectNoNumberIsTooMuch(in: Self.trial)
  }

  @Test func `gated, every section that gave way is right`() {
    var trial = Self.trial
    trial.isGated = true
    trial.model["sectionsGivenWay"] = 200
    #expect(trial.findings == [])
  }

  @Test func `without hold the seeds themselves are added up, and no speed is needed`() {
    var trial = Self.trial
    trial.changes["hold"] = .integer(0)
    trial.iterationsPerMillisecond = nil
    // 0 + 1 + ... + 63 = 2016, twice; the same without 63; 0 + 1 + ... + 8.
    trial.model["checksum"] = 4_032 + 1_953 + 36
    #expect(trial.findings == [])
    trial.changes["hold"] = .integer(2)
    #expect(trial.brokenRules == ["checksum"])
  }

  @Test func `the spread names the least, the most and the coefficient of variation`() {
    #expect(
      Contention.spread([2, 4, 4, 4, 5, 5, 7, 9]) == [
        Measure("sectionsPerUnitLeast", unit: "sections", 2), Measure("sectionsPerUnitMost", unit: "sections", 9),
        Measure("sectionsPerUnitVariation", unit: "ratio", 0.4),
      ])
    #expect(Contention.spread([0, 0]).map(\.value) == [0, 0, 0])
    #expect(Contention.spread([]).map(\.value) == [0, 0, 0])
  }

  @Test func `parameters arrive typed`() throws {
    let parameters = try Contention.Parameters(["hold": .integer(1)])
    #expect(parameters.units == 64 && parameters.locks == 1 && parameters.holdNanoseconds == 1_000)
    #expect(throws: ParameterError.self) { try Contention.Parameters(["locks": .integer(65)]) }
  }

  @Test(arguments: [Workload.timerStorm, .pipeline, .channel, .contention].map(Listed.init))
  func `cases, checks and parameters of the workload are well formed`(listed: Listed) throws {
    let workload = listed.workload
    #expect(!workload.isServed)
    for preset in Preset.allCases { #expect(workload.cases.contains { $0.presets.contains(preset) }) }
    let names = workload.cases.map(\.name) + workload.checks.map(\.name)
    #expect(Set(names).count == names.count)
    for name in names { #expect(name.hasPrefix(workload.name + "/")) }
    for changes in workload.cases.map(\.changes) + workload.checks.map(\.changes) { _ = try workload.values(changes) }
    #expect(workload.checks.contains { $0.isGated } && workload.checks.contains { !$0.isGated })
    #expect(Set(workload.rules.map(\.name)).count == workload.rules.count)
  }
  struct Listed: Sendable, CustomTestStringConvertible {
    let workload: Workload
    var testDescription: String { workload.name }
  }

  /// The numbers of PROTOCOL.md's example.
  @Test func `three sections on one counter add up to the example of the specification`() {
    #expect(Self.sum([3], iterations: 2) == 7_615_820_645_383_431_233)
  }

  @Test func `the CPU work of the specification's example`() {
    #expect(CPUWork.burn(seed: 1, iterations: 0) == 1)
    #expect(CPUWork.burn(seed: 1, iterations: 1) == 0x910A_2DEC_8902_5CC1)
    #expect(CPUWork.burn(seed: 1, iterations: 2) == 0x5E41_AB08_7439_611E)
    #expect(CPUWork.burn(seed: 1, iterations: 3) == 0xB18A_02F4_6D8D_86C3)
  }
}
