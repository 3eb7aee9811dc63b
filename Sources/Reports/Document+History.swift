// How a run came to its rounds: whether they were added until intervals were narrow, what was not reached, and whether
// the run was interrupted in between.

import ResultFormat

extension Document {
  /// Sentences; none for a run with a fixed number of rounds that was never interrupted.
  static func history(_ run: Run) -> [String] {
    var sentences: [String] = []
    if let goal = run.plan.precision { sentences += precision(run, goal) }
    if let resumptions = run.resumptions, !resumptions.isEmpty {
      let times = resumptions.map { "after \(counted($0.finishedTrials, "trial")) (\($0.startedAt))" }
      sentences.append(
        "Interrupted and resumed \(times.joined(separator: ", ")): what else changed on the host meanwhile falls between "
          + "the models of one round.")
    }
    return sentences
  }

  private static func precision(_ run: Run, _ goal: PrecisionGoal) -> [String] {
    let level = "\(trimmed(goal.level * 100)) %"
    let aim = "the \(level) interval of every headline figure's geometric mean was within \(goal.words)"
    guard let outcome = run.precision else {
      return ["Rounds were to be added until \(aim); the run was interrupted before."]
    }
    let rule = "Rounds were added until \(aim), going by widths alone"
    let rounds = counted(run.plan.rounds, "round")
    if outcome.unreached.isEmpty { return ["\(rule): reached after \(rounds)."] }
    let reason =
      switch outcome.ending {
      case .reached: "more rounds would not narrow them"
      case .time: "the time was spent (\(trimmed((goal.maximumSeconds / 60 * 10).rounded() / 10)) min)"
      case .rounds: "a run has no more rounds"
      }
    let wide = outcome.unreached.map { figure in
      let row = figure.variant.map { "\(figure.model) (\($0))" } ?? figure.model
      let width = figure.reach.map { "±\(significant($0 * 100)) %" } ?? oneLine(figure.reason ?? "no interval")
      return "\(figure.metric) of \(row) on \(figure.case): \(width)"
    }
    return [
      "\(rule). NOT REACHED after \(rounds) by \(outcome.unreached.count) of \(counted(outcome.figures, "figure")), since "
        + "\(reason): \(wide.joined(separator: "; "))."
    ]
  }
}
