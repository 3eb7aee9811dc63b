// What a report says of added rounds and of resumptions.

import ResultFormat
import Testing

@testable import Reports

private func notices(_ change: (inout Run) -> Void) throws -> [String] {
  var run = try fixture()
  change(&run)
  return Document.history(run)
}

@Test("a run with a fixed number of rounds that was never interrupted has no course to tell")
func noHistory() throws { #expect(try notices { _ in } == []) }

@Test("what was reached is said with its rounds, what was not with its width or the reason for none")
func precisionNotices() throws {
  let goal = PrecisionGoal(reach: 0.02, maximumSeconds: 1_800)
  let rule =
    "Rounds were added until the 95 % interval of every headline figure's geometric mean was within ±2 %, going by widths alone"
  #expect(
    try notices {
      $0.plan.precision = goal
      $0.precision = PrecisionOutcome(ending: .reached, figures: 7, unreached: [])
    } == ["\(rule): reached after 3 rounds."])
  let unreached = [
    UnreachedFigure(
      case: "fan-out/fixed-rate", model: "threads", variant: "gather", metric: "cpuPerOperation", rounds: 9,
      reach: 0.03141, reason: nil),
    UnreachedFigure(
      case: "fan-out/closed", model: "snake", variant: nil, metric: "throughput", rounds: 0, reach: nil,
      reason: "no value in\n9 rounds"),
  ]
  for (ending, reason) in [
    (PrecisionOutcome.Ending.time, "the time was spent (30 min)"), (.reached, "more rounds would not narrow them"),
    (.rounds, "a run has no more rounds"),
  ] {
    #expect(
      try notices {
        $0.plan.precision = goal
        $0.precision = PrecisionOutcome(ending: ending, figures: 7, unreached: unreached)
      } == [
        "\(rule). NOT REACHED after 3 rounds by 2 of 7 figures, since \(reason): cpuPerOperation of threads (gather) on "
          + "fan-out/fixed-rate: ±3.14 %; throughput of snake on fan-out/closed: no value in 9 rounds."
      ])
  }
  #expect(
    try notices { $0.plan.precision = goal } == [
      "Rounds were to be added until the 95 % interval of every headline figure's geometric mean was within ±2 %; the run was interrupted before."
    ])
}

@Test("resumptions are told, and reach the report")
func resumptionNotices() throws {
  var run = try fixture()
  run.resumptions = [
    Resumption(startedAt: "2026-01-31T12:30:00Z", finishedTrials: 1),
    Resumption(startedAt: "2026-01-31T13:00:00Z", finishedTrials: 7),
  ]
  let sentence =
    "Interrupted and resumed after 1 trial (2026-01-31T12:30:00Z), after 7 trials (2026-01-31T13:00:00Z): what else "
    + "changed on the host meanwhile falls between the models of one round."
  #expect(Document.history(run) == [sentence])
  #expect(Document(run).notices.contains(sentence))
}
