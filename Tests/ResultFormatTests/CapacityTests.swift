// A service objective, what a trial says of it, and a capacity search on disk.

import FoundationEssentials
import Testing
import Workloads

@testable import ResultFormat

@Suite struct ServiceObjectiveTests {
  @Test(arguments: [
    ("p99<10ms", 9_900, 10_000_000, "p99<10ms"), ("p99.9<1s", 9_990, 1_000_000_000, "p99.9<1s"),
    ("p50 < 500us", 5_000, 500_000, "p50<500us"), ("p5<1.5ms", 500, 1_500_000, "p5<1500us"),
    ("p99.0<60s", 9_900, 60_000_000_000, "p99<60s"), ("p90<250µs", 9_000, 250_000, "p90<250us"),
    ("p99<1.5us", 9_900, 1_500, "p99<1.5us"),
  ]) func `is read as it is typed, and written in one form`(
    _ text: String, _ share: Int, _ limit: Int, _ canonical: String
  ) throws {
    let objective = try ServiceObjective(text)
    #expect(objective.perTenThousand == share)
    #expect(objective.limitNanoseconds == UInt64(limit))
    #expect(objective.description == canonical)
    #expect(try ServiceObjective(canonical) == objective)
    let onDisk = try JSONEncoder().encode([objective])
    #expect(String(decoding: onDisk, as: UTF8.self) == "[\"\(canonical)\"]")
    #expect(try JSONDecoder().decode([ServiceObjective].self, from: onDisk) == [objective])
  }

  @Test(arguments: [
    "", "p99", "99<10ms", "p99<10", "p99<ms", "p99<-1ms", "p99<0ms", "p99<61s", "p99<1e3ms", "p99>10ms",
    "p99<10ms<20ms",
    "p100<10ms", "p0<10ms", "p0.5<10ms", "p99.95<10ms", "p99.<10ms", "p.9<10ms", "p99<10m", "p99<0.1us", "mean<10ms",
    "p99<10msms", "p99<1.2.3ms", "p99<inf ms",
  ]) func `anything else is refused, quoted, with what would be right`(_ text: String) {
    let error = #expect(throws: ResultError.self) { try ServiceObjective(text) }
    #expect(error?.description.hasPrefix("'\(text)' is no service objective: expected a percentile ") == true)
    #expect(error?.description.contains("'p99<10ms'") == true)
  }
}

/// A trial of an open loop with those latencies, and a rig that was never late.
private func trial(
  _ latencies: [[UInt64]], lateness: UInt64 = 1_000, busy: Double = 0.3, answered: Double = 1_000,
  offered: Double = 1_000, _ warnings: [Warning] = []
) throws -> Trial {
  var trial = try #require(
    try RunFiles.readRun(from: Fixture.folder).trials.first { $0.state == .ok && $0.case == "fan-out/fixed-rate" })
  let own = try LatencySummary(recorded: [[lateness, 100]])
  trial.warnings = warnings
  trial.figures?.windowNanoseconds = 1_000_000_000
  trial.figures?.operationsPerSecond = answered
  trial.figures?.offeredPerSecond = offered
  trial.figures?.latencies = ["all": try LatencySummary(recorded: latencies)]
  trial.figures?.rig = RigFigures(
    busyShare: busy, cpuNanosecondsPerOperation: 1, sendLateness: own, backendLateness: own)
  return trial
}

@Suite struct CapacityJudgementTests {
  private let objective: ServiceObjective

  init() throws { objective = try ServiceObjective("p99<10ms") }

  private func judge(_ trial: Trial, toleratesBusyHost: Bool = false) -> CapacityJudgement {
    objective.judge(trial, latencyClass: "all", toleratesBusyHost: toleratesBusyHost)
  }

  @Test func `an objective is met if its share of the requests is below the limit, and goodput counts those`() throws {
    let met = try trial([[1_000_000, 990], [20_000_000, 10]])
    let found = try #require(try met.figures?.attainment(of: objective, in: "all"))
    #expect(found.requests == 1_000 && found.good == 990 && found.goodPerSecond == 990)
    #expect(found.isMet)
    #expect(judge(met).verdict == .sustained)
    let missed = try trial([[1_000_000, 989], [20_000_000, 11]])
    #expect(try missed.figures?.attainment(of: objective, in: "all")?.isMet == false)
    #expect(judge(missed).verdict == .missed)
    #expect(judge(missed).reason == "p99 was 20.0 ms")
    // At the limit is not below it.
    #expect(judge(try trial([[10_000_000, 1_000]])).verdict == .missed)
    #expect(judge(try trial([[9_980_000, 1_000]])).verdict == .sustained)
    #expect(try met.figures?.attainment(of: objective, in: "hog") == nil)
  }

  @Test func `what the rig may have added is not held against the model`() throws {
    // 12 ms at p99, of which the rig sent and replied up to 4 ms late: 8 ms may have been the model's.
    let late = try trial([[12_000_000, 100]], lateness: 2_000_000)
    #expect(judge(late).verdict == .void)
    #expect(judge(late).reason.contains("the rig may have added 4"))
    let loaded = try trial([[12_000_000, 100]], lateness: 2_000_000, busy: 0.6)
    #expect(judge(loaded).verdict == .rigLimit)
    // More than the limit and all that the rig may have added: the model's doing, however busy the rig.
    #expect(judge(try trial([[15_000_000, 100]], lateness: 2_000_000, busy: 0.6)).verdict == .missed)
    // Met in spite of the rig.
    #expect(judge(try trial([[8_000_000, 100]], lateness: 5_000_000, busy: 0.6)).verdict == .sustained)
    #expect(judge(try trial([[.max, 100]], lateness: .max)).verdict != .missed)
  }

  @Test func `a saturated rig tells nothing, whatever came out`() throws {
    for latency: UInt64 in [1_000_000, 99_000_000] {
      let saturated = judge(try trial([[latency, 100]], busy: 0.85, [.rigSaturated, .rigBusy]))
      #expect(saturated == CapacityJudgement(.rigLimit, "the rig was busy for 85 % of the window"))
    }
  }

  @Test func `a busy host voids a trial whatever came out, unless it was asked for`() throws {
    for latency: UInt64 in [1_000_000, 99_000_000] {
      let disturbed = try trial([[latency, 100]], [.hostBusy])
      #expect(judge(disturbed).verdict == .void)
      #expect(judge(disturbed, toleratesBusyHost: true).verdict == (latency < 10_000_000 ? .sustained : .missed))
    }
  }

  /// Whatever came out: were it for misses alone, only passes would be left of disturbed trials.
  @Test func `a trial is void where others had the processors for as long as requests may be late`() throws {
    func judged(_ stolen: Double, latency: UInt64, seconds: UInt64, _ objective: String, tolerated: Bool = false) throws
      -> CapacityVerdict
    {
      var trial = try trial([[latency, 100]])
      trial.figures?.windowNanoseconds = seconds * 1_000_000_000
      trial.host = HostFigures(othersProcessors: stolen / 4, stolenProcessors: stolen * 3 / 4, interruptProcessors: 0.3)
      return try ServiceObjective(objective).judge(trial, latencyClass: "all", toleratesBusyHost: tolerated).verdict
    }
    for (latency, verdict): (UInt64, CapacityVerdict) in [(1_000_000, .sustained), (99_000_000, .missed)] {
      // Of p99 one in a hundred may be late.
      for (stolen, isVoid) in [(0.009, false), (0.011, true), (0.09, true)] {
        #expect(try judged(stolen, latency: latency, seconds: 4, "p99<10ms") == (isVoid ? .void : verdict), "\(stolen)")
        #expect(try judged(stolen, latency: latency, seconds: 4, "p99<10ms", tolerated: true) == verdict)
      }
      // Of p99.9 one in a thousand, but less than two ticks of 10 ms are nothing that the kernel's account can tell.
      for (stolen, seconds, isVoid) in [(0.0049, 4, false), (0.0051, 4, true), (0.0009, 40, false), (0.0011, 40, true)]
      {
        #expect(
          try judged(stolen, latency: latency, seconds: UInt64(seconds), "p99.9<10ms") == (isVoid ? .void : verdict),
          "\(stolen) in \(seconds) s")
      }
    }
  }

  @Test func `a rate is sustained only where the model keeps up with it`() throws {
    let behind = judge(try trial([[1_000_000, 100]], answered: 900, [.behindOfferedRate]))
    #expect(behind.verdict == .missed)
    #expect(behind.reason.hasSuffix("but 900 of 1000 requests/s were answered in the window"))
  }

  @Test func `a trial that failed has missed, one that was voided is void`() throws {
    var failed = try trial([[1_000_000, 100]])
    failed.state = .timeout
    failed.figures = nil
    failed.reason = "hung"
    #expect(judge(failed) == CapacityJudgement(.missed, "hung"))
    failed.state = .voided
    #expect(judge(failed) == CapacityJudgement(.void, "hung"))
  }
}

@Suite struct CapacityFilesTests {
  private let folder = FileManager.default.temporaryDirectory.appending(path: "capacity-\(UUID().uuidString)").path

  private func result() throws -> CapacityResult {
    let run = try RunFiles.readRun(from: Fixture.folder)
    let plan = CapacityPlan(
      case: run.plan.cases[0], rateParameter: "rate", requestsPerUnit: 1, objective: try ServiceObjective("p99<10ms"),
      latencyClass: "all", seed: 1, warmUpSeconds: 1, curveWindowSeconds: 4, startRate: 1_000, lowestRate: 500,
      highestRate: 1_000_000, bracketRatio: 1.05, majority: 2, staircaseTrials: 12, toleratedVoids: 5, level: 0.95,
      curve: [0.5, 0.8], checkShare: 0.8, checkTrials: 3, toleratesBusyHost: false)
    var model = CapacityModel(model: run.plan.models[0], ending: .found)
    model.capacity = .init(requestsPerSecond: 2_100, low: 2_000, high: nil)
    model.sustained = 2_000
    model.missed = 2_200
    var result = CapacityResult(
      environment: run.environment, plan: plan,
      models: [model, CapacityModel(model: run.plan.models[1], ending: .unsupported, reason: "no hands")])
    for (index, share) in [nil, nil, 0.8, 0.8, 0.8].enumerated() {
      var trial = try trial([[index == 1 || index == 3 ? 20_000_000 : 1_000_000, 100]])
      trial.number = index + 1
      trial.model = model.model.name
      result.trials.append(
        CapacityTrial(rate: 2_000, share: share, judgement: plan.judge(trial), trial: trial))
    }
    return result
  }

  private func written(_ result: CapacityResult, _ body: () throws -> Void) throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try RunFiles.writeCapacity(result, to: folder)
    try body()
  }

  private func refusal(_ change: (inout CapacityResult) -> Void) throws -> String {
    var result = try result()
    change(&result)
    var said = ""
    try written(result) {
      said = #expect(throws: ResultError.self) { try RunFiles.readCapacity(from: folder) }?.description ?? ""
    }
    #expect(said.hasPrefix("\(folder)/capacity.json"))
    return said
  }

  @Test func `a search comes back from disk as it was`() throws {
    let result = try result()
    try written(result) {
      let read = try RunFiles.readCapacity(from: folder)
      #expect(read.models == result.models)
      #expect(read.trials.map(\.judgement) == result.trials.map(\.judgement))
      #expect(read.trials.map(\.share) == [nil, nil, 0.8, 0.8, 0.8])
      #expect(read.plan.objective == result.plan.objective)
      // Until the search itself says that it came to its end.
      #expect(read.isInterrupted)
    }
  }

  @Test func `the check is the majority of its trials, and those of the search are apart`() throws {
    var result = try result()
    let model = result.models[0]
    #expect(result.trials(of: model, at: nil).map(\.trial.number) == [1, 2])
    #expect(result.check(of: model)?.met == 2 && result.check(of: model)?.of == 3)
    #expect(result.meetsCheck(model) == true)
    result.trials[2].judgement = CapacityJudgement(.void, "")
    #expect(result.check(of: model)?.met == 1 && result.check(of: model)?.of == 2)
    #expect(result.meetsCheck(model) == false)
    #expect(result.check(of: result.models[1]) == nil && result.meetsCheck(result.models[1]) == nil)
  }

  @Test func `a verdict that its figures do not bear out is found`() throws {
    #expect(
      try refusal { $0.trials[1].judgement = CapacityJudgement(.sustained, "trust me") }
        .contains("trials[1]: judged 'sustained', and its figures say 'missed' (p99 was 20.0 ms)"))
  }

  @Test func `what does not fit the rest is found`() throws {
    #expect(try refusal { $0.models[0].capacity?.low = 2_150 }.contains("its interval does not hold its rate"))
    #expect(try refusal { $0.models[0].ending = .rigLimit }.contains("belongs to the ending 'found'"))
    #expect(try refusal { $0.models[0].ending = nil }.contains("belongs to the ending 'found'"))
    #expect(try refusal { $0.trials[1].trial.number = 1 }.contains("the number 1 is there twice"))
    #expect(try refusal { $0.trials[0].trial.model = "nobody" }.contains("'nobody' is not one of the models"))
  }

  @Test func `another version is refused`() throws {
    #expect(
      try refusal { $0.schemaVersion = 2 }.contains("schemaVersion is 2, and this switchyard reads 1: use the newer"))
    #expect(try refusal { $0.schemaVersion = 0 }.contains("make the search again"))
  }
}
