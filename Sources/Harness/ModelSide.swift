// The model's side of a trial's conversation, which served and in-process trials have in common: waiting for its
// replies, watching its process, judging what it counted, and telling why it ended where it ends too early.

import CLinux
import Foundation
import Glibc
import ResultFormat
import Workloads

struct ModelSide: Sendable {
  let order: TrialOrder
  let process: ChildProcess
  let inbox: Inbox
  /// In a served trial: its end is no fault of the model.
  let rig: RigSide?
  /// The kernel's count of its kills for want of memory when the trial began.
  let outOfMemoryKills: Int?
  /// Nil in a timed trial.
  let probes: AttachedProbes?

  var probe: Probe { Probe(pid: process.pid) }
  private var watched: Set<Side> { rig == nil ? [.model] : [.rig, .model] }

  /// Runs the model's process through a conversation. It is gone when this returns.
  /// - Throws: ``HarnessError`` if the process could not be started at all.
  static func run(
    _ order: TrialOrder, _ executables: Executables, inbox: Inbox, files: TrialFiles, rig: RigSide? = nil,
    outOfMemoryKills: Int?,
    _ converse: @escaping @Sendable (ModelSide, inout Observation) async throws(TrialEnd) -> Void
  ) async throws(HarnessError) -> Result<Observation, TrialEnd> {
    let command = Command(program: order.model.path, processors: order.modelProcessors)
    return try await ChildProcess.run(
      command, as: .model, launcher: executables.launcher, inbox: inbox, standardError: files.modelError,
      transcript: files.replies, grace: .seconds(1)
    ) { process in
      let probes: AttachedProbes?
      do throws(ProbeRefusal) {
        probes = try order.probes.isEmpty ? nil : AttachedProbes(process.pid, order.probes)
      } catch {
        return .failure(.failed(.voided, "it cannot be probed: \(error.reason)"))
      }
      let model = ModelSide(
        order: order, process: process, inbox: inbox, rig: rig, outOfMemoryKills: outOfMemoryKills, probes: probes)
      var seen = Observation()
      do throws(TrialEnd) {
        try await converse(model, &seen)
        try await model.leave()
        try model.judge(seen)
        return .success(seen)
      } catch {
        var end = error
        end.evidence = seen
        return .failure(end)
      }
    }
  }

  func send(_ command: ModelCommand) async { await process.send(command) }

  // MARK: Replies

  /// - Parameter due: what is waited for, in words, where the reply's name does not say it.
  func reply(_ name: ModelReply.Name, within limit: Duration, due: String? = nil) async throws(TrialEnd) -> ModelReply {
    try await reply(
      name, await inbox.next(from: .model, watching: watched, until: .now + limit), within: limit, due: due)
  }

  func reply(_ name: ModelReply.Name, _ arrival: Arrival, within limit: Duration, due: String? = nil)
    async throws(TrialEnd) -> ModelReply
  {
    switch arrival {
    case .line(let line): return try decode(line, name)
    case .closed(.model): throw await ended()
    case .malformed(.model, let reason): throw .protocolBroken(reason)
    case .late: throw .failed(.timeout, "gave no \(due ?? "'\(name.rawValue)'") within \(limit.words)")
    case .interrupted: throw .interrupted
    case .closed(.rig), .malformed(.rig, _):
      guard let rig else { preconditionFailure("nobody watches a rig that is not there") }
      throw await rig.fault(arrival, awaiting: .drained)
    }
  }

  private func decode(_ line: [UInt8], _ name: ModelReply.Name) throws(TrialEnd) -> ModelReply {
    let reply: ModelReply
    do {
      reply = try JSONDecoder().decode(ModelReply.self, from: Data(line))
    } catch {
      throw .protocolBroken("printed '\(quoted(line))' where '\(name.rawValue)' was due")
    }
    if reply.reply == .failure { throw declared(reply.failure) }
    guard reply.reply == name else {
      throw .protocolBroken("said '\(reply.reply.rawValue)' where '\(name.rawValue)' was due")
    }
    return reply
  }

  /// What the model says of itself.
  private func declared(_ failure: ModelFailure?) -> TrialEnd {
    guard let failure else { return .protocolBroken("'failure' came without saying which") }
    let reached = failure.reached.map { " (reached \($0))" } ?? ""
    let state: TrialState =
      switch failure.state {
      case .unsupported: .unsupported
      case .limit: .limit
      case .outOfMemory: .outOfMemory
      case .failed: .crashed
      }
    var end = TrialEnd.failed(state, "gave up: \(failure.reason)\(reached)")
    if state == .limit { end.reached = failure.reached }
    return end
  }

  /// Why the model's output has ended too early. Its own last words come before the status of its process.
  func ended() async -> TrialEnd {
    for line in inbox.unread(from: .model) {
      if let reply = try? JSONDecoder().decode(ModelReply.self, from: Data(line)), reply.reply == .failure {
        return declared(reply.failure)
      }
    }
    switch await process.exitStatus(within: order.deadlines.exit) {
    case nil: return .protocolBroken("closed its standard output and went on running")
    case .exited(0): return .failed(.crashed, "exited with status 0 before it had printed its result")
    case .signalled(SIGKILL):
      if let before = outOfMemoryKills, let after = Probe.outOfMemoryKills(), after > before {
        return .failed(.outOfMemory, "was killed by the kernel for want of memory")
      }
      return .failed(.crashed, "was killed by \(signalName(SIGKILL))")
    case .exited(127):
      return .failed(.crashed, "exited with status 127: it may not have been started at all")
    case let status?: return .failed(.crashed, status.description)
    }
  }

  // MARK: The window

  /// What a reply to an edge, or an unasked one, says; together with the clock that others see.
  func reading(_ reply: ModelReply, of edge: Edge) throws(TrialEnd) -> EdgeReading {
    let outside = probe.processorNanoseconds().map {
      EdgeReading.Reading(processorNanoseconds: $0, monotonicNanoseconds: clinux_monotonic_ns())
    }
    guard reply.edge == edge else {
      throw .protocolBroken("answered edge '\(edge.rawValue)' with '\(reply.edge?.rawValue ?? "none")'")
    }
    guard let usage = reply.usage else { throw .protocolBroken("answered edge '\(edge.rawValue)' without its usage") }
    return EdgeReading(usage: usage, outside: outside, probes: probes?.read())
  }

  /// Waits for whoever owns the window to say that it closes, and samples the threads meanwhile: one short look every
  /// 100 ms. In a served trial the harness shares the rig's processor, and sleeps on it while a window is open.
  func watch(_ side: Side, until deadline: ContinuousClock.Instant, _ seen: inout Observation) async throws(TrialEnd)
    -> Arrival
  {
    while true {
      let status = probe.status()
      seen.peakThreadsSampled = max(seen.peakThreadsSampled ?? 0, status.threads ?? 0)
      if status.state == "Z" { throw await ended() }
      let arrival = await inbox.next(from: side, watching: watched, until: min(deadline, .now + .milliseconds(100)))
      if arrival == .late && ContinuousClock.now < deadline { continue }
      return arrival
    }
  }

  /// What the process holds at the window's end.
  func observeClosing(_ seen: inout Observation) {
    seen.closing = probe.status()
    seen.peakThreadsSampled = max(seen.peakThreadsSampled ?? 0, seen.closing.threads ?? 0)
  }

  // MARK: The end

  /// After its result a model has nothing to say and, at the end of its input, nothing to do.
  private func leave() async throws(TrialEnd) {
    await process.closeInput()
    switch await process.exitStatus(within: order.deadlines.exit) {
    case .exited(0): break
    case nil:
      throw .failed(
        .timeout, "did not exit within \(order.deadlines.exit.words) after its result and the end of its input")
    case let status?: throw .failed(.crashed, "\(status) after its result")
    }
    if let extra = inbox.unread(from: .model).first {
      throw .protocolBroken("printed '\(quoted(extra))' after its result")
    }
  }

  private func judge(_ seen: Observation) throws(TrialEnd) {
    var findings = order.workload.judge(order.evidence(seen))
    if let least = order.leastOperations, let operations = seen.operations, operations < least, findings.isEmpty {
      findings.append(
        Finding("window", "counted \(operations) operations in the window, this check takes at least \(least)"))
    }
    guard findings.isEmpty else { throw .wrong(findings) }
  }
}

/// The start of a line, fit to be quoted.
func quoted(_ line: [UInt8]) -> String {
  let text = String(decoding: line.prefix(120), as: UTF8.self)
  let plain = String(text.map { $0.isNewline || $0 == "\u{1B}" ? " " : $0 })
  return line.count > 120 ? plain + "…" : plain
}

extension Duration {
  var nanoseconds: UInt64 { UInt64(max(0, self / .nanoseconds(1))) }
  var seconds: Double { self / .seconds(1) }
  /// `10 s`, `250 ms`.
  var words: String {
    let value = seconds
    if value >= 1 { return value == value.rounded() ? "\(Int(value)) s" : "\((value * 10).rounded() / 10) s" }
    return "\(Int((value * 1000).rounded())) ms"
  }
}
