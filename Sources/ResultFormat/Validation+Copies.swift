// Whether the copies that a calibration's plan declares are what they are called: rows of the plan that another row's
// model stands behind, and slowed by no more than they say.

import Workloads

extension Validation {
  mutating func checkCopies(_ plan: Plan) {
    guard let copies = plan.copies else { return }
    let rows = Set(plan.models.map(\.name))
    let originals = Set(plan.originals.map(\.name))
    var names: Set<String> = []
    for (index, copy) in copies.enumerated() {
      let place = "plan.copies[\(index)]"
      if !names.insert(copy.name).inserted { report(place, "the copy '\(copy.name)' is there twice") }
      if !rows.contains(copy.name) { report(place, "its row '\(copy.name)' is not one of the plan's") }
      if !originals.contains(copy.model) {
        report(place, "'\(copy.model)', which it is to be, is no model of the plan, or a copy itself")
      }
      if let slowdown = copy.slowdown { check(slowdown, of: copy, in: plan, at: "\(place).slowdown") }
    }
    if plan.claims { report("plan.claims", "is true: a calibration compares equal things, and claims nothing of them") }
  }

  private mutating func check(_ slowdown: Slowdown, of copy: ModelCopy, in plan: Plan, at place: String) {
    if !(slowdown.factor > 1 && slowdown.factor.isFinite) {
      report("\(place).factor", "\(slowdown.factor) slows nothing: expected more than 1")
    }
    if slowdown.changes.isEmpty { report("\(place).changes", "has none: then nothing is slowed") }
    guard let planned = plan.cases.first(where: { $0.name == slowdown.case }) else {
      return report(place, "its case '\(slowdown.case)' is not one of the plan's")
    }
    if let stray = plan.trials.first(where: { $0.model == copy.name && $0.case != slowdown.case }) {
      report(place, "trial \(stray.number) has '\(copy.name)' on \(stray.case), where it is not slowed")
    }
    do throws(ParameterError) {
      let values = planned.parameters.merging(slowdown.changes) { $1 }
      _ = try Workload.named(planned.workload).values(values)
    } catch {
      report("\(place).changes", error.description)
    }
  }
}
