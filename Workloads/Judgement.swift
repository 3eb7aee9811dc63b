// What the oracles of in-process workloads share: reading the model's ledger, and collecting what is wrong with it.
//
// The ledger comes from the process that is judged: any number may stand in it. So sums and products wrap instead of
// trapping; expectations are computed from the parameters alone wherever that is possible.

/// The findings of one trial. Counts are read by the names of `Count`.
struct Judgement<Rule: RawRepresentable<String>, Count: RawRepresentable<String> & CaseIterable> {
  let evidence: Evidence
  private(set) var findings: [Finding] = []

  init(_ evidence: Evidence) { self.evidence = evidence }

  /// The count; 0 where the ledger lacks it, which ``hasAllCounts(_:)`` tells.
  func count(_ name: Count) -> Int { evidence.model[name.rawValue] ?? 0 }

  mutating func report(_ rule: Rule, _ message: String) { findings.append(Finding(rule.rawValue, message)) }

  /// Reports a count that is not what it must be.
  mutating func expect(_ rule: Rule, _ name: Count, _ expected: Int) {
    if count(name) != expected { report(rule, "\(name.rawValue) is \(count(name)), expected \(expected)") }
  }

  /// Reports a checksum that is not what it must be, as the unsigned number that both are.
  mutating func expect(_ rule: Rule, checksum name: Count, _ expected: UInt64) {
    let sum = UInt64(bitPattern: Int64(count(name)))
    if sum != expected { report(rule, "\(name.rawValue) is \(sum), expected \(expected)") }
  }

  /// Reports counts that the ledger lacks, and those below 0 although they count things.
  /// - Returns: whether there is a ledger to go on with.
  mutating func hasAllCounts(_ rule: Rule, signed: Set<String>) -> Bool {
    let names = Count.allCases.map(\.rawValue)
    let missing = names.filter { evidence.model[$0] == nil }
    if !missing.isEmpty { report(rule, "the model's ledger lacks \(missing.joined(separator: ", "))") }
    let negative = names.filter { !signed.contains($0) && (evidence.model[$0] ?? 0) < 0 }
    if !negative.isEmpty {
      report(rule, "the model's ledger counts less than none of \(negative.joined(separator: ", "))")
    }
    return missing.isEmpty && negative.isEmpty
  }

  /// Reports operations of the window that the ledger does not bear out: none, more than the whole trial had, or a part
  /// of a thing that is only done whole.
  /// - Parameters:
  ///   - total: operations of the whole trial, warm-up included.
  ///   - step: operations of one indivisible thing, as the units of a tree.
  mutating func expectOperations(_ rule: Rule, atMost total: Int, inStepsOf step: Int = 1) {
    guard let operations = evidence.operations else { return report(rule, "the result lacks operations") }
    if operations < 1 {
      report(rule, "counted \(operations) operations in the window, expected at least \(step)")
    } else if operations > total {
      report(rule, "counted \(operations) operations in the window, \(total) in the whole trial")
    } else if operations % step != 0 {
      report(rule, "counted \(operations) operations in the window, expected a multiple of \(step)")
    }
  }
}
