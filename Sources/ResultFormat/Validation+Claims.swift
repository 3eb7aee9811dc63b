// Whether what a plan declares can be judged: each headline of a case once, each pair of rows once. A claim declared
// twice, or of rows that nobody runs, would make the correction another one than the reader thinks.

import Workloads

extension Validation {
  mutating func checkClaims(_ plan: Plan) {
    var headlines: Set<ClaimFamily> = []
    for (index, family) in plan.families.enumerated() {
      let place = "plan.families[\(index)]"
      guard let planned = plan.cases.first(where: { $0.name == family.case }) else {
        report(place, "its case '\(family.case)' is not one of the plan's")
        continue
      }
      if family.workload != planned.workload {
        report(place, "workload is '\(family.workload)': the case's is '\(planned.workload)'")
      }
      if !headlines.insert(family).inserted { report(place, "\(family.metric) on \(family.case) is there twice") }
      let known = Set((try? Workload.named(planned.workload))?.cases.flatMap(\.headlines) ?? [])
      if !known.isEmpty && !known.contains(family.metric) {
        report(
          place,
          "'\(family.metric)' is no headline of \(planned.workload): expected one of "
            + known.sorted().joined(separator: ", "))
      }
    }
    let rows = Set(plan.models.map { RowName($0) })
    var pairs: Set<Set<RowName>> = []
    for (index, pair) in (plan.pairs ?? []).enumerated() {
      let place = "plan.pairs[\(index)]"
      for row in [pair.base, pair.head] where !rows.contains(row) {
        report(place, "its row '\(row)' is not one of the plan's")
      }
      if pair.base == pair.head { report(place, "compares '\(pair.base)' with itself") }
      if !pairs.insert([pair.base, pair.head]).inserted {
        report(place, "compares '\(pair.base)' and '\(pair.head)' a second time")
      }
    }
  }
}
