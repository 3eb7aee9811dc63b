// A rig that plays a queue whose capacity is known: it sends nothing and reports at once what an open loop would have
// seen, so that the search is tested on exact truths and in no time.

import Foundation
import ResultFormat
import Workloads

@testable import Harness

/// A rig that finds every model to answer at most `capacity` requests a second: up to that rate each after 1 ms, above it
/// one in ten after a second. Above `limit` the rig itself is saturated.
/// - Parameters:
///   - slowest: the latency below capacity, in nanoseconds.
///   - spoiled: the first trial at a rate within it finds the rig dead.
func queueRig(
  capacity: Double, limit: Double = .infinity, slowest: Int = 1_000_000, spoiled: ClosedRange<Int> = 0...0
) -> String {
  """
  #!/usr/bin/env python3
  import json, os, sys, time
  capacity, limit, slowest = \(number(capacity)), \(number(limit)), \(slowest)
  def say(**reply):
      print(json.dumps(reply), flush=True)
  for line in sys.stdin:
      command = json.loads(line)
      if command["command"] == "load":
          load = command["load"]
          rate = load["parameters"]["rate"]
          width = load["parameters"]["width"]
          if \(spoiled.lowerBound) <= rate <= \(spoiled.upperBound) and not os.path.exists(__file__ + ".spoiled"):
              open(__file__ + ".spoiled", "w").close()
              sys.exit(3)
          say(reply="listening", port=1)
      elif command["command"] == "connect":
          start = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
          end = start + load["windowNanoseconds"]
          say(reply="edge", edge="open", monotonicNanoseconds=start)
          say(reply="edge", edge="close", monotonicNanoseconds=end)
          say(reply="drained")
      elif command["command"] == "finish":
          seconds = (end - start) / 1e9
          offered = max(10, round(rate * seconds))
          answered = min(offered, max(1, round(min(capacity, 1e9) * seconds)))
          late = offered // 10 if rate > capacity else 0
          ledger = {"requestsSent": 20, "requestsAnswered": 20, "subRequestsReceived": 20 * width,
                    "backendConnectionsPeak": 1}
          say(reply="result", result={
              "windowOpenNanoseconds": start, "windowCloseNanoseconds": end, "operations": answered,
              "offered": offered, "latencies": {"all": [[slowest, offered - late], [1000000000, late]]},
              "sendLateness": [[100, offered]], "backendLateness": [[100, offered]],
              "busyNanoseconds": int((end - start) * (0.9 if rate > limit else 0.3)),
              "cpuNanoseconds": end - start, "isComplete": True, "ledger": ledger})
  """
}

private func number(_ value: Double) -> String { value.isFinite ? "\(value)" : "float('inf')" }

/// A search among fake models, in this process, with a staircase and a curve that are short.
struct FakeSearch {
  let installation: FakeInstallation
  let executables: Executables
  let rows: [ModelRow]
  let interruption = Interruption()
  var plan: CapacityPlan
  var deadlines = TrialOrder.Deadlines()
  var idlePatience = Duration.seconds(3)
  var folder: String { "\(installation.folder)/search" }

  init(_ behaviours: [String], rig: String) async throws {
    installation = try FakeInstallation()
    executables = Executables(folder: installation.folder, rig: try installation.write(rig, as: "rig"))
    for behaviour in behaviours { try installation.write(fakeModel, as: "model-\(behaviour)") }
    rows = try ModelCatalogue.rows(
      try await ModelCatalogue(executables, guests: []).describe(executables), named: [])
    // The fakes' load takes no time, so that a machine busy with other tests says nothing of it.
    plan = try CapacityPlan.make(
      try Self.load, try ServiceObjective("p99<10ms"), seed: 1, warmUpSeconds: 0, windowSeconds: 2,
      processors: ProcessorSets(available: []), toleratesBusyHost: true)
    plan.staircaseTrials = 6
    plan.curve = [0.5, 0.8, 1.2]
    plan.checkTrials = 2
  }

  static var load: CapacityLoad {
    get throws { try CapacityLoad("fan-out", changes: [:], workers: 1) }
  }

  func run(_ tell: (CapacityExecution.Event) -> Void = { _ in }) async throws -> CapacityResult {
    try CapacityExecution.makeFolder(folder)
    let processors = ProcessorSets(available: [])
    var execution = CapacityExecution(
      environment: await RunEnvironment.collect(label: "test", processors: processors, watch: nil), plan: plan,
      load: try Self.load, rows: rows, folder: folder,
      runner: TrialRunner(executables: executables, interruption: interruption), processors: processors)
    execution.deadlines = deadlines
    execution.idlePatience = idlePatience
    return try await execution.run(tell)
  }

  /// What is on disk; every verdict in it has been found again.
  func stored() throws -> CapacityResult { try RunFiles.readCapacity(from: folder) }
}
