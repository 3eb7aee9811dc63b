// What a run is to measure, as it was typed: workloads, single cases, changed parameters.

import Harness
import Workloads

extension RunWorkloads {
  func selectCases() throws(HarnessError) -> [SelectedCase] {
    let changes = try parseChanges(changes)
    var selected: [(Case, Workload)] = []
    for subject in subjects.isEmpty ? Workload.all.map(\.name) : subjects {
      for pair in try matchingCases(subject, where: { $0.presets.contains(preset ?? .quick) })
      where !selected.contains(where: { $0.0.name == pair.0.name }) {
        selected.append(pair)
      }
    }
    var cases: [SelectedCase] = []
    for (`case`, workload) in selected {
      do throws(ParameterError) {
        cases.append(try SelectedCase(`case`, of: workload, changes: changes))
      } catch {
        throw HarnessError(error)
      }
    }
    return cases
  }
}
