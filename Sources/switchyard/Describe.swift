// switchyard describe: a workload's contract, from the same tables that the code checks.

import ArgumentParser
import Harness
import Workloads

struct Describe: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "describe",
    abstract: "Prints a workload's contract: parameters, units, ranges, defaults, cases, rules.")

  @Argument(help: "The workload, as listed by 'switchyard list workloads'.")
  var workload: String

  func run() throws {
    let workload = try selectWorkloads([self.workload])[0]
    print("\(workload.name): \(workload.question)\n\n\(workload.contract)\n\nOperation: \(workload.operation).")
    print("\nParameters (change with --set NAME=VALUE)")
    for parameter in workload.parameters {
      let unit = parameter.unit.isEmpty ? "" : " \(parameter.unit)"
      print("  \(parameter.name) = \(parameter.defaultValue)\(unit)\n      \(parameter.summary); \(parameter.range)")
    }
    print("\nCases")
    for `case` in workload.cases {
      let presets = Preset.allCases.filter(`case`.presets.contains).map(\.rawValue).joined(separator: ", ")
      print("  \(`case`.name) (\(presets)); headline: \(`case`.headlines.joined(separator: ", "))")
      printChanges(`case`.changes)
    }
    if !workload.variants.isEmpty { print("\nVariants (--model NAME:VARIANT)") }
    for variant in workload.variants { print("  \(variant.name): \(variant.meaning)") }
    print("\nRules of the oracle")
    for rule in workload.rules { print("  \(rule.name): \(rule.meaning)") }
    print("\nChecks of 'switchyard check'")
    for check in workload.checks {
      let least = workload.isServed ? "" : "at least "
      let gate = check.isGated ? ", gated" : ""
      print("  \(check.name): \(least)\(check.operations) operations\(gate)\n      \(check.purpose)")
      printChanges(check.changes)
    }
  }

  private func printChanges(_ changes: [String: ParameterValue]) {
    guard !changes.isEmpty else { return }
    let texts = changes.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    print("      \(texts.joined(separator: " "))")
  }
}
