// What `switchyard check --json` says.

import Foundation
import Testing

/// How one row did in one check.
struct Verdict: Decodable {
  struct Finding: Decodable {
    let rule: String
    let message: String
  }
  let model: String
  let variant: String?
  let check: String
  let state: String
  let reason: String?
  let findings: [Finding]

  /// Checks these rows; the exit status must agree with what is said.
  /// - Parameter rows: as after `--model`.
  /// - Parameter guests: as after `--guest`.
  static func check(_ workload: String, rows: [String], guests: [String] = []) async throws -> [Verdict] {
    let arguments = guests.flatMap { ["--guest", $0] } + rows.flatMap { ["--model", $0] }
    let call = try await Switchyard.start(["check", workload, "--json"] + arguments).end(within: .seconds(180))
    let verdicts: [Verdict]
    do {
      verdicts = try JSONDecoder().decode([Verdict].self, from: Data(call.output.utf8))
    } catch {
      Issue.record("\(error)\n\(call.said)")
      return []
    }
    let isClean = verdicts.allSatisfy { $0.state == "ok" || $0.state == "unsupported" }
    #expect(call.status == (isClean ? 0 : 1), call.said)
    return verdicts
  }
}
