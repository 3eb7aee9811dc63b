// What a run is to measure, as it was typed: workloads, single cases, changed parameters.

import Harness
import Workloads

extension RunWorkloads {
  func selectCases() throws(HarnessError) -> [SelectedCase] {
    let changes = try parseChanges(changes)
    var selected: [(Case, Workload)] = []
    for subject in subjects.isEmpty ? Workload.all.map(\.name) : subjects {
      for pair in try cases(of: subject) where !selected.contains(where: { $0.0.name == pair.0.name }) {
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

  /// A workload's cases in the preset, or the one case of that name.
  private func cases(of subject: String) throws(HarnessError) -> [(Case, Workload)] {
    for workload in Workload.all {
      if workload.name == subject {
        return workload.cases.filter { $0.presets.contains(preset ?? .quick) }.map { ($0, workload) }
      }
      if let match = workload.cases.first(where: { $0.name == subject }) { return [(match, workload)] }
    }
    guard subject.contains("/") else {
      _ = try selectWorkloads([subject])
      return []
    }
    let known = Workload.all.flatMap(\.cases).map(\.name).joined(separator: ", ")
    throw .usage("'\(subject)' is not a case: there is \(known)")
  }
}
