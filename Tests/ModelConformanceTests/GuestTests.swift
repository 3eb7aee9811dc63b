// Guests: one that was written from PROTOCOL.md alone passes; those that break the contract are caught, by the rule's
// name, with counts, and none of them becomes a number.

import Foundation
import Testing
import Workloads

extension Conformance {
  @Suite struct GuestTests {
    @Test func `the Python guest, written from PROTOCOL.md alone, passes every check`() async throws {
      let guest = "python=" + Switchyard.guest("fan_out_guest.py")
      let results = try await Verdict.check("fan-out", rows: ["python"], guests: [guest])
      #expect(results.count == Workload.fanOut.checks.count)
      for result in results { #expect(result.state == "ok", "\(result)") }
    }

    @Test func `every broken guest has a line in the table that says how it must be caught`() throws {
      let links = try FileManager.default.contentsOfDirectory(atPath: Switchyard.guest("broken"))
      #expect(Set(BrokenGuest.all.map(\.name)) == Set(links))
      let broken = Set(BrokenGuest.all.compactMap(\.rule))
      #expect(broken == Set(FanOut.Rule.allCases.map(\.rawValue)), "every rule needs a guest that breaks it")
    }

    @Test(arguments: BrokenGuest.all.filter { $0.rule != nil })
    func `a guest that breaks a rule fails the checks, and the rule is named with counts`(guest: BrokenGuest)
      async throws
    {
      let results = try await Verdict.check("fan-out", rows: [guest.name], guests: [guest.argument])
      let named = results.flatMap(\.findings).filter { $0.rule == guest.rule }
      #expect(!named.isEmpty, "\(results)")
      #expect(named.allSatisfy { $0.message.contains(where: \.isNumber) }, "\(named)")
      for result in results where result.state != "ok" {
        #expect(result.state == "wrong", "\(result)")
        #expect(result.reason?.contains(result.findings.first?.rule ?? "-") == true, "\(result)")
      }
    }

    /// All of them in one run, each with one short trial of an ungated case.
    @Test func `a run with broken guests goes on to its end, names their states, and has no number for them`()
      async throws
    {
      let folder = try TemporaryFolder()
      let run = folder.path + "/run"
      let guests = BrokenGuest.all
      let arguments =
        ["run", "fan-out/closed", "--rounds", "1", "--window", "0.5", "--warm-up", "0.1", "--output", run]
        + ["--set", "connections=8", "--set", "backendConnections=64"]
        + guests.flatMap { ["--guest", $0.argument, "--model", $0.name] }
      let call = try await Switchyard.start(arguments).end(within: .seconds(600))
      #expect(call.status == 1, call.said)
      let trials = try RunOnDisk.read(run).trials
      #expect(trials.count == guests.count)
      for trial in trials {
        let guest = try #require(guests.first { $0.name == trial.model })
        #expect(trial.state == guest.stateInRun, "\(trial)")
        if let rule = guest.rule, guest.stateInRun == "wrong" {
          #expect((trial.findings ?? []).contains { $0.rule == rule }, "\(trial)")
        }
      }
      for state in Set(guests.map(\.stateInRun)).subtracting(["ok"]) {
        for keys in try RunOnDisk.keys(ofTrialsIn: run, state: state) {
          #expect(keys.isDisjoint(with: ["operations", "operationsPerSecond", "latencies", "memory", "cpu", "rig"]))
        }
      }
      let validation = try await Switchyard.call("validate", run)
      #expect(validation.status == 0, validation.said)
    }
  }
}

/// A line of the table at the top of Tests/Guests/broken_guest.py.
struct BrokenGuest: Sendable, CustomTestStringConvertible {
  let name: String
  let state: String
  /// The workload's rule that must be named, with the state `wrong`.
  let rule: String?
  /// Whether only a gated check can see it.
  let needsGate: Bool

  var testDescription: String { name }
  /// As after `--guest`.
  var argument: String { "\(name)=\(Switchyard.guest("broken/\(name)"))" }
  var stateInRun: String { needsGate ? "ok" : state }

  /// The table's columns are set apart by two blanks or more: name, what it does, state, rule or reason.
  static let all: [BrokenGuest] = {
    let text = (try? String(contentsOfFile: Switchyard.guest("broken_guest.py"), encoding: .utf8)) ?? ""
    return text.split(separator: "\n").prefix { !$0.hasPrefix("import") }.compactMap { line in
      let columns = line.components(separatedBy: "  ").map { $0.trimmingCharacters(in: .whitespaces) }
        .filter { !$0.isEmpty }
      guard columns.count >= 3, columns[0] != "name", !columns[0].contains(" ") else { return nil }
      let reason = columns.count > 3 ? columns[3] : ""
      let rule = reason.prefix { $0.isLetter || $0 == "-" }
      return BrokenGuest(
        name: columns[0], state: columns[2], rule: FanOut.Rule(rawValue: String(rule))?.rawValue,
        needsGate: reason.contains("gated check only"))
    }
  }()
}
