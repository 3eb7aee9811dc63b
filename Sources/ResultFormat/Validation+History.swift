// Whether what a run says of its own course fits its plan: rounds that were added, and resumptions.

import Workloads

extension Validation {
  mutating func checkHistory(_ run: Run) {
    if let goal = run.plan.precision {
      if !(goal.reach > 0 && goal.reach <= 1) {
        report("plan.precision.reach", "\(goal.reach) is no width: expected more than 0, and at most 1")
      }
      if !(goal.level > 0 && goal.level < 1) {
        report("plan.precision.level", "\(goal.level) is no level: expected more than 0, and less than 1")
      }
      if !(goal.maximumSeconds > 0 && goal.maximumSeconds.isFinite) {
        report("plan.precision.maximumSeconds", "\(goal.maximumSeconds) is no time: expected more than 0")
      }
    }
    if let outcome = run.precision { check(outcome, of: run) }
    for (index, resumption) in (run.resumptions ?? []).enumerated() {
      let place = "resumptions[\(index)]"
      if !Self.isTime(resumption.startedAt) {
        report(place, "startedAt '\(resumption.startedAt)' is no time: expected 2026-01-31T12:00:00Z")
      }
      if !(0...run.plan.trials.count).contains(resumption.finishedTrials) {
        report(place, "finishedTrials is \(resumption.finishedTrials): the plan has \(run.plan.trials.count) trials")
      }
    }
  }

  private mutating func check(_ outcome: PrecisionOutcome, of run: Run) {
    guard let goal = run.plan.precision else {
      return report("precision", "the plan has none to reach")
    }
    if outcome.unreached.count > outcome.figures {
      report("precision.unreached", "has \(outcome.unreached.count) of \(outcome.figures) figures")
    }
    for (index, figure) in outcome.unreached.enumerated() {
      let place = "precision.unreached[\(index)]"
      let isDeclared = run.plan.families.contains { $0.case == figure.case && $0.metric == figure.metric }
      let isRow = run.plan.models.contains { $0.name == figure.model && $0.variant == figure.variant }
      if !isDeclared || !isRow {
        report(
          place,
          "\(figure.metric) of \(Self.row(figure.model, figure.variant)) on \(figure.case) is no headline of the plan")
      }
      if (figure.reach == nil) == (figure.reason == nil) {
        report(place, "expected either a reach or the reason for which there is none")
      }
      if let reach = figure.reach, !(reach > goal.reach) {
        report("\(place).reach", "\(reach) is within the \(goal.reach) that was to be reached")
      }
    }
  }
}
