// The conversation of one trial of an in-process workload: the model drives itself and owns the window, so there is no
// rig, and the edges come unasked. Every wait has a deadline:
//
//     harness                                    model
//     trial -----------------------------------> ready (nothing of the workload exists yet)
//     (PSS, idle; the kernel's memory; reset of the peak)
//     begin -----------------------------------> builds what the case needs, and works
//     usage <----------------------------------- edge open
//     (threads, every 100 ms)
//     usage <----------------------------------- edge close, keeping everything that it holds
//     (RSS, threads, page tables, the kernel's memory, PSS)
//     drain -----------------------------------> result
//     end of file

import ResultFormat
import Workloads

struct InProcessTrial: Sendable {
  let order: TrialOrder
  let executables: Executables
  let inbox: Inbox
  let files: TrialFiles

  private var deadlines: TrialOrder.Deadlines { order.deadlines }

  /// Runs the trial and judges it. The process is gone when it returns.
  /// - Throws: ``HarnessError`` if the process could not be started at all.
  func run() async throws(HarnessError) -> Result<Observation, TrialEnd> {
    try await ModelSide.run(
      order, executables, inbox: inbox, files: files, outOfMemoryKills: Probe.outOfMemoryKills()
    ) { model, seen throws(TrialEnd) in
      await model.send(.trial(order.request()))
      _ = try await model.reply(.ready, within: deadlines.ready)
      seen.idlePSSBytes = model.probe.proportionalSetBytes()
      let kernelBytes = Probe.hostKernelBytes()
      model.probe.resetPeak()
      do throws(TrialEnd) {
        try await watchWindow(model, kernelBytes: kernelBytes, &seen)
        try await drain(model, &seen)
      } catch {
        throw afterHang(error)
      }
    }
  }

  private func watchWindow(_ model: ModelSide, kernelBytes: Int?, _ seen: inout Observation) async throws(TrialEnd) {
    let kernelThreads = HostLoad.kernelThreads()
    await model.send(.begin)
    let opening = order.warmUp + deadlines.work
    seen.open = try model.reading(try await model.reply(.edge, within: opening, due: "opening edge"), of: .open)
    let hostAtOpen = HostLoad.Edge(of: [model.process.pid], kernelThreads: kernelThreads)

    // Whatever was started is finished whole, beyond the window's length.
    let closing = order.window + deadlines.work
    let arrival = try await model.watch(.model, until: .now + closing, &seen)
    let reply = try await model.reply(.edge, arrival, within: closing, due: "closing edge")
    model.observeClosing(&seen)
    seen.close = try model.reading(reply, of: .close)
    if let before = hostAtOpen, let after = HostLoad.Edge(of: [model.process.pid], kernelThreads: kernelThreads) {
      seen.host = after.figures(since: before, isServed: false)
    }
    if let before = kernelBytes, let after = Probe.hostKernelBytes() { seen.kernelGrowthBytes = after - before }
    seen.steadyPSSBytes = model.probe.proportionalSetBytes()
    guard let interval = seen.interval else {
      throw .protocolBroken("its edges are in disorder: it closed its window at or before the moment it opened it")
    }
    seen.windowNanoseconds = interval.close.monotonicNanoseconds - interval.open.monotonicNanoseconds
  }

  private func drain(_ model: ModelSide, _ seen: inout Observation) async throws(TrialEnd) {
    await model.send(.drain)
    let result = try await model.reply(.result, within: deadlines.drain)
    guard let ledger = result.ledger else { throw .protocolBroken("'result' came without a ledger") }
    guard let operations = result.operations else { throw .protocolBroken("'result' came without operations") }
    guard operations >= 0 else { throw .protocolBroken("'result' has \(operations) operations") }
    seen.modelLedger = ledger
    seen.counters = result.counters
    seen.operations = operations
    seen.openSockets = model.probe.openTCPSockets()
    for (name, recorded) in result.latencies ?? [:] {
      do {
        seen.latencies[name] = try LatencySummary(recorded: recorded)
      } catch {
        throw .protocolBroken("'result' has latencies '\(name)' that are none: \(error)")
      }
    }
    for measure in result.measures ?? [] {
      guard measure.value.isFinite, measure.value >= 0, !seen.measures.contains(where: { $0.name == measure.name })
      else { throw .protocolBroken("'result' has the measure '\(measure.name)' twice, or of \(measure.value)") }
      seen.measures.append(measure)
    }
  }

  /// In a gated check units wait for each other, or for a sink that stands still. A model that comes to a standstill
  /// there has run them one after another, or let them wait where they must not.
  private func afterHang(_ end: TrialEnd) -> TrialEnd {
    guard order.isGated, end.cause == .failed(.timeout),
      let gate = order.workload.rules.first(where: { $0.name == "gate" })
    else { return end }
    return end.adding([Finding("gate", "the trial came to a standstill; the rule: \(gate.meaning)")])
  }
}
