// Whole runs that add rounds until their figures are narrow or the time, by a clock of the tests, is spent.

import Foundation
import ResultFormat
import Synchronization
import Testing
import Workloads

@testable import Harness

@Suite struct AddedRoundTests {
  /// So many seconds a look: a run looks once at its start and once after each round.
  private func slowClock(step: Double = 10) -> @Sendable () -> Double {
    let looks = Counter()
    return { Double(looks.next()) * step }
  }

  private func run(_ fake: FakeRun, reach: Double, seconds: Double, metrics: [String] = ["throughput"]) async throws
    -> (Run, [Int])
  {
    var fake = fake
    fake.plan.families.removeAll { !metrics.contains($0.metric) }
    for metric in metrics where !fake.plan.families.contains(where: { $0.metric == metric }) {
      fake.plan.families.append(ClaimFamily(workload: "fan-out", case: fake.plan.cases[0].name, metric: metric))
    }
    fake.plan.precision = PrecisionGoal(reach: reach, maximumSeconds: seconds)
    var execution = fake.execution
    execution.clock = slowClock()
    var extensions: [Int] = []
    let run = try await execution.run { if case .extended(let plan) = $0 { extensions.append(plan.rounds) } }.run
    return (run, extensions)
  }

  @Test func `a run goes on to five rounds, and ends where its figures are narrow`() async throws {
    let fake = try await FakeRun(rounds: 3)
    // The fake sleeps through its window and counts 20: its rate varies by what the machine wakes it too late. On a
    // machine so loaded that this takes more than five rounds to be within a factor of two, it takes some more.
    let (run, extensions) = try await run(fake, reach: 1, seconds: 10_000)
    #expect(run.plan.rounds >= 5)
    #expect(extensions == Array(4...run.plan.rounds))
    #expect(run.precision == PrecisionOutcome(ending: .reached, figures: 2, unreached: []))
    #expect(run.isComplete)
    #expect(run.trials.map(\.number) == Array(1...run.plan.rounds * 2))
    #expect(try RunFiles.readPlan(from: fake.folder).plan.trials == run.plan.trials)
    #expect(try RunFiles.readRun(from: fake.folder).precision == run.precision)
    #expect(validate(runAt: fake.folder).map(\.description) == [])
  }

  @Test func `a run ends where the time is spent, and says what was not reached`() async throws {
    let fake = try await FakeRun(rounds: 1)
    // The first round takes 10 s by that clock, and so does each other: a fourth would end at 40 s.
    let (run, extensions) = try await run(fake, reach: 1e-9, seconds: 39)
    #expect(extensions == [2, 3])
    #expect(run.precision?.ending == .time)
    #expect(run.precision?.unreached.map(\.rounds) == [3, 3])
    #expect(run.precision?.unreached.map(\.reason).first == "too few rounds for an interval: 3, and 5 would do")
    #expect(run.isComplete)
    #expect(validate(runAt: fake.folder).map(\.description) == [])
  }

  @Test func `a run that was killed among its added rounds goes on with them`() async throws {
    let fake = try await FakeRun(rounds: 1)
    let (before, _) = try await run(fake, reach: 1e-9, seconds: 39)
    // As if killed after the third round was planned, and before run.json told of it.
    try FileManager.default.removeItem(atPath: "\(fake.folder)/trials/5")
    try FileManager.default.removeItem(atPath: "\(fake.folder)/trials/6")
    var behind = before
    behind.precision = nil
    behind.plan.rounds = 2
    behind.plan.trials.removeLast(2)
    behind.trials.removeLast(2)
    try RunFiles.writeRun(behind, to: fake.folder)

    let interrupted = try InterruptedRun(fake.folder)
    #expect(interrupted.finished.count == 4)
    var execution = RunExecution(
      interrupted, on: fake.environment, rows: fake.rows, runner: fake.runner, processors: fake.processors)
    // 2 times 0.85 s.
    #expect(abs(execution.expectedSeconds - 1.7) < 1e-9)
    execution.clock = slowClock()
    // 20 s are spent, by plan.json, and the third round takes 10 s more: a fourth would end at 40 s.
    let run = try await execution.run { _ in }.run
    #expect(run.plan.rounds == 3)
    #expect(run.precision?.ending == .time)
    #expect(Array(run.plan.trials.prefix(6)) == before.plan.trials)
    #expect(Array(run.trials.prefix(4)) == Array(try RunFiles.readTrials(from: fake.folder).prefix(4)))
    #expect(validate(runAt: fake.folder).map(\.description) == [])
  }

  @Test func `of a round that was killed, what the plan expects of its finished trials is spent`() async throws {
    let fake = try await FakeRun(rounds: 1)
    _ = try await run(fake, reach: 1e-9, seconds: 39)
    try FileManager.default.removeItem(atPath: "\(fake.folder)/trials/6")
    var execution = try RunExecution(
      InterruptedRun(fake.folder), on: fake.environment, rows: fake.rows, runner: fake.runner,
      processors: fake.processors)
    execution.clock = slowClock(step: 5.3)
    // 20 s of two rounds, 0.85 s for trial 5, and 5.3 s for trial 6: a fourth round would end at 34.9 s, and a fifth at
    // 39.3 s, which without trial 5 were 38.3 s.
    let run = try await execution.run { _ in }.run
    #expect(run.plan.rounds == 4)
    #expect(validate(runAt: fake.folder).map(\.description) == [])
  }

  @Test func `a run that was killed after its last round was decided adds none`() async throws {
    let fake = try await FakeRun(rounds: 1)
    let (before, _) = try await run(fake, reach: 1e-9, seconds: 39)
    // As if killed before run.json told of it.
    var behind = before
    behind.precision = nil
    try RunFiles.writeRun(behind, to: fake.folder)
    var execution = try RunExecution(
      InterruptedRun(fake.folder), on: fake.environment, rows: fake.rows, runner: fake.runner,
      processors: fake.processors)
    // A clock by which there would be time for more.
    execution.clock = { 0 }
    let after = try await execution.run { _ in }.run
    #expect(after.precision == before.precision && after.precision != nil)
    #expect(try after.trials == RunFiles.readTrials(from: fake.folder))
    #expect(after.trials.map(\.startedAt) == before.trials.map(\.startedAt))
    #expect(after.isComplete)
    #expect(validate(runAt: fake.folder).map(\.description) == [])
  }
}

/// 0, 1, 2, ...
private final class Counter: Sendable {
  private let value = Mutex(-1)

  func next() -> Int {
    value.withLock { value in
      value += 1
      return value
    }
  }
}
