// Whether to add a round: the rule on exact values, the time, and the flags. (AddedRoundTests has whole runs by it.)

import Foundation
import ResultFormat
import Testing
import Workloads

@testable import Harness

/// A run of one case without trials, for its plan to be filled.
private func emptyRun(rounds: Int, models: [String] = ["a"], metrics: [String] = ["throughput"]) throws -> Run {
  let plan = Plan.make(
    PlanRequest(
      cases: [try SelectedCase(Workload.fanOut.cases[0], of: .fanOut)],
      models: models.map { PlannedModel(name: $0, variant: nil, idiom: "", allocator: nil, isGuest: false) },
      preset: .quick, seed: 1, rounds: rounds, processors: ProcessorSets(available: [])))
  var run = Run(environment: .madeUp, plan: plan, trials: [])
  run.plan.families = metrics.map {
    ClaimFamily(workload: "fan-out", case: plan.cases[0].name, metric: $0)
  }
  return run
}

extension RunEnvironment {
  fileprivate static let madeUp = RunEnvironment(
    startedAt: "2026-01-31T12:00:00Z", label: "", operatingSystem: "", kernel: "", architecture: "", processor: "",
    processors: 1, memoryBytes: 1, virtualization: nil, clockSource: nil, compiler: "", build: "debug", revision: nil,
    loadAverage: nil, warnings: [])
}

extension Figures {
  fileprivate static func throughput(_ value: Double) -> Figures {
    Figures(
      operations: 1, operationsPerSecond: value, offeredPerSecond: nil, windowNanoseconds: 1, latencies: [:],
      memory: nil,
      cpu: nil, rig: nil)
  }
}

extension Run {
  /// Finishes the trials of a model, a round each; without a value they crash.
  fileprivate mutating func finish(_ model: String, _ values: [Double?], otherwise state: TrialState = .crashed) {
    for (round, value) in values.enumerated() {
      let planned = plan.trials.first { $0.model == model && $0.round == round + 1 }!
      trials.append(
        Trial(
          number: planned.number, model: model, variant: nil, workload: "fan-out", case: planned.case, parameters: [:],
          seed: planned.seed, round: planned.round, startedAt: "2026-01-31T12:00:00Z",
          state: value == nil ? state : .ok,
          figures: value.map(Figures.throughput)))
    }
  }
}

@Suite struct ReachTests {
  /// 1000 e^±0.02 and 1000: the logarithms' standard deviation is 0.02, and t(0.975; 4) is 2.776445105198 (any table).
  static let values = [0.02, -0.02, 0.02, -0.02, 0].map { 1_000 * exp($0) }

  @Test func `the reach is that of the t interval on logarithms`() throws {
    guard case .known(let reach) = Reach(Self.values, trials: 5, level: 0.95) else {
      return #expect(Bool(false), "no interval")
    }
    #expect(abs(reach - (exp(2.776445105198 * 0.02 / 5.0.squareRoot()) - 1)) < 1e-12)
    // A scale changes nothing, and equal values have no width.
    #expect(Reach(Self.values.map { $0 * 4 }, trials: 5, level: 0.95).isAbout(reach))
    #expect(Reach([3, 3, 3, 3, 3], trials: 5, level: 0.95) == .known(0))
    // t(0.995; 4) is 4.604094871350.
    #expect(Reach(Self.values, trials: 5, level: 0.99).isAbout(exp(4.604094871350 * 0.02 / 5.0.squareRoot()) - 1))
  }

  @Test func `too few values may become enough, and a value without a logarithm never does`() {
    #expect(
      Reach([1, 2, 3, 4], trials: 9, level: 0.95) == .notYet("too few rounds for an interval: 4, and 5 would do"))
    #expect(Reach([], trials: 4, level: 0.95) == .notYet("no value in 4 rounds"))
    #expect(Reach([], trials: 5, level: 0.95) == .never("no value in 5 rounds"))
    for values in [[1, 0], [1, 2, 3, 4, 0]] as [[Double]] {
      #expect(
        Reach(values, trials: 5, level: 0.95)
          == .never("no interval: 0.0 is not positive, and the interval is one of ratios"))
    }
  }
}

extension Reach {
  fileprivate func isAbout(_ value: Double) -> Bool {
    guard case .known(let own) = self else { return false }
    return abs(own - value) < 1e-12
  }
}

@Suite struct PrecisionGoalTests {
  private func decide(_ run: Run, reach: Double, seconds: Double = 3_600, spent: Double = 0)
    -> PrecisionGoal.Decision
  {
    PrecisionGoal(reach: reach, maximumSeconds: seconds).decide(run, spentSeconds: spent)
  }

  private func end(_ ending: PrecisionOutcome.Ending, _ figures: Int, _ unreached: [UnreachedFigure] = [])
    -> PrecisionGoal.Decision
  {
    .end(PrecisionOutcome(ending: ending, figures: figures, unreached: unreached))
  }

  private func figure(_ model: String, _ rounds: Int, reach: Double? = nil, reason: String? = nil) -> UnreachedFigure {
    UnreachedFigure(
      case: "fan-out/fixed-rate", model: model, variant: nil, metric: "throughput", rounds: rounds, reach: reach,
      reason: reason)
  }

  @Test func `rounds are added until every figure is narrow enough, and the border is narrow enough`() throws {
    var run = try emptyRun(rounds: 5, models: ["a", "b"])
    run.finish("a", ReachTests.values)
    run.finish("b", [7, 7, 7, 7, 7])
    guard case .known(let reach) = Reach(ReachTests.values, trials: 5, level: 0.95) else { return }
    #expect(decide(run, reach: reach) == end(.reached, 2))
    #expect(decide(run, reach: reach.nextDown) == .addRound)
    // Which of the two is ahead does not matter.
    run.trials = []
    run.finish("b", ReachTests.values.map { $0 / 1_000 })
    run.finish("a", [7, 7, 7, 7, 7])
    #expect(decide(run, reach: reach + 1e-12) == end(.reached, 2))
    #expect(decide(run, reach: reach - 1e-12) == .addRound)
  }

  @Test func `no round is begun that would not end in time, and what is wider then is said`() throws {
    var run = try emptyRun(rounds: 5, models: ["a", "b"])
    run.finish("a", ReachTests.values)
    run.finish("b", [7, 7, 7, 7, 7])
    guard case .known(let reach) = Reach(ReachTests.values, trials: 5, level: 0.95) else { return }
    // Five rounds took 50 s: a sixth would end at 60 s.
    #expect(decide(run, reach: 0.001, seconds: 60, spent: 50) == .addRound)
    #expect(
      decide(run, reach: 0.001, seconds: 59.9, spent: 50) == end(.time, 2, [figure("a", 5, reach: reach)]))
  }

  @Test func `fewer than five rounds are never enough`() throws {
    var run = try emptyRun(rounds: 4)
    run.finish("a", [7, 7, 7, 7])
    #expect(decide(run, reach: 1) == .addRound)
    #expect(
      decide(run, reach: 1, seconds: 1, spent: 1)
        == end(.time, 1, [figure("a", 4, reason: "too few rounds for an interval: 4, and 5 would do")]))
  }

  @Test func `what no round can narrow is said and not waited for, and what a model declines is not asked for`() throws
  {
    var run = try emptyRun(rounds: 5, models: ["a", "b", "c"])
    run.finish("a", [7, 7, 7, 7, 7])
    run.finish("b", [nil, nil, nil, nil, nil])
    run.finish("c", [nil, nil, nil, nil, nil], otherwise: .unsupported)
    #expect(decide(run, reach: 0.02) == end(.reached, 2, [figure("b", 0, reason: "no value in 5 rounds")]))
  }

  @Test func `a run has an end, whatever its intervals`() throws {
    var run = try emptyRun(rounds: 5)
    run.finish("a", ReachTests.values)
    run.plan.rounds = PrecisionGoal.mostRounds
    guard case .end(let outcome) = decide(run, reach: 0.001) else { return #expect(Bool(false), "it goes on") }
    #expect(outcome.ending == .rounds && outcome.unreached.count == 1)
  }

  @Test func `a round that is added is the one that a longer plan would have had`() throws {
    let long = try emptyRun(rounds: 7, models: ["a", "b", "c"]).plan
    var plan = try emptyRun(rounds: 5, models: ["a", "b", "c"]).plan
    plan.addRound()
    plan.addRound()
    #expect(plan == long)
  }

  // MARK: Headlines

  @Test func `every headline of every case is a figure that a trial may have`() throws {
    let summary = try LatencySummary(recorded: (1...20_000).map { [UInt64($0), 1] })
    let figures = Figures(
      operations: 1, operationsPerSecond: 7, offeredPerSecond: nil, windowNanoseconds: 1,
      latencies: ["added": summary, "all": summary, "interactive": summary],
      measures: [Measure("goodput", unit: "requests/s", 5)],
      memory: MemoryFigures(
        peakRSSBytes: 1, steadyRSSBytes: 2, steadyPSSBytes: 30, idlePSSBytes: 10, kernelBytes: 40,
        heapAllocatedBytes: nil, allocationsPerOperation: nil),
      cpu: CPUFigures(
        userNanosecondsPerOperation: 1, systemNanosecondsPerOperation: 2, voluntarySwitches: 0, involuntarySwitches: 0,
        pageFaults: 0, peakThreadsSampled: nil), rig: nil)
    for name in Set(Workload.all.flatMap(\.cases).flatMap(\.headlines)) {
      #expect(figures.value(of: name) != nil, "\(name)")
    }
    #expect(figures.value(of: "throughput") == 7)
    #expect(figures.value(of: "cpuPerOperation") == 3)
    #expect(figures.value(of: "aboveIdlePSS") == 20)
    #expect(figures.value(of: "kernelMemory") == 40)
    #expect(figures.value(of: "goodput") == 5)
    #expect(figures.value(of: "addedLatency") == summary.p99.map { Double($0) })
    #expect(figures.value(of: "latency.interactive.p50") == summary.p50.map { Double($0) })
    for name in ["latency.interactive.p9999", "latency.interactive.p42", "latency.nobody.p50", "latency.all", "joy"] {
      #expect(figures.value(of: name) == nil, "\(name)")
    }
  }

  // MARK: Flags

  @Test(arguments: [("2%", 0.02), ("0.5%", 0.005), ("100%", 1), ("0.01%", 0.0001)])
  func `a width is a percentage`(_ text: String, _ reach: Double) throws {
    #expect(abs(try PrecisionGoal.reach(text) - reach) < 1e-15)
  }

  @Test(arguments: ["2", "0%", "-1%", "101%", "%", "nan%", "inf%", "two%", "", "0.02"])
  func `what is none is refused`(_ text: String) {
    #expect(
      throws: HarnessError.usage("'\(text)' is no width: expected 0.01% to 100%, as in --until 2%")
    ) { try PrecisionGoal.reach(text) }
  }

  @Test(arguments: [("30m", 1_800), ("90s", 90), ("2h", 7_200), ("1h30m", 5_400), ("1h2m3s", 3_723), ("1.5m", 90)])
  func `a time has units`(_ text: String, _ seconds: Double) throws {
    #expect(try PrecisionGoal.seconds(text) == seconds)
  }

  @Test(arguments: ["30", "m", "", "0s", "-5m", "30m1h", "30mm", "1000h", "nanm", "infs", "5 minutes", "1h 30m x"])
  func `what is no time is refused`(_ text: String) {
    #expect(
      throws: HarnessError.usage(
        "'\(text)' is no time: expected 1s to 168h, as in --max-time 30m or 1h30m")
    ) { try PrecisionGoal.seconds(text) }
  }

  @Test func `the time holds the rounds that are run in any case`() throws {
    #expect(try PrecisionGoal(until: "2%", within: nil, firstRounds: 60).maximumSeconds == 3_600)
    #expect(try PrecisionGoal(until: "2%", within: nil, firstRounds: 5_000).maximumSeconds == 10_000)
    #expect(try PrecisionGoal(until: "2%", within: "10m", firstRounds: 600).maximumSeconds == 600)
    #expect(
      throws: HarnessError.usage(
        "'10m' is too short: the rounds that are run in any case take about 11 min; "
          + "give more time, or fewer --rounds")
    ) { try PrecisionGoal(until: "2%", within: "10m", firstRounds: 660) }
  }
}
