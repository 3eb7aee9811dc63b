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
  /// Where a failed one's standard error is kept.
  let standardError: String?

  /// The end of its standard error: a guest that is stuck prints where.
  var lastWords: String {
    let text = standardError.flatMap { try? String(contentsOfFile: $0, encoding: .utf8) } ?? ""
    return "\(self)\n\(text.suffix(4_000))"
  }

  enum Patience {
    case usual, generous
    var arguments: [String] { self == .usual ? [] : ["--patience", "30"] }
  }

  /// Checks these rows; the exit status must agree with what is said.
  /// - Parameter rows: as after `--model`.
  /// - Parameter guests: as after `--guest`.
  /// - Parameter patience: usual where a standstill may be expected, for a first look. What decides is generous: a host
  ///   that takes the processors away for seconds must not fail a guest that does its work.
  static func check(
    _ workload: String, rows: [String], guests: [String] = [], patience: Patience = .generous
  ) async throws -> [Verdict] {
    let arguments = guests.flatMap { ["--guest", $0] } + rows.flatMap { ["--model", $0] } + patience.arguments
    let call = try await Switchyard.start(["check", workload, "--json"] + arguments).end(within: .seconds(1_200))
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
