// The rig on a thread of the test's process, talked to through pipes.

import CLinux
import Foundation
import Glibc
import Workloads

@testable import Rig

final class RigProcess: @unchecked Sendable {
  // The status is written before the group is left and read after it was waited for; everything else is the test's.
  private let input: CInt
  private let output: CInt
  private var unread: [UInt8] = []
  private var status: CInt = -1
  private let done = DispatchGroup()

  init() {
    var toRig: [CInt] = [-1, -1]
    var fromRig: [CInt] = [-1, -1]
    precondition(pipe(&toRig) == 0 && pipe(&fromRig) == 0)
    (input, output) = (toRig[1], fromRig[0])
    let (rigInput, rigOutput) = (toRig[0], fromRig[1])
    done.enter()
    Thread { [self] in
      status = serve(input: rigInput, output: rigOutput)
      clinux_close(rigInput)
      clinux_close(rigOutput)
      done.leave()
    }.start()
  }

  func tell(_ command: RigCommand) throws {
    tell(String(decoding: try JSONEncoder().encode(command), as: UTF8.self) + "\n")
  }

  func tell(_ text: String) {
    var text = text
    text.withUTF8 { _ = clinux_write(input, $0.baseAddress, $0.count) }
  }

  /// The next reply; nil at the end of the output. A rig that has nothing to say for two minutes hangs.
  func hear() throws -> RigReply? {
    while true {
      if let end = unread.firstIndex(of: UInt8(ascii: "\n")) {
        let line = Data(unread[..<end])
        unread.removeSubrange(...end)
        return try JSONDecoder().decode(RigReply.self, from: line)
      }
      var readable = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
      guard poll(&readable, 1, 120_000) == 1 else { throw RigFailure("the rig hangs") }
      var bytes = [UInt8](repeating: 0, count: 65_536)
      let length = clinux_read(output, &bytes, bytes.count)
      if length <= 0 { return nil }
      unread += bytes[..<length]
    }
  }

  /// Ends the rig's input.
  /// - Returns: its exit status.
  func end() -> CInt {
    clinux_close(input)
    done.wait()
    clinux_close(output)
    return status
  }
}

/// What a whole trial brought.
struct Outcome {
  var replies: [RigReply.Name] = []
  var result: RigResult
  var status: CInt

  func count(_ name: FanOut.RigCount) -> Int { result.ledger[name.rawValue]! }

  /// The counts that should be 0 and are not.
  var offences: [String: Int] {
    let clean: Set<FanOut.RigCount> = [
      .requestsSent, .requestsAnswered, .subRequestsReceived, .backendConnectionsPeak, .gateReached,
    ]
    return result.ledger.counts.filter { name, count in
      count != 0 && !clean.contains(FanOut.RigCount(rawValue: name)!)
    }
  }
}

/// Longer than any host takes the processors away: where the model does its part, time decides nothing.
let generousMilliseconds: UInt64 = 60_000

/// What is meant to go wrong in time is tried with more and more of it, until the host has left enough for it to show.
/// The last attempt decides.
/// - Parameter body: says whether what was to be seen was seen, given how many times longer than usual all is to take.
func givenTime(_ attempts: [UInt64], _ body: (UInt64) throws -> Bool) rethrows -> Bool {
  for factor in attempts where try body(factor) { return true }
  return false
}

/// Runs a trial of a fake model against the rig. What waits for patience to end says how long that is.
func trial(
  _ fault: Fault = .none, _ changes: [String: ParameterValue] = [:], operations: Int? = 40, isGated: Bool = false,
  spins: Bool = false, warmUpMilliseconds: UInt64 = 0, windowMilliseconds: UInt64 = 0,
  patienceMilliseconds: UInt64 = generousMilliseconds
) throws -> Outcome {
  let base: [String: ParameterValue] = [
    "load": .text("closed"), "connections": .integer(4), "backendConnections": .integer(32),
    "serviceTime": .text("none"),
  ]
  let parameters = base.merging(changes) { $1 }
  let rig = RigProcess()
  try rig.tell(
    RigCommand(
      .load,
      load: RigLoad(
        workload: "fan-out", parameters: parameters, seed: 42, warmUpNanoseconds: warmUpMilliseconds * 1_000_000,
        windowNanoseconds: windowMilliseconds * 1_000_000, patienceNanoseconds: patienceMilliseconds * 1_000_000,
        operations: operations, isGated: isGated, spins: spins)))
  guard let listening = try rig.hear(), let backendPort = listening.port else {
    throw RigFailure("the rig did not listen; status \(rig.end())")
  }
  let model = FakeModel(try FanOut.Parameters(parameters), backendPort: backendPort, fault: fault)
  try rig.tell(RigCommand(.connect, port: model.port))
  var replies = [listening.reply]
  while let reply = try rig.hear() {
    replies.append(reply.reply)
    if reply.reply == .drained {
      model.join()
      try rig.tell(RigCommand(.finish))
    }
    if let result = reply.result { return Outcome(replies: replies, result: result, status: rig.end()) }
    if reply.reply == .failure { throw RigFailure(reply.reason ?? "failure without a reason") }
  }
  throw RigFailure("the rig ended without a result; status \(rig.end())")
}
