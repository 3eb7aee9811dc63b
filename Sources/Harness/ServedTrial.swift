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

import CLinux
import Glibc
import ResultFormat
import Workloads

struct ServedTrial: Sendable {
  let order: TrialOrder
  let executables: Executables
  let inbox: Inbox
  /// Where the model's and the rig's standard error go, and the lines of the model's conversation.
  let files: Files

  struct Files: Sendable {
    var modelError: BoundedFile
    var rigError: BoundedFile
    var replies: BoundedFile?
  }

  private var deadlines: TrialOrder.Deadlines { order.deadlines }

  /// Runs the trial and judges it. Both processes are gone when it returns.
  /// - Throws: ``HarnessError`` if a process could not be started at all.
  func run() async throws(HarnessError) -> Result<Observation, TrialEnd> {
    let kills = Probe.outOfMemoryKills()
    let rigCommand = Command(program: executables.rig, processors: order.processors.rig)
    let outcome = try await ChildProcess.run(
      rigCommand, as: .rig, launcher: executables.launcher, inbox: inbox, standardError: files.rigError,
      limits: .init(lineBytes: 16 << 20), grace: .seconds(2)
    ) { rig -> Result<Result<Observation, TrialEnd>, HarnessError> in
      do throws(TrialEnd) {
        let port = try await listen(rig)
        return await withModel(rig, backendPort: port, outOfMemoryKills: kills)
      } catch {
        return .success(.failure(error))
      }
    }
    return try outcome.get()
  }

  private func listen(_ rig: ChildProcess) async throws(TrialEnd) -> UInt16 {
    var command = RigCommand(.load)
    command.load = RigLoad(
      workload: order.workload.name, parameters: order.parameters, seed: order.seed,
      warmUpNanoseconds: order.warmUp.nanoseconds, windowNanoseconds: order.window.nanoseconds,
      patienceNanoseconds: deadlines.patience.nanoseconds, operations: order.operations, isGated: order.isGated,
      spins: !order.processors.isShared)
    await rig.send(command)
    guard let port = try await rigReply(.listening, rig, within: deadlines.rig, watching: [.rig]).port else {
      throw .failed(.voided, "the rig did not say where it listens")
    }
    return port
  }

  private func withModel(_ rig: ChildProcess, backendPort: UInt16, outOfMemoryKills: Int?) async
    -> Result<Result<Observation, TrialEnd>, HarnessError>
  {
    let command = Command(program: order.model.path, processors: order.processors.model)
    do throws(HarnessError) {
      return .success(
        try await ChildProcess.run(
          command, as: .model, launcher: executables.launcher, inbox: inbox, standardError: files.modelError,
          transcript: files.replies, grace: .seconds(1)
        ) { model in
          do throws(TrialEnd) {
            return .success(try await converse(Pair(rig: rig, model: model, kills: outOfMemoryKills), backendPort))
          } catch {
            return .failure(error)
          }
        })
    } catch {
      return .failure(error)
    }
  }

  /// The two processes, and the kernel's count of its kills when they were started.
  struct Pair: Sendable {
    let rig: ChildProcess
    let model: ChildProcess
    let kills: Int?
  }

  // MARK: The script

  private func converse(_ pair: Pair, _ backendPort: UInt16) async throws(TrialEnd) -> Observation {
    var seen = Observation()
    do throws(TrialEnd) {
      try await connect(pair, backendPort, &seen)
      try await watchWindow(pair, &seen)
      try await drain(pair, &seen)
      try await leave(pair)
    } catch {
      var end = error
      end.evidence = seen
      throw end
    }
    let findings = order.workload.judge(evidence(seen))
    if findings.isEmpty { return seen }
    var end = TrialEnd.wrong(findings)
    end.evidence = seen
    throw end
  }

  private func connect(_ pair: Pair, _ backendPort: UInt16, _ seen: inout Observation) async throws(TrialEnd) {
    let probe = Probe(pid: pair.model.pid)
    await pair.model.send(
      ModelCommand.trial(
        TrialRequest(
          workload: order.workload.name, variant: order.variant, parameters: order.parameters, seed: order.seed,
          workers: order.processors.workers, backendPort: backendPort)))
    let ready = try await modelReply(.ready, pair, within: deadlines.ready)
    guard let port = ready.port else { throw .protocolBroken("'ready' came without the port on which it listens") }
    if probe.isListening(on: port) == false {
      throw .protocolBroken("'ready' names the port \(port), on which nothing listens")
    }
    seen.idlePSSBytes = probe.proportionalSetBytes()
    var command = RigCommand(.connect)
    command.port = port
    await pair.rig.send(command)
  }

  private func watchWindow(_ pair: Pair, _ seen: inout Observation) async throws(TrialEnd) {
    let probe = Probe(pid: pair.model.pid)
    let patience = deadlines.patience + deadlines.load
    let opening = try await rigReply(.edge, pair, within: order.warmUp + patience)
    guard opening.edge == .open else { throw .failed(.voided, "the rig closed a window that it had not opened") }
    await pair.model.send(ModelCommand.edge(.open))
    probe.resetPeak()
    seen.open = try await edge(.open, pair)

    let deadline = ContinuousClock.now + order.window + patience
    var peak = 0
    while true {
      // One short look every 100 ms: the harness shares the rig's processor, and sleeps on it while a window is open.
      let status = probe.status()
      peak = max(peak, status.threads ?? 0)
      if status.state == "Z" { throw await modelEnded(pair) }
      let arrival = await inbox.next(
        from: .rig, watching: [.rig, .model], until: min(deadline, .now + .milliseconds(100)))
      if arrival == .late && ContinuousClock.now < deadline { continue }
      let closing = try await rigReply(.edge, arrival, pair)
      guard closing.edge == .close else { throw .failed(.voided, "the rig opened its window twice") }
      break
    }
    await pair.model.send(ModelCommand.edge(.close))
    seen.closing = probe.status()
    seen.peakThreadsSampled = max(peak, seen.closing.threads ?? 0)
    seen.close = try await edge(.close, pair)
    seen.steadyPSSBytes = probe.proportionalSetBytes()
  }

  private func edge(_ edge: Edge, _ pair: Pair) async throws(TrialEnd) -> EdgeReading {
    let reply = try await modelReply(.edge, pair, within: deadlines.edge)
    let outside = Probe(pid: pair.model.pid).processorNanoseconds().map {
      EdgeReading.Reading(processorNanoseconds: $0, monotonicNanoseconds: clinux_monotonic_ns())
    }
    guard reply.edge == edge else {
      throw .protocolBroken("answered edge '\(edge.rawValue)' with '\(reply.edge?.rawValue ?? "none")'")
    }
    guard let usage = reply.usage else { throw .protocolBroken("answered edge '\(edge.rawValue)' without its usage") }
    return EdgeReading(usage: usage, outside: outside)
  }

  private func drain(_ pair: Pair, _ seen: inout Observation) async throws(TrialEnd) {
    // The rig gives up patience after the last progress, once more after opening its gates, and once for the drain.
    _ = try await rigReply(.drained, pair, within: deadlines.patience * 3 + deadlines.load)
    await pair.model.send(ModelCommand.drain)
    do throws(TrialEnd) {
      let result = try await modelReply(.result, pair, within: deadlines.drain)
      guard let ledger = result.ledger else { throw .protocolBroken("'result' came without a ledger") }
      seen.modelLedger = ledger
      seen.counters = result.counters
      seen.openSockets = Probe(pid: pair.model.pid).openTCPSockets()
      seen.rig = try await finish(pair)
    } catch  where error.cause == .failed(.timeout) {
      // A model that hangs because it broke the contract has left its traces at the other end of the sockets.
      seen.rig = try await finish(pair)
      throw afterHang(error, seen)
    }
  }

  private func finish(_ pair: Pair) async throws(TrialEnd) -> RigResult {
    await pair.rig.send(RigCommand(.finish))
    let reply = try await rigReply(.result, pair, within: deadlines.rig, watching: [.rig])
    guard let result = reply.result else { throw .failed(.voided, "the rig's result is empty") }
    return result
  }

  /// What the rig's counts say about a model that never printed its result.
  private func afterHang(_ end: TrialEnd, _ seen: Observation) -> TrialEnd {
    // Without the model's ledger every rule that rests on it is broken; those say nothing new.
    let silent = order.workload.judge(evidence(Observation()))
    let known = Set(silent.map(\.rule))
    let findings = order.workload.judge(evidence(seen)).filter { !known.contains($0.rule) }
    guard !findings.isEmpty else { return end }
    var hang = end
    hang.findings = findings
    hang.reason += "; " + findings.map(\.description).joined(separator: "; ")
    return hang
  }

  /// After its result a model has nothing to say and, at the end of its input, nothing to do.
  private func leave(_ pair: Pair) async throws(TrialEnd) {
    await pair.model.closeInput()
    switch await pair.model.exitStatus(within: deadlines.exit) {
    case .exited(0): break
    case nil:
      throw .failed(
        .timeout, "did not exit within \(deadlines.exit.words) after its result and the end of its input")
    case let status?: throw .failed(.crashed, "\(status) after its result")
    }
    if let extra = inbox.unread(from: .model).first {
      throw .protocolBroken("printed '\(quoted(extra))' after its result")
    }
  }

  private func evidence(_ seen: Observation) -> Evidence {
    Evidence(
      parameters: order.parameters, variant: order.variant, isGated: order.isGated, model: seen.modelLedger ?? [:],
      rig: seen.rig?.ledger ?? [:], openSockets: seen.openSockets)
  }
}
