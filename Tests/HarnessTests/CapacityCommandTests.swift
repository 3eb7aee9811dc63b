// switchyard capacity as a user meets it: messages, files and exit statuses.

import Foundation
import ResultFormat
import Subprocess
import Testing
import Workloads

@testable import Harness

@Suite struct CapacityCommandTests {
  @Test(arguments: [
    (["capacity", "fan-out"], "Error: Missing expected argument '--slo <objective>'"),
    (["capacity", "fan-out", "--slo", "fast"], "switchyard: 'fast' is no service objective: expected a percentile "),
    (
      ["capacity", "parked", "--slo", "p99<1ms"], "switchyard: 'parked' has no offered rate to vary: there is fan-out, "
    ),
    (["capacity", "fan-out", "--slo", "p99<1ms", "--window", "0"], "Error: '0.0' is no window: expected 0.1 to 3600"),
    (["capacity", "fan-out", "--slo", "p99<1ms", "--model", "nobody"], "switchyard: 'nobody' is not a model: "),
  ]) func `a wrong command line ends with status 2 and quotes the value`(_ arguments: [String], _ message: String)
    async throws
  {
    let installation = try installed(["honest"])
    let outcome = try await installation.switchyard(arguments)
    #expect(outcome.status == .exited(2))
    #expect(outcome.error.hasPrefix(message), "\(outcome.error)")
    #expect(outcome.output == "")
  }

  @Test func `a search says how long it takes, prints its tables and leaves its files`() async throws {
    let installation = try installed(rig: queueRig(capacity: 20_000), ["honest"])
    let folder = "\(installation.folder)/search"
    let arguments = [
      "capacity", "fan-out", "--slo", "p99<10ms", "--anyway", "--warm-up", "0", "--window", "1", "--seed", "3",
    ]
    let outcome = try await installation.switchyard(arguments + ["--output", folder])
    #expect(outcome.status == .exited(0), "\(outcome.error)")
    #expect(
      outcome.error.contains("switchyard: capacity of fan-out/fixed-rate under p99<10ms, from 1000 requests/s on "))
    #expect(outcome.error.contains("honest · 1000 requests/s · sustained · p99 was 1.0 ms\n"))
    #expect(outcome.error.contains("honest · 32000 requests/s · missed · p99 was 1"))
    #expect(outcome.output.contains("met (3 of 3)"))
    let result = try RunFiles.readCapacity(from: folder)
    let capacity = try #require(result.models.first?.capacity)
    #expect(capacity.low ?? 0 <= 20_000 && capacity.high ?? .infinity >= 20_000)
    #expect(contents(of: "\(folder)/report.md")?.contains("met (3 of 3)") == true)
    let again = try await installation.switchyard(arguments + ["--output", folder])
    #expect(again.status == .exited(2))
    #expect(again.error.contains("'\(folder)' holds a capacity search already"))
  }

  @Test func `a model without an answer ends with status 1, also as JSON`() async throws {
    let installation = try installed(rig: queueRig(capacity: 9_000, slowest: 11_000_000), ["honest"])
    let outcome = try await installation.switchyard(
      "capacity", "fan-out", "--slo", "p99<10ms", "--anyway", "--warm-up", "0", "--json", "--output",
      "\(installation.folder)/search")
    #expect(outcome.status == .exited(1))
    #expect(outcome.error.contains("1 of 1 models have no answer"))
    let report = try #require(try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
    let models = try #require(report["models"] as? [[String: Any]])
    #expect(models.map { $0["ending"] as? String } == ["below-lowest"])
  }
}
