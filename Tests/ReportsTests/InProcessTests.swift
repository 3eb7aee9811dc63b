// What models that drive themselves come to: their tables, limits, and the marginal memory of a unit. The workload is
// made up, so that the figures can be, too.

import ResultFormat
import Statistics
import Testing
import Workloads

@testable import Reports

/// Three cases of 100, 1,000 and 10,000 units. A unit takes so many bytes of its model's own and of the kernel's; the
/// model itself takes 1 MB.
private func parkedRun(
  _ models: [(name: String, own: Int, kernel: Int, reaches: Int)], rounds: Int = 5, load: String? = nil
) -> Run {
  let units = [100, 1_000, 10_000]
  var parameters: [String: ParameterValue] = ["state": .integer(0)]
  parameters["load"] = load.map { .text($0) }
  let cases = units.map { count in
    PlannedCase(
      name: "made-up/\(count)", workload: "made-up", parameters: parameters.merging(["units": .integer(count)]) { $1 },
      windowSeconds: 2, workers: 2, rigProcessors: [], modelProcessors: [0, 1])
  }
  var planned: [PlannedTrial] = []
  var trials: [Trial] = []
  for round in 1...rounds {
    for (shape, count) in zip(cases, units) {
      for model in models {
        let number = planned.count + 1
        planned.append(
          PlannedTrial(number: number, round: round, case: shape.name, model: model.name, variant: nil, seed: 1))
        var trial = Trial(
          number: number, model: model.name, variant: nil, workload: "made-up", case: shape.name,
          parameters: shape.parameters, seed: 1, round: round, startedAt: "2026-01-31T12:00:00Z", state: .limit,
          reason: "model '\(model.name)' failed: gave up: too many", reached: model.reaches)
        if count <= model.reaches {
          trial.state = .ok
          trial.reason = nil
          trial.reached = nil
          let idle = 3_000_000 + round * 10_000
          trial.figures = Figures(
            operations: count, operationsPerSecond: Double(count) / 2, offeredPerSecond: nil,
            windowNanoseconds: 2_000_000_000,
            latencies: ["all": try! LatencySummary(recorded: [[1_000, 20_000], [5_000, 200]])],
            measures: [Measure("spread", unit: "ratio", 1.5)],
            memory: MemoryFigures(
              peakRSSBytes: nil, steadyRSSBytes: nil, steadyPSSBytes: idle + 1_000_000 + count * (model.own + round),
              idlePSSBytes: idle, kernelBytes: 50_000, kernelGrowthBytes: 20_000 + count * model.kernel - round,
              heapAllocatedBytes: nil, allocationsPerOperation: nil),
            cpu: nil, rig: nil)
        }
        trials.append(trial)
      }
    }
  }
  let plan = Plan(
    preset: "standard", seed: 1, rounds: rounds, warmUpSeconds: 1, claims: true,
    families: cases.map { ClaimFamily(workload: "made-up", case: $0.name, metric: "aboveIdlePSS") },
    models: models.map { PlannedModel(name: $0.name, variant: nil, idiom: "waits", allocator: nil, isGuest: false) },
    cases: cases, trials: planned)
  let environment = RunEnvironment(
    startedAt: "2026-01-31T12:00:00Z", label: "x", operatingSystem: "", kernel: "", architecture: "", processor: "",
    processors: 2, memoryBytes: 1 << 30, virtualization: nil, clockSource: nil, compiler: "", build: "release",
    revision: nil, loadAverage: nil, warnings: [])
  return Run(environment: environment, plan: plan, trials: trials)
}

@Test("marginal memory is the slope over units, the model's own and the kernel's apart")
func slopes() throws {
  let marginal = try #require(
    MarginalMemory.all(of: parkedRun([("a", 8_000, 24_000, 10_000), ("b", 400, 0, 10_000)])).first)
  #expect(marginal.cases.map(\.units) == [100, 1_000, 10_000])
  let own = try #require(marginal.rows[0].user)
  // A byte more in each round.
  #expect(own.values.map { $0.rounded() } == [8_001, 8_002, 8_003, 8_004, 8_005])
  #expect(own.median.rounded() == 8_003)
  let interval = try own.interval.get()
  #expect(interval.low < 8_003 && interval.low > 8_000 && interval.high > 8_003 && interval.high < 8_006)
  #expect(marginal.rows[0].kernel?.median == 24_000)
  #expect(marginal.rows[0].total?.median.rounded() == 32_003)
  #expect(marginal.rows[1].kernel?.median == 0)
}

@Test("the slope is taken over the counts that all models reached")
func commonCounts() throws {
  let run = parkedRun([("a", 8_000, 0, 1_000), ("b", 400, 0, 10_000), ("none", 1, 1, 0)])
  let marginal = try #require(MarginalMemory.all(of: run).first)
  #expect(marginal.cases.map(\.units) == [100, 1_000])
  #expect(marginal.rows.map(\.name) == ["a", "b"])
  #expect(MarginalMemory.all(of: parkedRun([("a", 8_000, 0, 100), ("b", 400, 0, 10_000)])).isEmpty)
  // Rounds below five have a slope and no interval.
  let short = try #require(MarginalMemory.all(of: parkedRun([("a", 8_000, 0, 10_000)], rounds: 3)).first)
  #expect(short.rows[0].user?.values.count == 3)
  #expect((try? short.rows[0].user?.interval.get()) == nil)
}

@Test("cases that differ in more than units have a slope each, and no other case has one")
func families() throws {
  var run = parkedRun([("a", 8_000, 0, 10_000)])
  run.plan.cases[0].parameters["state"] = .integer(1_024)
  #expect(MarginalMemory.all(of: run).map { $0.cases.map(\.units) } == [[1_000, 10_000]])
  run.plan.families = []
  #expect(MarginalMemory.all(of: run).isEmpty)
}

@Test("slopes are compared within rounds, whichever of them are missing")
func pairedSlopes() throws {
  var run = parkedRun([("a", 8_000, 0, 10_000), ("b", 400, 0, 10_000)], rounds: 14)
  // All is ten times as large in every other round; besides, b is 1 % larger in every third.
  for index in run.trials.indices {
    let trial = run.trials[index]
    guard case .integer(let units)? = trial.parameters["units"] else { continue }
    let scale = (trial.round % 2 == 0 ? 10 : 1) * (trial.model == "b" && trial.round % 3 == 0 ? 101 : 100)
    run.trials[index].figures?.memory?.kernelGrowthBytes = units * scale
    if (trial.model, trial.round) == ("a", 3) || (trial.model, trial.round) == ("b", 8) {
      run.trials[index].state = .crashed
      run.trials[index].figures = nil
    }
  }
  let section = try #require(Document(run).sections.first { $0.name == "made-up: marginal memory" })
  let table = try #require(section.tables.first)
  #expect(table.columns.map(\.title) == ["model", "own", "kernel", "together"])
  let resolved = try #require(table.footers.first?[2].text)
  #expect(resolved == "×1.01", "\(resolved)")
}

@Test("a report shows the slopes after the cases, and limits with the number reached")
func shown() throws {
  let run = parkedRun([("a", 8_000, 24_000, 1_000), ("b", 400, 0, 10_000)])
  let text = render(run, as: .terminal, colour: false, width: 120)
  #expect(text.contains("made-up: marginal memory"))
  #expect(text.contains("slope over 100, 1,000 units"))
  #expect(text.contains("limit at 1,000"))
  #expect(text.contains("gave up: too many"))
  #expect(text.contains("in-process, as fast as it goes"))
  #expect(text.contains("5 rounds of 2 s per model and case"))
  let row = try #require(text.split(separator: "\n").last { $0.hasPrefix("a ") && $0.contains("32,000") })
  #expect(row.contains("24,000"), "\(row)")
  let json = render(run, as: .json, colour: false, width: nil)
  #expect(json.contains("\"marginalMemory\""))
  #expect(json.contains("\"isInProcess\" : true"))
}

@Test(
  "an operation is called by its noun",
  arguments: [
    ("answered request", "request"), ("hop", "hop"), ("critical section", "section"),
    ("unit created, run and joined", "unit"), ("item through all stages", "item"),
  ])
func nouns(operation: String, noun: String) { #expect(CaseSummary.noun(operation) == noun) }

@Test("a paced case compares latency and cost, another one throughput")
func drives() throws {
  let flat = CaseSummary(parkedRun([("a", 1, 1, 10_000)]).plan.cases[0], of: parkedRun([("a", 1, 1, 10_000)]))
  #expect(flat.drive == .flatOut)
  #expect(flat.metrics.first?.key == "throughput" && flat.metrics.first?.better == .higher)
  #expect(flat.rows[0].metrics["latency.all.p50"]?.standing == .noClaim)
  #expect(flat.rows[0].metrics["spread"]?.spread.median == 1.5)
  var run = parkedRun([("a", 1, 1, 10_000)], load: "paced")
  let paced = CaseSummary(run.plan.cases[0], of: run)
  #expect(paced.drive == .paced)
  #expect(paced.metrics.first?.key == "latency.all.p50")
  #expect(paced.rows[0].metrics["latency.all.p50"]?.standing == .claimed)
  #expect(paced.metrics.first { $0.key == "throughput" }?.better == nil)
  // Others at work on the host take the claims away.
  for index in run.trials.indices { run.trials[index].warnings = [.hostBusy] }
  let disturbed = CaseSummary(run.plan.cases[0], of: run)
  #expect(disturbed.rows[0].metrics["latency.all.p50"]?.standing == .noClaim)
  #expect(disturbed.rows[0].metrics["throughput"]?.standing == .noClaim)
  #expect(disturbed.warnings.first?.contains("more than a tenth of a processor") == true)
}
