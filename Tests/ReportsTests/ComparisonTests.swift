// What is said of two runs: verdicts, what takes one away, and what a gate stops at.

import ResultFormat
import Statistics
import Testing

@testable import Reports

private func compare(_ base: Run, _ head: Run, threshold: Double? = nil) -> Comparison {
  Comparison(base: base, at: "before", head: head, at: "after", threshold: threshold)
}

private func figures(_ comparison: Comparison) -> [ComparedFigure] {
  comparison.workloads.flatMap(\.cases).flatMap(\.figures)
}

private func figure(_ comparison: Comparison, _ model: String, _ metric: String) throws -> ComparedFigure {
  try #require(figures(comparison).first { $0.id.model == model && $0.id.metric == metric })
}

@Suite struct ComparisonTests {
  @Test("slower, faster, neither, too few rounds, and failed: each is called what it was made")
  func verdicts() throws {
    let (base, head) = try MadeUp.pair()
    let comparison = compare(base, head)
    let slower = try figure(comparison, "async-loop", "cpuPerOperation")
    #expect(slower.verdict == .slower && slower.words == "slower")
    let ratio = try #require(slower.test).ratio
    #expect(abs(ratio - 1.2) < 0.02)
    let interval = try #require(slower.interval)
    #expect(interval.low < ratio && ratio < interval.high && interval.low > 1.15 && interval.high < 1.25)
    #expect(interval.level == 0.95)
    #expect(slower.base.values.count == 12 && slower.head.values.count == 12)
    // All of one run's rounds lie beyond all of the other's.
    #expect(abs(slower.check.p - 2 / 2_704_156) < 1e-12)

    #expect(try figure(comparison, "threads", "cpuPerOperation").verdict == .faster)
    #expect(try figure(comparison, "threads", "addedLatency").verdict == .noClaim)
    // Four of twelve rounds were ok.
    let few = try figure(comparison, "snake", "cpuPerOperation")
    guard case .tooFewRounds(have: 4, need: let need?) = few.verdict else {
      Issue.record("\(String(describing: few.verdict))")
      return
    }
    #expect(need >= 9 && few.words == "cannot tell: needs \(need) rounds")
    // The model that dies has no figure, and is a claim all the same.
    let failed = try figure(comparison, "async-loop", "throughput")
    #expect(failed.head.values.isEmpty && failed.test == nil && failed.verdict == nil)
    #expect(failed.words == "no figure in HEAD")
    #expect(comparison.workloads.map(\.familySize) == [8])
    #expect(comparison.claims == 8)
  }

  @Test("the correction is Holm's over all claims of the workload, and the test is Welch's")
  func correction() throws {
    let (base, head) = try MadeUp.pair()
    let found = figures(compare(base, head))
    let testable = found.map { $0.spoiler == nil && min($0.base.values.count, $0.head.values.count) >= 9 }
    let p = zip(found, testable).map { figure, isTestable in isTestable ? figure.test?.p ?? 1 : 1 }
    #expect(found.map(\.adjustedP) == holmAdjusted(p))
    let slower = try #require(found.first { $0.verdict == .slower })
    let welch = try RatioTest(independentBase: slower.base.values, head: slower.head.values)
    #expect(slower.test == welch && welch?.design == .independentRuns)
    #expect(slower.familySize == 8)
  }

  @Test("two runs of the same thing give no claim, no other count, and no regression")
  func same() throws {
    var again = try MadeUp.run(MadeUp.calmToo)
    again.environment.startedAt = "2026-02-01T12:00:00Z"
    let comparison = compare(try MadeUp.base(), again)
    for figure in figures(comparison) { #expect(figure.verdict != .faster && figure.verdict != .slower) }
    #expect(figures(comparison).contains { $0.verdict == .noClaim })
    let counts = comparison.workloads.flatMap(\.cases).flatMap(\.counts)
    #expect(!counts.isEmpty)
    for count in counts {
      #expect(count.verdict != .more && count.verdict != .fewer, "\(count.row) \(count.count.key)")
    }
    #expect(comparison.regressions == [])
    #expect(comparison.refusals == [])
  }

  @Test("less is better of times and more of throughput, each way round")
  func directions() throws {
    func changed(_ factor: Double) throws -> Run {
      // A third of the rounds is void in closed loop.
      try MadeUp.run(MadeUp.calmToo + MadeUp.calm) { trial in
        trial.warnings = []
        trial.figures?.operationsPerSecond *= factor
        trial.figures?.cpu?.scale(factor)
      }
    }
    let base = try MadeUp.run(MadeUp.calm + MadeUp.calmToo) { $0.warnings = [] }
    for (factor, cost, throughput) in [(1.3, Verdict.slower, Verdict.faster), (0.7, .faster, .slower)] {
      let comparison = compare(base, try changed(factor))
      #expect(try figure(comparison, "threads", "cpuPerOperation").verdict == cost)
      #expect(try figure(comparison, "threads", "throughput").verdict == throughput)
    }
  }

  @Test("what carries no claim in its own run carries none here, and still counts in the family")
  func unclaimed() throws {
    let base = try MadeUp.base()
    let comparison = compare(
      base,
      try MadeUp.run(MadeUp.calmToo) { trial in
        trial.figures?.cpu?.scale(2)
        // Half of its rounds.
        if trial.round % 2 == 1 && trial.model == "threads" { trial.warnings.append(.behindOfferedRate) }
      })
    let cost = try figure(comparison, "threads", "cpuPerOperation")
    #expect(cost.verdict == nil && cost.words == "no claim: ~ in HEAD")
    #expect(cost.test != nil && cost.adjustedP == 1)
    #expect(try figure(comparison, "async-loop", "throughput").words == "no claim: ≥ in BASE, ≥ in HEAD")
    #expect(comparison.workloads.map(\.familySize) == [8])
    #expect(!comparison.regressions.contains { $0.hasPrefix("threads on fan-out/fixed-rate") })
    #expect(comparison.regressions.contains { $0.hasPrefix("async-loop on fan-out/fixed-rate") })
  }

  @Test("a figure without a ratio is named with its round")
  func noRatio() throws {
    let head = try MadeUp.run(MadeUp.calmToo) { if $0.round == 5 { $0.figures?.cpu?.scale(0) } }
    let cost = try figure(compare(try MadeUp.base(), head), "threads", "cpuPerOperation")
    #expect(cost.words == "no ratio: 0 in round 5 of HEAD" && cost.test == nil && cost.verdict == nil)
  }

  @Test("a regression counts from the threshold on, which is also what the rounds have to find")
  func threshold() throws {
    let (base, head) = try MadeUp.pair()
    func slower(_ threshold: Double?) -> [String] {
      compare(base, head, threshold: threshold).regressions.filter { $0.contains("slower") }
    }
    #expect(slower(nil).count == 1 && slower(0.05).count == 1 && slower(0.3).isEmpty)
    #expect(
      slower(0.05)[0].hasPrefix("async-loop on fan-out/fixed-rate: slower, CPU/request is 1.2")
        || slower(0.05)[0].hasPrefix("async-loop on fan-out/fixed-rate: slower, CPU/request is 1.1"))
    #expect(slower(0.05)[0].contains("Welch's t test on logarithms, p <0.0001 after Holm's correction for 8"))
    // A hundredth of a percent asks for more rounds than there are.
    let strict = try figure(compare(base, head, threshold: 0.001), "threads", "addedLatency")
    guard case .tooFewRounds = strict.verdict else {
      Issue.record("\(String(describing: strict.verdict))")
      return
    }
  }

  @Test("a gate stops at a model that no longer does what it did, and at a count that grew")
  func otherRegressions() throws {
    let (base, head) = try MadeUp.pair()
    let found = compare(base, head).regressions
    #expect(
      found.contains(
        "async-loop on fan-out/closed: 0 of 12 ok, 8 crashed, 4 voided in HEAD, 8 of 12 ok, 4 voided in BASE"),
      "\(found)")
    #expect(found.contains { $0.hasPrefix("async-loop on fan-out/fixed-rate: more allocations per request, 21.") })
    // Two kinds of regression of one cell, and one of the other; snake fails in both.
    #expect(found.count == 3, "\(found)")
    // Growth within the threshold is none.
    #expect(!compare(base, head, threshold: 0.5).regressions.contains { $0.contains("allocations") })
    // A model that failed once in BASE may not fail altogether in HEAD, nor be absent.
    var once = base
    let index = try #require(
      once.trials.firstIndex { $0.model == "async-loop" && $0.case == "fan-out/closed" && $0.state == .ok })
    once.trials[index].state = .crashed
    #expect(compare(once, head).regressions.contains { $0.hasPrefix("async-loop on fan-out/closed: 0 of 12 ok") })
    var absent = head
    absent.trials.removeAll { $0.model == "async-loop" && $0.case == "fan-out/closed" }
    #expect(
      compare(base, absent).regressions.contains(
        "async-loop on fan-out/closed: 0 of 12 ok, 12 not run in HEAD, 8 of 12 ok, 4 voided in BASE"))
    // What was lost the other way round was no loss.
    #expect(!compare(head, base).regressions.contains { $0.contains("crashed") })
  }

  @Test("failed trials are named with their run")
  func failures() throws {
    let (base, head) = try MadeUp.pair()
    let failures = compare(base, head).document.sections[0].failures
    #expect(failures.contains { $0.hasPrefix("BASE, fan-out/fixed-rate: snake: crashed (trials 3, ") })
    #expect(failures.contains { $0.hasPrefix("HEAD, fan-out/closed: async-loop: crashed (trials ") })
    #expect(!failures.contains { $0.hasPrefix("BASE, fan-out/closed: async-loop: crashed") })
  }

  @Test("what only one run has is listed, and nothing of it is compared")
  func unmatched() throws {
    let (base, original) = try MadeUp.pair()
    var head = original
    head.plan.models[2].name = "viper"
    head.plan.cases[1].name = "fan-out/closed+width=16"
    for index in head.plan.families.indices where head.plan.families[index].case == "fan-out/closed" {
      head.plan.families[index].case = "fan-out/closed+width=16"
    }
    head.plan.families.removeAll { $0.metric == "addedLatency" }
    let comparison = compare(base, head)
    #expect(
      comparison.unmatched == [
        "Only in BASE: case fan-out/closed.", "Only in BASE: model snake.",
        "Only in BASE: headline addedLatency of fan-out/fixed-rate.",
        "Only in HEAD: case fan-out/closed+width=16.", "Only in HEAD: model viper.",
      ])
    #expect(figures(comparison).map(\.id.metric) == ["cpuPerOperation", "cpuPerOperation"])
    #expect(comparison.document.notices.contains("Only in HEAD: model viper."))
    // Nothing at all in common.
    head.plan.cases[0].name = "fan-out/other"
    let nothing = compare(base, head)
    #expect(nothing.isEmpty)
    #expect(
      nothing.contents.hasPrefix("before has fan-out/fixed-rate, fan-out/closed of threads, async-loop, snake; after"))
  }
}
