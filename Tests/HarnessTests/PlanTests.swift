import ResultFormat
import Testing
import Workloads

@testable import Harness

@Suite struct PlanTests {
  private func models(_ names: [String]) -> [PlannedModel] {
    names.map { PlannedModel(name: $0, variant: nil, idiom: "", allocator: nil, isGuest: false) }
  }

  private func request(seed: UInt64 = 1, rounds: Int? = nil, preset: Preset = .full) throws -> PlanRequest {
    let cases = try Workload.fanOut.cases.prefix(3).map { try SelectedCase($0, of: .fanOut) }
    return PlanRequest(
      cases: cases, models: models(["a", "b", "c", "d"]), preset: preset, seed: seed, rounds: rounds,
      processors: ProcessorSets(available: [0, 1]))
  }

  @Test func `one seed always gives the same plan`() throws {
    #expect(try Plan.make(request(seed: 7)) == Plan.make(request(seed: 7)))
  }

  @Test func `another seed gives another order`() throws {
    let one = try Plan.make(request(seed: 7)).trials.map { "\($0.case) \($0.model)" }
    let other = try Plan.make(request(seed: 8)).trials.map { "\($0.case) \($0.model)" }
    #expect(one != other)
    #expect(one.sorted() == other.sorted())
  }

  @Test func `every round has each model on each case once, and a case's models back to back`() throws {
    let plan = try Plan.make(request(rounds: 5))
    #expect(plan.trials.map(\.number) == Array(1...60))
    for round in 1...5 {
      let trials = Array(plan.trials[(round - 1) * 12..<round * 12])
      #expect(trials.allSatisfy { $0.round == round })
      for block in stride(from: 0, to: 12, by: 4).map({ trials[$0..<$0 + 4] }) {
        #expect(Set(block.map(\.case)).count == 1)
        #expect(Set(block.map(\.model)) == ["a", "b", "c", "d"])
      }
      #expect(Set(trials.map(\.case)).count == 3)
    }
  }

  @Test func `the order of cases and of models changes from round to round`() throws {
    let plan = try Plan.make(request(rounds: 12))
    let rounds = (0..<12).map { plan.trials[$0 * 12..<$0 * 12 + 12] }
    #expect(Set(rounds.map { $0.map(\.case) }).count > 1)
    #expect(Set(rounds.map { $0.prefix(4).map(\.model) }).count > 1)
  }

  @Test func `all models of a case and round share a seed, and nobody else does`() throws {
    let plan = try Plan.make(request(rounds: 5))
    let groups = Dictionary(grouping: plan.trials) { "\($0.case) \($0.round)" }
    #expect(groups.values.allSatisfy { Set($0.map(\.seed)).count == 1 })
    #expect(Set(plan.trials.map(\.seed)).count == 15)
    #expect(plan.trials.allSatisfy { $0.seed < 1 << 53 })
  }

  @Test func `claims are declared for each headline of each case`() throws {
    let plan = try Plan.make(request())
    #expect(
      plan.families.map { "\($0.case) \($0.metric)" } == [
        "fan-out/fixed-rate cpuPerOperation", "fan-out/fixed-rate addedLatency", "fan-out/closed throughput",
        "fan-out/bursts cpuPerOperation", "fan-out/bursts addedLatency",
      ])
    #expect(plan.pairs == ClaimPair.all(among: plan.models) && plan.pairs?.count == 6)
  }

  @Test func `a plan cut below its preset, and a quick one, claims nothing`() throws {
    #expect(try Plan.make(request()).claims)
    #expect(try !Plan.make(request(rounds: 11)).claims)
    #expect(try !Plan.make(request(preset: .quick)).claims)
    var short = try request()
    short.windowSeconds = 1
    #expect(!Plan.make(short).claims)
    short.windowSeconds = 7
    #expect(Plan.make(short).claims)
  }

  @Test func `a changed parameter shows in the case's name`() throws {
    let fixedRate = Workload.fanOut.cases[0]
    let changed = try SelectedCase(fixedRate, of: .fanOut, changes: ["width": "16", "rate": "2000"])
    #expect(changed.name == "fan-out/fixed-rate+width=16")
    #expect(changed.parameters["width"] == .integer(16))
  }

  @Test func `a value out of range is quoted with the range`() throws {
    let error = #expect(throws: ParameterError.self) {
      try SelectedCase(Workload.fanOut.cases[0], of: .fanOut, changes: ["width": "65"])
    }
    #expect(error?.description == "'65' is not a value of width: expected 1 to 64")
  }
}
