// The real thing dies: a model in mid-trial, or the harness over it, with hundreds of connections open on all sides.
// (HarnessTests shows the same and more with fakes that die at chosen moments.)

import Foundation
import Glibc
import Testing
import Workloads

extension Conformance {
  @Suite struct FaultTests {
    let folder: TemporaryFolder
    var run: String { folder.path + "/run" }

    init() throws { folder = try TemporaryFolder() }

    /// One trial of each of fan-out's quick cases, with windows long enough to strike within.
    func start(_ model: String, window: String) throws -> RunningCall {
      try Switchyard.start([
        "run", "fan-out", "--anyway", "--model", model, "--rounds", "1", "--window", window, "--warm-up", "0.1",
        "--output", run,
      ])
    }

    /// The model's process once the load has reached it: it then holds its pool of 512 connections to the backend and
    /// the client connections, 64 at least. nil if the call has ended before that was seen.
    func modelUnderLoad(_ model: String, of call: RunningCall) async throws -> RunningProcess? {
      var found: RunningProcess?
      _ = try await eventually {
        found = RunningProcess.children(of: call.pid)
          .first { $0.program == "model-\(model)" && $0.openDescriptors >= 512 + 64 }
        return found != nil || kill(call.pid, 0) != 0
      }
      return found
    }

    @Test(arguments: Switchyard.models)
    func `a model that is killed in mid-trial is crashed, and the run goes on`(model: String) async throws {
      // Where the host stops the test before its blow the trial is over, and where it stops a window nothing was done in
      // it: then once more.
      for attempt in 1...5 {
        try? FileManager.default.removeItem(atPath: run)
        let call = try start(model, window: "2")
        if let process = try await modelUnderLoad(model, of: call) { kill(process.pid, SIGKILL) }
        let end = try await call.end(within: .seconds(300))
        let trials = try RunOnDisk.read(run).trials
        let isTheHosts =
          trials.allSatisfy { $0.state == "ok" } || trials.contains { $0.reason?.contains("completed no") == true }
        if isTheHosts && attempt < 5 { continue }
        #expect(end.status == 1, end.said)
        #expect(trials.count == Workload.fanOut.cases.count { $0.presets.contains(.quick) })
        #expect(trials.count { $0.state == "crashed" } == 1, "\(trials)")
        for trial in trials where trial.state != "ok" {
          #expect(trial.state == "crashed" && trial.reason?.contains("SIGKILL") == true, "\(trial)")
          #expect(trial.operationsPerSecond == nil)
        }
        break
      }
      let validation = try await Switchyard.call("validate", run)
      #expect(validation.status == 0, validation.said)
    }

    @Test(arguments: Switchyard.models)
    func `a harness that is killed leaves neither rig nor model`(model: String) async throws {
      let call = try start(model, window: "120")
      try #require(try await modelUnderLoad(model, of: call) != nil, "no model under load was seen")
      let children = RunningProcess.children(of: call.pid)
      #expect(Set(children.map(\.program)) == ["switchyard-rig", "model-\(model)"])
      call.signal(SIGKILL)
      let end = try await call.end(within: .seconds(120))
      #expect(end.wasKilled)
      let areGone = try await eventually { !children.contains(where: \.isAlive) }
      #expect(areGone, "still alive: \(children.filter(\.isAlive))")
    }
  }
}
