// The rig's side of a served trial's conversation: waiting for its replies, and telling whose fault it is when they do
// not come.

import Foundation
import Glibc
import ResultFormat
import Workloads

struct RigSide: Sendable {
  let process: ChildProcess
  let inbox: Inbox

  func send(_ command: RigCommand) async { await process.send(command) }

  /// Where the model is not to blame for anything: it is not there yet, or is done.
  func reply(_ name: RigReply.Name, within limit: Duration) async throws(TrialEnd) -> RigReply {
    let arrival = await inbox.next(from: .rig, watching: [.rig], until: .now + limit)
    guard case .line(let line) = arrival else { throw await fault(arrival, awaiting: name) }
    return try decode(line, name)
  }

  func reply(_ name: RigReply.Name, within limit: Duration, blaming model: ModelSide) async throws(TrialEnd) -> RigReply
  {
    let arrival = await inbox.next(from: .rig, watching: [.rig, .model], until: .now + limit)
    return try await reply(name, arrival, blaming: model)
  }

  func reply(_ name: RigReply.Name, _ arrival: Arrival, blaming model: ModelSide) async throws(TrialEnd) -> RigReply {
    switch arrival {
    case .line(let line):
      do throws(TrialEnd) {
        return try decode(line, name)
      } catch {
        // The rig also fails when the model dies under it: that is the model's doing.
        if await model.process.exitStatus(within: .milliseconds(500)) != nil { throw await model.ended() }
        throw error
      }
    case .closed(.model): throw await model.ended()
    case .malformed(.model, let reason): throw .protocolBroken(reason)
    default: throw await fault(arrival, awaiting: name)
    }
  }

  private func decode(_ line: [UInt8], _ name: RigReply.Name) throws(TrialEnd) -> RigReply {
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

  /// Why the rig did not say what was due.
  func fault(_ arrival: Arrival, awaiting name: RigReply.Name) async -> TrialEnd {
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
      let status = await process.exitStatus(within: .seconds(30))
      return .failed(.voided, "the rig \(status?.description ?? "closed its standard output") before it was done")
    }
  }
}
