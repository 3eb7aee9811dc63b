// The list of workloads with their cases and checks: names are unique and well formed, parameters legal.

import Testing
import Workloads

@Suite struct CatalogueTests {
  @Test func `names are unique`() {
    for names in [
      Workload.all.map(\.name), Workload.all.flatMap(\.cases).map(\.name), Workload.all.flatMap(\.checks).map(\.name),
      Workload.all.flatMap { $0.cases.map(\.name) + $0.checks.map(\.name) },
    ] {
      #expect(Set(names).count == names.count)
    }
    for workload in Workload.all {
      #expect(Set(workload.parameters.map(\.name)).count == workload.parameters.count)
      #expect(Set(workload.variants.map(\.name)).count == workload.variants.count)
      #expect(Set(workload.rules.map(\.name)).count == workload.rules.count)
    }
  }

  @Test(arguments: Workload.all.flatMap { workload in workload.cases.map { (workload.name, $0.name, $0.changes) } })
  func `a case's name starts with its workload's, and its parameters are legal`(
    workload: String, name: String, changes: [String: ParameterValue]
  ) throws {
    #expect(name.hasPrefix(workload + "/"))
    #expect(try Workload.named(workload).values(changes).count >= changes.count)
  }

  @Test(arguments: Workload.all.flatMap { workload in workload.checks.map { (workload.name, $0) } })
  func `a check is bounded, says what it is for, and its parameters are legal`(workload: String, check: Check) throws {
    #expect(check.name.hasPrefix(workload + "/"))
    #expect(!check.purpose.isEmpty)
    #expect((1...100_000).contains(check.operations))
    _ = try Workload.named(workload).values(check.changes)
  }

  /// With fewer connections than children a gate could never open, and the check would accuse the innocent.
  @Test func `a gated check of fan-out leaves a connection for every child in flight`() throws {
    for check in Workload.fanOut.checks where check.isGated {
      let parameters = try FanOut.Parameters(check.changes)
      #expect(parameters.backendConnections >= parameters.connections * parameters.width)
    }
    #expect(Workload.fanOut.checks.contains { $0.isGated })
  }

  @Test(arguments: Workload.all.map(\.name))
  func `every workload has a case in every preset, a check, and headlines to compare`(name: String) throws {
    let workload = try Workload.named(name)
    for preset in Preset.allCases { #expect(workload.cases.contains { $0.presets.contains(preset) }) }
    #expect(!workload.checks.isEmpty)
    for measured in workload.cases { #expect(!measured.headlines.isEmpty) }
    #expect(!workload.contract.isEmpty && !workload.question.isEmpty && !workload.operation.isEmpty)
  }

  @Test func `the standard preset keeps to fifteen headline cases, and what is quick is also standard and full`() {
    let cases = Workload.all.flatMap(\.cases)
    #expect(cases.filter { $0.presets.contains(.standard) }.count <= 15)
    for measured in cases {
      if measured.presets.contains(.quick) { #expect(measured.presets.contains(.standard)) }
      if measured.presets.contains(.standard) { #expect(measured.presets.contains(.full)) }
    }
  }

  @Test func `only presets with rounds enough for intervals claim anything`() {
    for preset in Preset.allCases {
      #expect(preset.rounds >= 3)
      if preset.claims { #expect(preset.rounds >= 5) }
    }
    #expect(!Preset.quick.claims)
  }
}
