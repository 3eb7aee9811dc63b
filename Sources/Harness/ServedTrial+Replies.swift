// Waiting for replies, and telling whose fault it is when they do not come.

import Foundation
import Glibc
import ResultFormat
import Workloads

extension ServedTrial {
  // MARK: The rig

  func rigReply(_ name: RigReply.Name, _ pair: Pair, within limit: Duration, watching: Set<Side> = [.rig, .model])
    async throws(TrialEnd) -> RigReply
  {
    let arrival = await inbox.next(from: .rig, watching: watching, until: .now + limit)
    return try await rigReply(name, arrival, pair)
  }

  /// Before there is a model.
  func rigReply(_ name: RigReply.Name, _ rig: ChildProcess, within limit: Duration, watching: Set<Side>)
    async throws(TrialEnd) -> RigReply
  {
    let arrival = await inbox.next(from: .rig, watching: watching, until: .now + limit)
    guard case .line(let line) = arrival else { throw await rigFault(arrival, rig, name) }
    return try decodeRig(line, name)
  }

  func rigReply(_ name: RigReply.Name, _ arrival: Arrival, _ pair: Pair) async throws(TrialEnd) -> RigReply {
    switch arrival {
    case .line(let line):
      do throws(TrialEnd) {
        return try decodeRig(line, name)
      } catch {
        // The rig also fails when the model dies under it: that is the model's doing.
        if await pair.model.exitStatus(within: .milliseconds(500)) != nil { throw await modelEnded(pair) }
        throw error
      }
    case .closed(.model): throw await modelEnded(pair)
    case .malformed(.model, let reason): throw .protocolBroken(reason)
    default: throw await rigFault(arrival, pair.rig, name)
    }
  }

  private func decodeRig(_ line: [UInt8], _ name: RigReply.Name) throws(TrialEnd) -> RigReply {
    guard let reply = try? JSONDecoder().decode(RigReply.self, from: Data(line)) else {
      throw .failed(.voided, "the rig printed '\(quoted(line))', which is no reply")
    }
    if reply.reply == .failure {
      let reason = reply.reason ?? "no reason given"
      // The rig fails while it connects: the model does not take its connections.
      if name == .edge { throw .failed(.timeout, "the rig could not load it: \(reason)") }
      throw .failed(.voided, "the rig failed: \(reason)")
    }
    guard reply.reply == name else {
      throw .failed(.voided, "the rig said '\(reply.reply.rawValue)' where '\(name.rawValue)' was due")
    }
    return reply
  }

  private func rigFault(_ arrival: Arrival, _ rig: ChildProcess, _ name: RigReply.Name) async -> TrialEnd {
    switch arrival {
    case .interrupted: return .interrupted
    case .late: return .failed(.voided, "the rig did not say '\(name.rawValue)' in time")
    case .malformed(_, let reason): return .failed(.voided, "the rig printed \(reason)")
    default:
      // Its last words may lie behind lines that nobody has asked for yet.
      for line in inbox.unread(from: .rig) {
        if let reply = try? JSONDecoder().decode(RigReply.self, from: Data(line)), reply.reply == .failure {
          return .failed(.voided, "the rig failed: \(reply.reason ?? "no reason given")")
        }
      }
      let status = await rig.exitStatus(within: .seconds(2))
      return .failed(.voided, "the rig \(status?.description ?? "closed its standard output") before it was done")
    }
  }

  // MARK: The model

  func modelReply(_ name: ModelReply.Name, _ pair: Pair, within limit: Duration) async throws(TrialEnd) -> ModelReply {
    let arrival = await inbox.next(from: .model, watching: [.rig, .model], until: .now + limit)
    switch arrival {
    case .line(let line): return try decodeModel(line, name)
    case .closed(.model): throw await modelEnded(pair)
    case .malformed(.model, let reason): throw .protocolBroken(reason)
    case .late: throw .failed(.timeout, "gave no '\(name.rawValue)' within \(limit.words)")
    case .interrupted: throw .interrupted
    case .closed(.rig), .malformed(.rig, _):
      throw await rigFault(arrival, pair.rig, .drained)
    }
  }

  private func decodeModel(_ line: [UInt8], _ name: ModelReply.Name) throws(TrialEnd) -> ModelReply {
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
    return .failed(state, "gave up: \(failure.reason)\(reached)")
  }

  /// Why the model's output has ended too early. Its own last words come before the status of its process.
  func modelEnded(_ pair: Pair) async -> TrialEnd {
    for line in inbox.unread(from: .model) {
      if let reply = try? JSONDecoder().decode(ModelReply.self, from: Data(line)), reply.reply == .failure {
        return declared(reply.failure)
      }
    }
    switch await pair.model.exitStatus(within: .seconds(2)) {
    case nil: return .protocolBroken("closed its standard output and went on running")
    case .exited(0): return .failed(.crashed, "exited with status 0 before it had printed its result")
    case .signalled(SIGKILL):
      if let before = pair.kills, let after = Probe.outOfMemoryKills(), after > before {
        return .failed(.outOfMemory, "was killed by the kernel for want of memory")
      }
      return .failed(.crashed, "was killed by \(signalName(SIGKILL))")
    case .exited(127):
      return .failed(.crashed, "exited with status 127: it may not have been started at all")
    case let status?: return .failed(.crashed, status.description)
    }
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
