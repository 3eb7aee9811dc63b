// The conversation of one trial of a served workload, from two fresh processes to two ledgers. Every wait has a
// deadline and watches both processes, so that a trial ends whatever its children do:
//
//     rig                  harness                                    model
//     listening <--------- load
//                          trial -----------------------------------> ready
//                          (PSS, idle)
//     warm-up   <--------- connect
//     edge open ---------> edge open -------------------------------> usage
//     edge close --------> edge close ------------------------------> usage
//                          (RSS, threads, page tables, PSS)
//     drained   ---------> drain -----------------------------------> result
//                          (sockets that the model still holds)
//     result    <--------- finish, then end of file for both

import Glibc
import ResultFormat
import Workloads

struct ServedTrial: Sendable {
  let order: TrialOrder
  let executables: Executables
  let inbox: Inbox
  let files: TrialFiles

  private var deadlines: TrialOrder.Deadlines { order.deadlines }

  /// Runs the trial and judges it. Both processes are gone when it returns.
  /// - Throws: ``HarnessError`` if a process could not be started at all.
  func run() async throws(HarnessError) -> Result<Observation, TrialEnd> {
    let kills = Probe.outOfMemoryKills()
    let rigCommand = Command(program: executables.rig, processors: order.processors.rig)
    let outcome = try await ChildProcess.run(
      rigCommand, as: .rig, launcher: executables.launcher, inbox: inbox, standardError: files.rigError,
      limits: .init(lineBytes: 16 << 20), grace: .seconds(2)
    ) { process -> Result<Result<Observation, TrialEnd>, HarnessError> in
      let rig = RigSide(process: process, inbox: inbox)
      let port: UInt16
      do throws(TrialEnd) {
        port = try await listen(rig)
      } catch {
        return .success(.failure(error))
      }
      do throws(HarnessError) {
        return .success(
          try await ModelSide.run(
            order, executables, inbox: inbox, files: files, rig: rig, outOfMemoryKills: kills
          ) { model, seen throws(TrialEnd) in try await converse(rig, model, backendPort: port, &seen) })
      } catch {
        return .failure(error)
      }
    }
    return try outcome.get()
  }

  private func listen(_ rig: RigSide) async throws(TrialEnd) -> UInt16 {
    var command = RigCommand(.load)
    command.load = RigLoad(
      workload: order.workload.name, parameters: order.parameters, seed: order.seed,
      warmUpNanoseconds: order.warmUp.nanoseconds, windowNanoseconds: order.window.nanoseconds,
      patienceNanoseconds: deadlines.patience.nanoseconds, operations: order.operations, isGated: order.isGated,
      spins: !order.processors.isShared, workers: order.workers,
      iterationsPerMillisecond: order.iterationsPerMillisecond)
    await rig.send(command)
    guard let port = try await rig.reply(.listening, within: deadlines.rig).port else {
      throw .failed(.voided, "the rig did not say where it listens")
    }
    return port
  }

  // MARK: The script

  private func converse(_ rig: RigSide, _ model: ModelSide, backendPort: UInt16, _ seen: inout Observation)
    async throws(TrialEnd)
  {
    var command = RigCommand(.connect)
    command.port = try await start(model, backendPort, &seen)
    // Before the load: to read of all processes takes milliseconds.
    let kernelThreads = HostLoad.kernelThreads()
    await rig.send(command)
    try await watchWindow(rig, model, kernelThreads, &seen)
    try await drain(rig, model, &seen)
  }

  /// - Returns: the port on which the model listens.
  private func start(_ model: ModelSide, _ backendPort: UInt16, _ seen: inout Observation) async throws(TrialEnd)
    -> UInt16
  {
    await model.send(.trial(order.request(backendPort: backendPort)))
    let ready = try await model.reply(.ready, within: deadlines.ready)
    guard let port = ready.port else { throw .protocolBroken("'ready' came without the port on which it listens") }
    if model.probe.isListening(on: port) == false {
      throw .protocolBroken("'ready' names the port \(port), on which nothing listens")
    }
    seen.idlePSSBytes = model.probe.proportionalSetBytes()
    return port
  }

  private func watchWindow(
    _ rig: RigSide, _ model: ModelSide, _ kernelThreads: [pid_t], _ seen: inout Observation
  ) async throws(TrialEnd) {
    let patience = deadlines.patience + deadlines.load
    let opening = try await rig.reply(.edge, within: order.warmUp + patience, blaming: model)
    guard opening.edge == .open else { throw .failed(.voided, "the rig closed a window that it had not opened") }
    await model.send(.edge(.open))
    model.probe.resetPeak()
    seen.open = try await edge(.open, model)
    let processes = [model.process.pid, rig.process.pid]
    let hostAtOpen = HostLoad.Edge(of: processes, kernelThreads: kernelThreads)

    let arrival = try await model.watch(.rig, until: .now + order.window + patience, &seen)
    let closing = try await rig.reply(.edge, arrival, blaming: model)
    guard closing.edge == .close else { throw .failed(.voided, "the rig opened its window twice") }
    await model.send(.edge(.close))
    model.observeClosing(&seen)
    seen.close = try await edge(.close, model)
    if let before = hostAtOpen, let after = HostLoad.Edge(of: processes, kernelThreads: kernelThreads) {
      seen.host = after.figures(since: before, isServed: true)
    }
    seen.steadyPSSBytes = model.probe.proportionalSetBytes()
  }

  private func edge(_ edge: Edge, _ model: ModelSide) async throws(TrialEnd) -> EdgeReading {
    try model.reading(try await model.reply(.edge, within: deadlines.edge), of: edge)
  }

  private func drain(_ rig: RigSide, _ model: ModelSide, _ seen: inout Observation) async throws(TrialEnd) {
    // The rig gives up patience after the last progress, once more after opening its gates, and once for the drain.
    _ = try await rig.reply(.drained, within: deadlines.patience * 3 + deadlines.load, blaming: model)
    await model.send(.drain)
    do throws(TrialEnd) {
      let result = try await model.reply(.result, within: deadlines.drain)
      guard let ledger = result.ledger else { throw .protocolBroken("'result' came without a ledger") }
      seen.modelLedger = ledger
      seen.counters = result.counters
      seen.openSockets = model.probe.openTCPSockets()
      seen.rig = try await finish(rig)
    } catch  where error.cause == .failed(.timeout) {
      // A model that hangs because it broke the contract has left its traces at the other end of the sockets.
      seen.rig = try await finish(rig)
      throw afterHang(error, seen)
    }
  }

  private func finish(_ rig: RigSide) async throws(TrialEnd) -> RigResult {
    await rig.send(RigCommand(.finish))
    guard let result = try await rig.reply(.result, within: deadlines.rig).result else {
      throw .failed(.voided, "the rig's result is empty")
    }
    return result
  }

  /// What the rig's counts say about a model that never printed its result.
  private func afterHang(_ end: TrialEnd, _ seen: Observation) -> TrialEnd {
    // Without the model's ledger every rule that rests on it is broken; those say nothing new.
    let silent = order.workload.judge(order.evidence(Observation()))
    let known = Set(silent.map(\.rule))
    return end.adding(order.workload.judge(order.evidence(seen)).filter { !known.contains($0.rule) })
  }
}
