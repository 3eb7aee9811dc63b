// Calibrations of which the truth is known: made-up models whose figures scatter by as much as was decided.

import Foundation
import Glibc
import ResultFormat
import Statistics
import Testing
import Workloads

@testable import Reports

/// What a made-up host does to the figures.
private struct MadeUpHost {
  /// The standard deviation of a trial's logarithm, independent of all others.
  var scatter = 0.02
  /// What the logarithm has grown by at the last round.
  var drift = 0.0
  /// How much longer an operation of the slowed copy really takes.
  var slowdown = 1.1
  var seed: UInt64 = 1
}

private struct Generator: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    return SplitMix64.mix(state)
  }
  /// Box and Muller.
  mutating func normal() -> Double {
    (-2 * log(Double.random(in: .ulpOfOne...1, using: &self))).squareRoot()
      * cos(2 * .pi * Double.random(in: 0..<1, using: &self))
  }
}

/// A calibration of made-up models on cases with one headline each; the first case has a slowed copy, too.
private func calibration(
  _ host: MadeUpHost = MadeUpHost(), models: Int = 4, workloads: Int = 10, casesEach: Int = 5, rounds: Int = 12
) -> Run {
  var random = Generator(state: host.seed)
  let cases = (0..<workloads).flatMap { workload in
    (0..<casesEach).map { index in
      PlannedCase(
        name: "made-up-\(workload)/\(index)", workload: "made-up-\(workload)", parameters: ["work": .integer(10)],
        windowSeconds: 0.3, workers: 2, rigProcessors: [], modelProcessors: [])
    }
  }
  let names = (0..<models).map { "m\($0)" }
  let slowdown = Slowdown(case: cases[0].name, factor: 1.1, changes: ["work": .integer(11)])
  let rows = names + names.map { "\($0)-copy" } + names.map { "\($0)-slowed" }
  var planned: [PlannedTrial] = []
  var trials: [Trial] = []
  for round in 1...rounds {
    for shape in cases {
      for row in rows where !row.hasSuffix("-slowed") || shape.name == slowdown.case {
        let number = planned.count + 1
        planned.append(
          PlannedTrial(number: number, round: round, case: shape.name, model: row, variant: nil, seed: 1))
        let isSlowed = row.hasSuffix("-slowed")
        let disturbance = exp(
          host.scatter * random.normal() + host.drift * Double(round - 1) / Double(max(1, rounds - 1)))
        let rate = 100_000 * disturbance / (isSlowed ? host.slowdown : 1)
        var trial = Trial(
          number: number, model: row, variant: nil, workload: shape.workload, case: shape.name,
          parameters: ["work": .integer(isSlowed ? 11 : 10)], seed: 1, round: round, startedAt: "2026-01-31T12:00:00Z",
          state: .ok)
        trial.figures = Figures(
          operations: 1_000, operationsPerSecond: rate, offeredPerSecond: nil, windowNanoseconds: 300_000_000,
          latencies: [:], memory: nil, cpu: nil, rig: nil)
        trials.append(trial)
      }
    }
  }
  var plan = Plan(
    preset: "standard", seed: 1, rounds: rounds, warmUpSeconds: 0.1, claims: false,
    families: cases.map { ResultFormat.ClaimFamily(workload: $0.workload, case: $0.name, metric: "throughput") },
    models: rows.map { PlannedModel(name: $0, variant: nil, idiom: "", allocator: nil, isGuest: false) }, cases: cases,
    trials: planned)
  plan.copies =
    names.map { ModelCopy(name: "\($0)-copy", model: $0) }
    + names.map { ModelCopy(name: "\($0)-slowed", model: $0, slowdown: slowdown) }
  let environment = RunEnvironment(
    startedAt: "2026-01-31T12:00:00Z", label: "x", operatingSystem: "", kernel: "6.1", architecture: "",
    processor: "Made-Up", processors: 2, memoryBytes: 1 << 30, virtualization: nil, clockSource: nil, compiler: "",
    build: "release", revision: "abc", loadAverage: nil, warnings: [])
  return Run(environment: environment, plan: plan, trials: trials)
}

@Suite struct CalibrationReportTests {
  @Test(
    "equal things are called different as often as the level says, and once corrected hardly ever",
    arguments: [1, 2, 3] as [UInt64])
  func falseAlarms(seed: UInt64) throws {
    let report = CalibrationReport(calibration(MadeUpHost(seed: seed)))
    #expect(report.comparisons.count == 200 && report.testable.count == 200)
    #expect((0.02...0.09).contains(report.uncorrected.share), "\(report.uncorrected)")
    #expect(report.corrected.share <= 0.01, "\(report.corrected)")
    let interval = try #require(report.uncorrected.interval)
    #expect(interval.low < 0.05 && interval.high > 0.05)
    #expect(report.uncorrected.cells == 200)
    #expect(report.objections == [])
    #expect(report.comparisons.allSatisfy { $0.claim.familySize == 20 })
  }

  @Test("a slowdown that is there is found by the size that it has, in every model")
  func slowdownFound() throws {
    let report = CalibrationReport(calibration())
    #expect(report.slowed.map(\.claim.id.model) == ["m0", "m1", "m2", "m3"])
    for one in report.slowed {
      #expect(one.outcome == .found)
      #expect(abs(one.expected - 1 / 1.1) < 1e-12)
      let interval = try #require(try one.claim.test?.interval().get())
      #expect(interval.low < 0.93 && interval.high > 0.89, "\(interval)")
      let resolved = try #require(one.resolved)
      #expect(resolved > 1.01 && resolved < 1.1)
      #expect(one.claim.familySize == 4)
    }
  }

  @Test("a slowdown that a host cannot resolve is not held against the tests, and one that it can is")
  func slowdownMissed() {
    let noisy = CalibrationReport(calibration(MadeUpHost(scatter: 0.4), workloads: 1, casesEach: 1))
    #expect(noisy.slowed.contains { $0.outcome == .beyondResolution })
    #expect(noisy.slowed.allSatisfy { $0.outcome == .beyondResolution || $0.outcome == .found })
    #expect(noisy.objections == [])
    let untrue = CalibrationReport(calibration(MadeUpHost(scatter: 0.02, slowdown: 1), workloads: 1, casesEach: 1))
    #expect(untrue.slowed.map(\.outcome) == [.missed, .missed, .missed, .missed])
    #expect(
      untrue.objections.first
        == "a slowdown that the host resolves was not found: throughput of m0 on made-up-0/0")
    // The other way round is no finding of it either.
    let faster = CalibrationReport(calibration(MadeUpHost(scatter: 0.02, slowdown: 0.9), workloads: 1, casesEach: 1))
    #expect(faster.slowed.allSatisfy { $0.outcome == .missed })
  }

  @Test("a test that errs too often is objected to")
  func tooManyAlarms() {
    var run = calibration()
    // All copies of the first model are 5 % slower than it, in truth.
    for index in run.trials.indices where run.trials[index].model == "m0-copy" {
      run.trials[index].figures!.operationsPerSecond *= 0.95
    }
    let report = CalibrationReport(run)
    #expect(report.uncorrected.share > 0.2)
    #expect(report.objections.count == 2, "\(report.objections)")
    #expect(
      report.objections[0].hasPrefix("the uncorrected test calls equal things different more often than its 5 %: "))
    #expect(
      report.objections[1].hasPrefix("the corrected test claims differences between equal things in 10 of 10 workloads")
    )
    let text = render(run, as: .terminal, colour: false, width: 120)
    #expect(text.contains("NOT AS IT SHOULD BE: the uncorrected test"))
  }

  @Test("what a host resolves follows from the scatter of its copies, and is stored with it")
  func resolved() throws {
    let resolution = CalibrationReport(calibration()).resolution
    #expect(resolution.figures.count == 50)
    #expect(resolution.host == HostIdentity(processor: "Made-Up", processors: 2, kernel: "6.1"))
    #expect(resolution.models == ["m0", "m1", "m2", "m3"] && resolution.rounds == 12)
    for figure in resolution.figures {
      // Four pairs of 12 rounds, and the difference of two logarithms has twice the variance of one.
      #expect(figure.degreesOfFreedom == 44)
      #expect((0.018...0.040).contains(figure.spread), "\(figure)")
      // Five headlines of the workload, six pairs of models.
      #expect(figure.familySize == 30)
      let expected = PowerAnalysis(spread: figure.spread, familySize: 30).smallestRatio(rounds: 12)
      #expect(figure.smallestRatio == expected)
    }
    // The family of a real workload is that of a standard run.
    var run = calibration(workloads: 1, casesEach: 1)
    run.plan.families[0].workload = "timer-storm"
    let headlines = Workload.timerStorm.cases.filter { $0.presets.contains(.standard) }.flatMap(\.headlines).count
    #expect(CalibrationReport(run).resolution.figures.map(\.familySize) == [6 * headlines])
  }

  @Test("on a host that drifts, rounds keep their errors and blocks do not")
  func arrangements() throws {
    let steady = try #require(CalibrationReport(calibration()).arrangement)
    #expect(steady.ratio.interval().low < 1 && steady.ratio.interval().high > 1, "\(steady.ratio)")
    #expect(steady.cells == 200 && steady.comparisons == 200)
    // 10 % over the run: half of it lies between the halves' means.
    let report = CalibrationReport(calibration(MadeUpHost(drift: 0.1)))
    let drifting = try #require(report.arrangement)
    #expect(drifting.ratio.interval().low > 5, "\(drifting.ratio)")
    #expect(abs(drifting.blockedError - 0.1 * 6 / 11) < 0.01)
    #expect(drifting.interleavedError < 0.01)
    #expect(drifting.blocked.share > 0.9)
    #expect((0.02...0.09).contains(report.uncorrected.share))
  }

  @Test("copies that agree to the last digit are no evidence, and neither are those with too few rounds")
  func notCounted() {
    var run = calibration(workloads: 2, casesEach: 2)
    for index in run.trials.indices {
      if run.trials[index].case == "made-up-1/0" { run.trials[index].figures!.operationsPerSecond = 7 }
      if run.trials[index].case == "made-up-1/1", run.trials[index].round > 6, run.trials[index].model == "m2-copy" {
        run.trials[index].state = .timeout
        run.trials[index].reason = "m2-copy hung"
        run.trials[index].figures = nil
      }
    }
    let report = CalibrationReport(run)
    #expect(report.comparisons.count == 16)
    #expect(report.testable.count == 11)
    #expect(report.comparisons.count { $0.agreesExactly } == 4)
    let text = render(run, as: .markdown, colour: false, width: nil)
    #expect(text.contains("4 comparisons not counted: both copies agree to the last digit"))
    #expect(
      text.contains("1 comparison not counted: too few rounds gave both figures. throughput of m2 on made-up-1/1."))
    #expect(text.contains("m2-copy hung"))
  }

  @Test("a case that a model declines is not compared")
  func declined() {
    var run = calibration(workloads: 1, casesEach: 2)
    for index in run.trials.indices
    where run.trials[index].model.hasPrefix("m1") && run.trials[index].case == "made-up-0/0" {
      run.trials[index].state = .unsupported
      run.trials[index].reason = "not in its idiom"
      run.trials[index].figures = nil
    }
    let report = CalibrationReport(run)
    #expect(report.comparisons.count == 7)
    #expect(report.slowed.map(\.claim.id.model) == ["m0", "m2", "m3"])
    #expect(report.comparisons[0].claim.familySize == 7)
  }

  @Test("a calibration is reported as one, in every format")
  func rendered() throws {
    let run = calibration(workloads: 2, casesEach: 2)
    for format in [ReportFormat.terminal, .markdown] {
      let text = render(run, as: format, colour: false, width: 120)
      for part in [
        "Switchyard: calibration of 2026-01-31", "equal against equal", "a known difference", "what this host resolves",
        "rounds or blocks", "4 models under two names each, 4 cases, 12 rounds", "slowed by work=11",
      ] {
        #expect(text.contains(part), "\(format): \(part)")
      }
      #expect(!text.contains("◆"))
    }
    let json = try #require(
      try JSONSerialization.jsonObject(with: Data(render(run, as: .json, colour: false, width: nil).utf8))
        as? [String: Any])
    #expect((json["comparisons"] as? [Any])?.count == 16)
    #expect(
      (json["slowed"] as? [[String: Any]])?.map { $0["outcome"] as? String } == Array(repeating: "found", count: 4))
    #expect(json["isComplete"] as? Bool == true)
    // Without anything measured there is nothing to say, and it is said.
    var empty = run
    empty.trials = []
    let text = render(empty, as: .terminal, colour: false, width: 100)
    #expect(text.contains("INTERRUPTED: 0 of 432 trials were run."))
  }
}
