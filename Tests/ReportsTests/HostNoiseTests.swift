// What the windows lost to others, in the notes under a table.

import ResultFormat
import Testing

@testable import Reports

private func notes(_ change: (inout Run) -> Void) throws -> [String] {
  var run = try fixture()
  change(&run)
  return Document(run).sections[0].notes
}

@Test("the worst window of each kind is noted, also where that is little, and of trials that are ok only")
func worstWindows() throws {
  let found = try notes { run in
    for index in run.trials.indices {
      run.trials[index].host = HostFigures(
        othersProcessors: run.trials[index].state == .ok ? 0.004 * Double(run.trials[index].round) : 2,
        stolenProcessors: 0.03, interruptProcessors: 0.5)
    }
  }
  #expect(
    found.last
      == "Of the host's processors others used 0.01 and the hypervisor took 0.03 within the window, worst trials.")
}

@Test("time for which a quota stopped the trial is noted where there is a quota")
func quota() throws {
  let found = try notes { run in
    run.trials[0].host = HostFigures(
      othersProcessors: 0, stolenProcessors: 0, interruptProcessors: 0, throttledNanoseconds: 7_400_000)
  }
  #expect(
    found.last
      == "Of the host's processors others used 0 and the hypervisor took 0 within the window, worst trials; a quota stopped "
      + "the trial's processes for 7.40 ms.")
}

@Test("a run from before it was recorded says nothing of it, and a busy window takes the claim from speed")
func older() throws {
  #expect(try !notes { _ in }.contains { $0.contains("hypervisor") })
  var run = try fixture()
  for index in run.trials.indices { run.trials[index].warnings.append(.hostBusy) }
  let row = CaseSummary(run.plan.cases[0], of: run).rows[0]
  #expect(row.metrics["throughput"]?.standing != .claimed)
  #expect(row.metrics["latency.added.p50"]?.standing == .noClaim)
}
