// A made-up pair of runs: the format's own fixture with twelve rounds, and with figures that scatter as those of a calm
// host do.

import ResultFormat

enum MadeUp {
  /// What each round's CPU time is multiplied by; the fixture's own rounds vary by 0, +2 and -1 % besides.
  static let calm = [0, 0.013, -0.011, 0.021, -0.017, 0.008, -0.006, 0.015, -0.02, 0.003, 0.018, -0.012]
  static let calmToo = [-0.004, 0.016, 0.002, -0.019, 0.011, -0.013, 0.02, 0.005, -0.009, 0.014, -0.016, 0.001]

  /// - Parameters:
  ///   - scatter: one for each round, of which there are as many.
  ///   - change: made to every trial.
  static func run(_ scatter: [Double], change: (inout Trial) -> Void = { _ in }) throws -> Run {
    var run = try fixture()
    run.methodVersion = currentMethodVersion
    run.plan.preset = "standard"
    run.plan.claims = true
    run.plan.rounds = scatter.count
    let planned = run.plan.trials
    let trials = run.trials
    run.plan.trials = []
    run.trials = []
    for round in 1...scatter.count {
      for (planned, trial) in zip(planned, trials) where planned.round == (round - 1) % 3 + 1 {
        var (planned, trial) = (planned, trial)
        (planned.round, trial.round) = (round, round)
        planned.number = run.plan.trials.count + 1
        trial.number = planned.number
        trial.figures?.cpu?.scale(1 + scatter[round - 1])
        change(&trial)
        run.plan.trials.append(planned)
        run.trials.append(trial)
      }
    }
    return run
  }

  static func base() throws -> Run { try run(calm) }

  /// Of threads, CPU time is down by a fifth and voluntary switches by a third, and latency is as it was; of
  /// async-loop, CPU time is up by a fifth with the allocations, and it dies in closed loop. snake fails in two of
  /// three rounds, as it does in BASE.
  static func head() throws -> Run {
    var head = try run(calmToo) { trial in
      switch (trial.model, trial.case) {
      case ("threads", "fan-out/fixed-rate"):
        trial.figures?.cpu?.scale(0.8)
        trial.figures?.cpu?.voluntarySwitches = 24_000
      case ("async-loop", "fan-out/fixed-rate"):
        trial.figures?.cpu?.scale(1.2)
        trial.figures?.memory?.allocationsPerOperation? += 5
      case ("async-loop", "fan-out/closed") where trial.state == .ok:
        trial.state = .crashed
        trial.reason = "model 'async-loop' died by signal 11 (Segmentation fault) in the window"
        trial.figures = nil
        trial.warnings = []
      default: break
      }
    }
    head.environment.startedAt = "2026-02-01T12:00:00Z"
    head.environment.revision = "fedcba987654"
    head.environment.compiler = "Swift 6.4"
    return head
  }

  static func pair() throws -> (base: Run, head: Run) { (try base(), try head()) }
}

extension CPUFigures {
  mutating func scale(_ factor: Double) {
    userNanosecondsPerOperation *= factor
    systemNanosecondsPerOperation *= factor
  }
}
