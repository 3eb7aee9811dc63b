// What the tests of the in-process oracles share: a trial made up by hand, and one way to break it.

import Testing
import Workloads

/// What the oracle sees of an in-process trial.
struct MadeUpTrial: Sendable {
  var workload: Workload
  var changes: [String: ParameterValue]
  var model: Ledger
  var operations: Int?
  var samples: [String: Int] = [:]
  var variant: String?
  var isGated = false
  var iterationsPerMillisecond: Int? = 1_000

  var findings: [Finding] {
    var parameters = workload.defaults
    parameters.merge(changes) { $1 }
    return workload.judge(
      Evidence(
        parameters: parameters, variant: variant, isGated: isGated, model: model, operations: operations,
        samples: samples, iterationsPerMillisecond: iterationsPerMillisecond))
  }
  var brokenRules: Set<String> { Set(findings.map(\.rule)) }
}

/// One way to break a rule, what the oracle must call it, and the numbers that its messages must hold.
struct LedgerBreach: Sendable, CustomTestStringConvertible {
  let rule: String
  let name: String
  let numbers: [Int]
  let commit: @Sendable (inout MadeUpTrial) -> Void

  init<Rule: RawRepresentable<String>>(
    _ rule: Rule, _ name: String, _ numbers: [Int], _ commit: @escaping @Sendable (inout MadeUpTrial) -> Void
  ) {
    self.rule = rule.rawValue
    self.name = name
    self.numbers = numbers
    self.commit = commit
  }
  var testDescription: String { "\(rule): \(name)" }

  /// The rule is named, no other is, and the counts stand in the message.
  func expectNamed(in trial: MadeUpTrial, sourceLocation: SourceLocation = #_sourceLocation) {
    var trial = trial
    #expect(trial.findings == [], "the trial is sound before it is broken", sourceLocation: sourceLocation)
    commit(&trial)
    let findings = trial.findings
    #expect(Set(findings.map(\.rule)) == [rule], "\(findings)", sourceLocation: sourceLocation)
    let found = Set(findings.flatMap { $0.message.split { !$0.isNumber }.compactMap { Int($0) } })
    #expect(found.isSuperset(of: numbers), "\(findings)", sourceLocation: sourceLocation)
  }
}

/// A count that is missing is found by `balance` and named, and so is one below 0; checksums may be.
func expectEveryCountIsNeeded(in trial: MadeUpTrial, checksums: Set<String>) {
  for name in trial.model.counts.keys.sorted() {
    var broken = trial
    broken.model[name] = nil
    #expect(broken.findings.map(\.rule) == ["balance"])
    #expect(broken.findings.first?.message.contains(name) == true)
    guard !checksums.contains(name) else { continue }
    broken.model[name] = -1
    #expect(broken.findings.map(\.rule) == ["balance"])
    #expect(broken.findings.first?.message.contains(name) == true)
  }
}

/// Whatever numbers a ledger holds, the oracle returns, and finds something.
func expectNoNumberIsTooMuch(in trial: MadeUpTrial) {
  for value in [Int.max, Int.max - 1, Int.min, 1 << 40] {
    for name in trial.model.counts.keys {
      var broken = trial
      broken.model[name] = value
      #expect(!broken.findings.isEmpty, "\(name) = \(value)")
    }
    var broken = trial
    for name in trial.model.counts.keys { broken.model[name] = value }
    #expect(!broken.findings.isEmpty)
  }
  var broken = trial
  broken.changes = ["outstanding": .text("many"), "stages": .text("many"), "units": .text("many")]
  broken.changes["producers"] = .text("many")
  #expect(!broken.findings.isEmpty)
}
