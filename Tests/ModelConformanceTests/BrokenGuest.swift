// The guests of Tests/Guests/broken, and how each must be caught: by the rule that it was made to break, whatever else
// it breaks by the same act.

import Foundation
import Testing
import Workloads

struct BrokenGuest: Sendable, CustomTestStringConvertible {
  let workload: String
  let name: String
  let state: String
  /// The workload's rule that must be named.
  let rule: String?
  /// Whether only a gated check can see it.
  let needsGate: Bool

  var testDescription: String { "\(workload) \(name)" }
  /// As after `--guest`.
  var argument: String { "\(name)=\(Switchyard.guest("broken/\(workload)/\(name)"))" }
  var stateInRun: String { needsGate ? "ok" : state }

  /// What breaks `gate` may come to a standstill there instead.
  var statesInCheck: Set<String> { rule == "gate" ? [state, "timeout"] : [state] }

  /// Whether these say that it breaks its rule, in states that come of that.
  func isCaught(in results: [Verdict]) -> Bool {
    let failures = results.filter { $0.state != "ok" }
    return failures.contains { $0.findings.contains { $0.rule == rule } }
      && failures.allSatisfy { statesInCheck.contains($0.state) }
  }

  /// Whether a trial of a run, which has no gate, ends as this guest's must.
  func ends(as trial: RunOnDisk.Trial) -> Bool {
    trial.state == stateInRun
      && (rule == nil || stateInRun != "wrong" || (trial.findings ?? []).contains { $0.rule == rule })
  }

  static let all = fanOut + others

  /// Lines of the table at the top of Tests/Guests/broken_guest.py. Its columns are set apart by two blanks or more:
  /// name, what it does, state, rule or reason.
  private static let fanOut: [BrokenGuest] = {
    let text = (try? String(contentsOfFile: Switchyard.guest("broken_guest.py"), encoding: .utf8)) ?? ""
    return text.split(separator: "\n").prefix { !$0.hasPrefix("import") }.compactMap { line in
      let columns = line.components(separatedBy: "  ").map { $0.trimmingCharacters(in: .whitespaces) }
        .filter { !$0.isEmpty }
      guard columns.count >= 3, columns[0] != "name", !columns[0].contains(" ") else { return nil }
      let reason = columns.count > 3 ? columns[3] : ""
      let rule = reason.prefix { $0.isLetter || $0 == "-" }
      return BrokenGuest(
        workload: "fan-out", name: columns[0], state: columns[2], rule: FanOut.Rule(rawValue: String(rule))?.rawValue,
        needsGate: reason.contains("gated check only"))
    }
  }()

  private static let others: [BrokenGuest] = rules.flatMap { workload, rules in
    rules.map { BrokenGuest(workload: workload, name: $0, state: "wrong", rule: $1, needsGate: false) }
  }

  /// The other workloads' guests by name, and the rule that each breaks. What each does stands with its class.
  private static let rules: KeyValuePairs<String, KeyValuePairs<String, String>> = [
    "timer-storm": [
      "arms-twice": "accounted", "mistakes-timers": "checksum", "fires-early": "early",
      "fires-after-cancel": "after-cancel", "serves-in-turn": "outstanding", "notes-deadlines": "pacer",
      "forgets-lateness": "lateness", "uses-callbacks": "units", "drops-wake-ups": "window", "claims-more": "window",
      "leaves-out-count": "balance",
    ],
    "pipeline": [
      "loses-item": "conservation", "delivers-twice": "conservation", "swaps-neighbours": "order",
      "crosses-lanes": "order", "skips-stage": "checksum", "skips-work": "checksum", "exceeds-capacity": "gate",
      "runs-inline": "gate", "forgets-latency": "latency", "merges-stages": "units", "claims-more": "window",
      "leaves-out-count": "balance",
    ],
    "blocking-mix": [
      "loses-request": "answered-once", "answers-twice": "answered-once", "skips-work": "checksum",
      "does-not-block": "blocked", "runs-hogs-inline": "offload", "wrong-frame": "frames", "moves-unasked": "balance",
      "leaves-open": "left-open",
    ],
    "spawn-tree": [
      "loses-leaf": "sum", "counts-twice": "sum", "creates-fewer-units": "units", "abandons-child": "units",
      "runs-inline": "gate", "ignores-gate": "gate", "closes-mid-tree": "window", "claims-more": "window",
      "leaves-out-count": "balance",
    ],
    "ping-pong": [
      "loses-token": "hand-overs", "doubles-token": "turn", "crosses-pairs": "turn", "counts-in-twos": "checksum",
      "plays-both-sides": "units", "starts-early": "gate", "claims-more": "window", "leaves-out-count": "balance",
    ],
    "brigade": [
      "loses-token": "hops", "doubles-token": "hops", "skips-unit": "turn", "turns-back": "turn",
      "forgets-to-count": "checksum", "starts-fewer-units": "units", "starts-early": "gate", "avoids-pipes": "pipes",
      "leaves-pipes-open": "pipes", "claims-more": "window", "leaves-out-count": "balance",
    ],
    "parked": [
      "starts-fewer-units": "units", "does-not-wait": "parked", "parks-in-batches": "parked",
      "drops-wake-up": "parked", "shares-state": "state", "keeps-no-state": "resident", "wakes-early": "timer",
      "wakes-by-hand": "timer", "claims-more": "window", "leaves-out-count": "balance",
    ],
    "contention": [
      "does-not-lock": "exclusion", "takes-wrong-lock": "exclusion", "writes-after-unlock": "exclusion",
      "counts-twice": "exclusion", "skips-work": "checksum", "never-gives-way": "gate", "starves-unit": "every-unit",
      "starts-fewer-units": "units", "claims-more": "window", "leaves-out-count": "balance",
    ],
    "channel": [
      "loses-item": "conservation", "delivers-twice": "conservation", "reverses-order": "order",
      "repeats-item": "checksum", "starves-producer": "every-producer", "exceeds-capacity": "gate",
      "falls-short-of-capacity": "gate", "keeps-items-aside": "gate", "starts-fewer-units": "units",
      "claims-more": "window", "leaves-out-count": "balance",
    ],
  ]
}
