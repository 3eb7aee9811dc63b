// Which cases have a rate to vary, and what a search of one is going to do.

import Foundation
import ResultFormat
import Testing
import Workloads

@testable import Harness

@Suite struct CapacityLoadTests {
  @Test func `a rate is set by its parameter`() throws {
    let load = try CapacityLoad("fan-out", changes: ["width": "4"], workers: 1)
    #expect(load.selected.name == "fan-out/fixed-rate+width=4")
    #expect(load.parameter == "rate" && load.ownRate == 2_000 && load.rates == 1...1_000_000)
    #expect(load.parameters(at: 1_500)["rate"] == .number(1_500))
    #expect(load.latencyClass == "all")
    #expect(try CapacityLoad("fan-out/wide", changes: [:], workers: 1).ownRate == 500)
  }

  @Test func `where a load is given in CPU time the rate follows from the workers`() throws {
    let load = try CapacityLoad("blocking-mix", changes: ["hogShare": "0"], workers: 3)
    // 20 us a request: 50,000 a second and worker.
    #expect(load.requestsPerUnit == 150_000)
    #expect(load.ownRate == 0.6 * 150_000)
    #expect(load.parameters(at: 15_000)["offeredLoad"] == .number(0.1))
    #expect(load.latencyClass == "interactive")
    let one = try CapacityLoad("blocking-mix/cpu-offload", changes: [:], workers: 1)
    #expect(abs(one.requestsPerUnit - 1e9 / (0.99 * 20_000 + 0.01 * 10e6)) < 1e-6)
  }

  @Test(
    arguments: [
      ("timer-storm", [:], "'timer-storm' has no offered rate to vary: there is fan-out, blocking-mix"),
      ("pipeline/paced", [:], "'pipeline/paced' has no offered rate to vary: there is fan-out, blocking-mix"),
      ("fanout", [:], "'fanout' is not a workload with an offered rate: there is fan-out, blocking-mix"),
      ("fan-out/open", [:], "'fan-out/open' is not a case with an offered rate: there is fan-out/fixed-rate, "),
      (
        "fan-out/closed", [:], "'fan-out/closed' is a closed loop, in which the model sets the rate: there is fan-out/f"
      ),
      ("fan-out", ["load": "closed"], "'fan-out/fixed-rate+load=closed' is a closed loop, in which the model sets "),
      ("fan-out", ["rate": "5"], "rate is what the search varies: leave --set rate=5 out"),
      ("blocking-mix", ["offeredLoad": "1"], "offeredLoad is what the search varies: leave --set offeredLoad=1 out"),
      ("fan-out", ["width": "65"], "'65' is not a value of width: expected 1 to 64"),
    ] as [(String, [String: String], String)])
  func `what has no rate to vary is refused`(_ subject: String, _ changes: [String: String], _ message: String) {
    let error = #expect(throws: HarnessError.self) { try CapacityLoad(subject, changes: changes, workers: 1) }
    #expect(error?.kind == .usage)
    #expect(error?.description.hasPrefix(message) == true, "\(error?.description ?? "")")
  }
}

@Suite struct CapacityPlanTests {
  private func plan(_ objective: String, _ subject: String = "fan-out", window: Double? = nil) throws -> CapacityPlan {
    try CapacityPlan.make(
      try CapacityLoad(subject, changes: [:], workers: 1), try ServiceObjective(objective), seed: 1,
      windowSeconds: window, processors: ProcessorSets(available: [0, 1]), toleratesBusyHost: false)
  }

  @Test func `four models on fan-out take less than a quarter of an hour`() throws {
    let seconds = try plan("p99<20ms").expectedSeconds(models: 4)
    #expect(seconds < 900 && seconds > 300)
  }

  @Test(arguments: [
    ("p50<1ms", 2.0, 10.0), ("p99<20ms", 2, 500), ("p99<100ms", 5, 200), ("p99.9<1ms", 10, 1_000), ("p99<1s", 10, 100),
  ]) func `the window and the lowest rate follow from the objective`(
    _ objective: String, _ window: Double, _ lowest: Double
  ) throws {
    let plan = try plan(objective)
    #expect(plan.case.windowSeconds == window)
    #expect(plan.lowestRate == lowest)
    #expect(plan.startRate == 1_000)
    #expect(plan.curveWindowSeconds == max(4, window))
  }

  @Test func `a start below the lowest rate is raised to it, and what no rate can tell is refused`() throws {
    #expect(try plan("p99<20ms", "fan-out/wide").startRate == 500)
    #expect(try plan("p99<20ms", window: 0.1).lowestRate == 10_000)
    let error = #expect(throws: HarnessError.self) { try plan("p99.9<1s", "fan-out", window: 0.001) }
    #expect(error?.kind == .usage)
    #expect(error?.description.hasSuffix("(up to 1000000 requests/s): give a longer --window") == true)
  }
}
