// A trial of an in-process workload as its oracle sees it, and ways to break it.

import Testing
import Workloads

/// Evidence that can be altered bit by bit.
struct InProcessTrial: Sendable {
  let workload: Workload
  var parameters: [String: ParameterValue]
  var isGated = false
  var model: Ledger
  var operations: Int?
  var grownBytes: Int?

  var findings: [Finding] {
    workload.judge(
      Evidence(
        parameters: parameters, variant: nil, isGated: isGated, model: model, rig: [:], openSockets: 0,
        operations: operations, grownBytes: grownBytes))
  }

  /// The rules that the oracle says are broken.
  var broken: Set<String> { Set(findings.map(\.rule)) }

  mutating func add(_ number: Int, to name: String) { model[name] = (model[name] ?? 0) &+ number }
}

/// One way to break a rule, and the numbers that the message must hold.
struct Breach: Sendable, CustomTestStringConvertible {
  let rule: String
  let name: String
  let numbers: [Int]
  let commit: @Sendable (inout InProcessTrial) -> Void

  init(
    _ rule: some RawRepresentable<String>, _ name: String, _ numbers: [Int],
    _ commit: @escaping @Sendable (inout InProcessTrial) -> Void
  ) {
    self.rule = rule.rawValue
    self.name = name
    self.numbers = numbers
    self.commit = commit
  }
  var testDescription: String { "\(rule): \(name)" }

  /// The oracle names this rule and no other, with the numbers.
  func expectFound(in trial: InProcessTrial, sourceLocation: SourceLocation = #_sourceLocation) {
    var trial = trial
    #expect(trial.findings == [], "the unbroken trial is clean", sourceLocation: sourceLocation)
    commit(&trial)
    let findings = trial.findings
    #expect(trial.broken == [rule], "\(findings)", sourceLocation: sourceLocation)
    let said = Set(findings.flatMap { $0.message.split { !$0.isNumber && $0 != "-" }.compactMap { Int($0) } })
    #expect(said.isSuperset(of: numbers), "\(findings)", sourceLocation: sourceLocation)
  }
}

/// What holds for the oracle of every in-process workload.
func expectGuardsItsLedger(_ trial: InProcessTrial, counts: [String]) {
  for count in counts {
    var lacking = trial
    lacking.model[count] = nil
    #expect(lacking.broken == ["balance"])
    #expect(lacking.findings.first?.message.contains(count) == true)
    // Numbers that no model could have counted are findings, and no arithmetic traps on them.
    for absurd in [Int.min, -1, .max] {
      var wild = trial
      wild.model[count] = absurd
      #expect(!wild.findings.isEmpty)
    }
  }
  var wild = trial
  for count in counts { wild.model[count] = .max }
  wild.operations = .max
  #expect(!wild.findings.isEmpty)
  var empty = trial
  empty.model = [:]
  let message = empty.findings.map(\.message).joined()
  for count in counts { #expect(message.contains(count)) }
  var silent = trial
  silent.operations = nil
  #expect(silent.broken == ["window"])
  for operations in [Int.min, -1, 0] {
    silent.operations = operations
    #expect(silent.broken == ["window"])
  }
  var strange = trial
  strange.parameters = ["no such": .integer(1)]
  #expect(strange.broken == ["balance"])
}
