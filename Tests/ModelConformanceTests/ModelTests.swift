// Every model of the package implements every workload, or says why not; and what it implements passes the checks.

import Foundation
import Testing
import Workloads

extension Conformance {
  @Suite struct ModelTests {
    /// An item of `switchyard list models --json`.
    struct Item: Decodable {
      let name: String
      let isGuest: Bool
      let description: ModelDescription?
      let error: String?
    }

    @Test func `every model implements each workload or gives a reason`() async throws {
      let call = try await Switchyard.call("list", "models", "--json")
      try #require(call.status == 0, call.said)
      let items = try JSONDecoder().decode([Item].self, from: Data(call.output.utf8))
      #expect(Set(items.map(\.name)).isSuperset(of: Switchyard.models))
      for item in items {
        #expect(!item.isGuest)
        let description = try #require(item.description, "\(item.name): \(item.error ?? "no error given")")
        #expect(description.model == item.name)
        #expect(!description.idiom.isEmpty)
        for workload in Workload.all {
          let support = description.workloads.filter { $0.workload == workload.name }
          #expect(support.count == 1, "\(item.name) says nothing, or two things, about \(workload.name)")
          for said in support {
            if let reason = said.unsupported { #expect(!reason.isEmpty) }
            #expect(Set(said.variants).isSubset(of: workload.variants.map(\.name)))
          }
        }
      }
    }

    /// Variants too: a variant is a row of its own, and has to do the work like any other.
    @Test(arguments: Switchyard.models, Workload.all.map(\.name))
    func `a model and its variants pass the checks of every workload`(model: String, workload: String) async throws {
      let listing = try await Switchyard.call("list", "models", "--json")
      let item = try JSONDecoder().decode([Item].self, from: Data(listing.output.utf8)).first { $0.name == model }
      let support = item?.description?.workloads.first { $0.workload == workload }
      let rows = [model] + (support?.variants ?? []).map { "\(model):\($0)" }
      let results = try await Verdict.check(workload, rows: rows)
      let checks = try Workload.named(workload).checks
      #expect(results.count == checks.count * rows.count)
      for result in results {
        #expect(result.state == (support?.unsupported == nil ? "ok" : "unsupported"), "\(result)")
      }
    }

    private func shortRun(of model: String, window: String, in folder: String) async throws -> Call {
      try await Switchyard.call(
        "run", "fan-out", "--anyway", "--model", model, "--rounds", "1", "--window", window, "--warm-up", "0.2",
        "--set", "connections=8", "--set", "backendConnections=64", "--set", "rate=300", "--output", folder)
    }

    @Test(arguments: Switchyard.models)
    func `a model's short run is ok in every trial, and validates`(model: String) async throws {
      let folder = try TemporaryFolder()
      let run = folder.path + "/run"
      // Few connections and a low rate, so that a debug build on a busy machine has answers within the window; and a
      // longer window where the host gave no time to that.
      var call = try await shortRun(of: model, window: "0.5", in: run)
      for window in ["5", "30"] {
        guard try RunOnDisk.read(run).trials.contains(where: { $0.reason?.contains("completed no") == true }) else {
          break
        }
        try FileManager.default.removeItem(atPath: run)
        call = try await shortRun(of: model, window: window, in: run)
      }
      #expect(call.status == 0, call.said)
      let result = try RunOnDisk.read(run)
      #expect(result.schemaVersion == 2)
      #expect(result.trials.count == Workload.fanOut.cases.count { $0.presets.contains(.quick) })
      for trial in result.trials {
        #expect(trial.state == "ok", "\(trial)")
        #expect((trial.operationsPerSecond ?? 0) > 0)
        #expect(Set((trial.latencies ?? [:]).keys) == ["all", "added"])
      }
      let validation = try await Switchyard.call("validate", run)
      #expect(validation.status == 0, validation.said)
    }
  }
}
