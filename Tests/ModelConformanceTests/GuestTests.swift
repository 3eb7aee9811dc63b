// Guests: those that were written from PROTOCOL.md alone pass; those that break the contract are caught, by the rule's
// name, with counts, and none of them becomes a number. What breaks what stands in BrokenGuest.swift.

import Foundation
import Testing
import Workloads

extension Conformance {
  @Suite struct GuestTests {
    @Test(arguments: Workload.all.map(\.name))
    func `the Python guest, written from PROTOCOL.md alone, passes every check`(workload: String) async throws {
      let file = workload == "fan-out" ? "fan_out_guest.py" : workload.replacing("-", with: "_") + ".py"
      let guests = ["python=" + Switchyard.guest(file)]
      let results = try await Verdict.check(workload, rows: ["python"], guests: guests)
      #expect(results.count == (try Workload.named(workload).checks.count))
      for result in results { #expect(result.state == "ok", "\(result.lastWords)") }
    }

    @Test(arguments: Workload.all.map(\.name))
    func `every rule has a guest that breaks it, and every broken guest a line that says how it must be caught`(
      workload: String
    ) throws {
      let guests = BrokenGuest.all.filter { $0.workload == workload }
      let links = try FileManager.default.contentsOfDirectory(atPath: Switchyard.guest("broken/\(workload)"))
      #expect(guests.map(\.name).sorted() == links.sorted())
      #expect(Set(guests.compactMap(\.rule)) == Set(try Workload.named(workload).rules.map(\.name)))
    }

    @Test(arguments: BrokenGuest.all.filter { $0.rule != nil })
    func `a guest that breaks a rule fails the checks, and the rule is named with counts`(guest: BrokenGuest)
      async throws
    {
      // Many come to a standstill by what they break, and are waited for as long as patience lasts. Where the usual
      // patience has it that they break just what they are to break, they do; where it has it that they break something
      // else, which a host that stands still may be the cause of, a generous one decides.
      var results = try await Verdict.check(
        guest.workload, rows: [guest.name], guests: [guest.argument], patience: .usual)
      if !guest.isCaught(in: results) && results.contains(where: { $0.state != "ok" }) {
        results = try await Verdict.check(guest.workload, rows: [guest.name], guests: [guest.argument])
      }
      let failures = results.filter { $0.state != "ok" }
      #expect(failures.contains { $0.findings.contains { $0.rule == guest.rule } }, "\(results)")
      for result in failures {
        #expect(guest.statesInCheck.contains(result.state), "\(result.lastWords)")
        #expect(result.findings.allSatisfy { result.reason?.contains($0.rule) == true }, "\(result)")
        for finding in result.findings where finding.rule == guest.rule && result.state == "wrong" {
          let hasCount = finding.message.contains(where: \.isNumber) || finding.message.contains("lacks")
          #expect(hasCount, "\(finding)")
        }
      }
    }

    /// All of fan-out's in one run, each with one short trial of an ungated case. Those that were not done in time, which
    /// the host may be the cause of, run once more; the third time decides.
    @Test func `a run with broken guests goes on to its end, names their states, and has no number for them`()
      async throws
    {
      let folder = try TemporaryFolder()
      var guests = BrokenGuest.all.filter { $0.workload == "fan-out" }
      for attempt in 1...3 where !guests.isEmpty {
        let run = "\(folder.path)/run-\(attempt)"
        let arguments =
          [
            "run", "fan-out/closed", "--anyway", "--rounds", "1", "--window", "1.5", "--warm-up", "0.1", "--output",
            run,
          ]
          + ["--set", "connections=8", "--set", "backendConnections=64"]
          + guests.flatMap { ["--guest", $0.argument, "--model", $0.name] }
        let call = try await Switchyard.start(arguments).end(within: .seconds(1_200))
        let trials = try RunOnDisk.read(run).trials
        #expect(call.status == (trials.allSatisfy { $0.state == "ok" } ? 0 : 1), call.said)
        #expect(trials.map(\.model).sorted() == guests.map(\.name).sorted())
        for state in Set(trials.map(\.state)).subtracting(["ok"]) {
          for keys in try RunOnDisk.keys(ofTrialsIn: run, state: state) {
            #expect(keys.isDisjoint(with: ["operations", "operationsPerSecond", "latencies", "memory", "cpu", "rig"]))
          }
        }
        let validation = try await Switchyard.call("validate", run)
        #expect(validation.status == 0, validation.said)
        let deviating = trials.filter { trial in !guests.contains { $0.name == trial.model && $0.ends(as: trial) } }
        for trial in deviating { #expect(trial.state == "timeout" && attempt < 3, "\(trial)") }
        guests.removeAll { guest in !deviating.contains { $0.model == guest.name } }
      }
    }
  }
}
