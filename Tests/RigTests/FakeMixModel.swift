// A model that serves blocking-mix with a thread for each connection, and breaks the contract on request; and trials of it.

import CLinux
import Foundation
import Glibc
import Workloads

@testable import Rig

/// What a fake model does wrong, with the requests whose ids are multiples of 5 or with all hogs.
enum MixFault: String, Sendable {
  case none
  case answersTwice, answersUnknownId, answersGarbage, closesClientConnection, neverAnswers
  case skipsBurn, burnsOneIterationLess, swapsValues
  /// Hogs: not called, called for half the time, or called while everybody else waits.
  case skipsCall, blocksForHalfTheTime, blocksEverybody
  case talksToBackend
}

final class FakeMixModel: @unchecked Sendable {
  // Every stored property is set before the threads start and never changed afterwards, but what `lock` guards.
  let port: UInt16
  private let listener: CInt
  private let fault: MixFault
  private let done = DispatchGroup()
  /// The only worker of a model whose hogs block everybody.
  private let worker = NSLock()
  private let lock = NSLock()
  private var blockedCalls = 0

  init(connections: Int, backendPort: UInt16, fault: MixFault) {
    self.fault = fault
    listener = clinux_listen_loopback(0, 4_096, 0)
    port = UInt16(clinux_local_port(listener))
    if fault == .talksToBackend {
      let backend = clinux_connect_loopback(backendPort, 0)
      send([UInt8](repeating: 7, count: 24), backend)
      clinux_close(backend)
    }
    for _ in 0..<connections {
      done.enter()
      Thread { [self] in
        serveOne()
        done.leave()
      }.start()
    }
  }

  /// Waits until the rig has closed all client connections and the model its own.
  func join() {
    done.wait()
    clinux_close(listener)
  }

  var blockingCalls: Int { lock.withLock { blockedCalls } }

  private func serveOne() {
    let client = clinux_accept(listener, 0)
    defer { clinux_close(client) }
    var frame = [UInt8](repeating: 0, count: BlockingMix.requestBytes)
    while frame.withUnsafeMutableBytes({ clinux_recv(client, $0.baseAddress, $0.count, CInt(MSG_WAITALL)) })
      == frame.count
    {
      guard let request = frame.withUnsafeBytes({ BlockingMix.Request(reading: $0) }) else { return }
      if !serve(request, client) { return }
    }
  }

  /// - Returns: whether the connection goes on.
  private func serve(_ request: BlockingMix.Request, _ client: CInt) -> Bool {
    let value: UInt64
    if fault == .blocksEverybody {
      value = worker.withLock { work(request) }
    } else {
      value = work(request)
    }
    guard request.id % 5 == 0 else {
      answer(request.id, value, client)
      return true
    }
    switch fault {
    case .answersTwice:
      answer(request.id, value, client)
      answer(request.id, value, client)
    case .answersUnknownId:
      answer(request.id + 1_000_000, value, client)
      answer(request.id, value, client)
    case .answersGarbage: send([UInt8](repeating: 0xEE, count: 24), client)
    case .closesClientConnection: return false
    case .neverAnswers: break
    case .swapsValues: answer(request.id, value.byteSwapped, client)
    default: answer(request.id, value, client)
    }
    return true
  }

  private func work(_ request: BlockingMix.Request) -> UInt64 {
    switch request.work {
    case .interactive(let iterations), .hog(let iterations):
      if request.id % 5 == 0 {
        if fault == .skipsBurn { return request.value }
        if fault == .burnsOneIterationLess { return CPUWork.burn(seed: request.value, iterations: iterations - 1) }
      }
      return CPUWork.burn(seed: request.value, iterations: iterations)
    case .blockingHog(let nanoseconds):
      if fault == .skipsCall { return SplitMix64.mix(request.value) }
      lock.withLock { blockedCalls += 1 }
      return clinux_block(request.value, fault == .blocksForHalfTheTime ? nanoseconds / 2 : nanoseconds)
    }
  }

  private func answer(_ id: UInt64, _ value: UInt64, _ client: CInt) {
    var frame = [UInt8](repeating: 0, count: BlockingMix.answerBytes)
    frame.withUnsafeMutableBytes {
      BlockingMix.Header(.answer, length: BlockingMix.answerBytes, id: id, value: value).write(to: $0)
    }
    send(frame, client)
  }

  private func send(_ bytes: [UInt8], _ descriptor: CInt) {
    bytes.withUnsafeBytes { _ = clinux_send(descriptor, $0.baseAddress, $0.count, 0) }
  }
}

/// What a trial of blocking-mix brought.
struct MixOutcome {
  var result: RigResult
  var blockingCalls: Int

  func count(_ name: BlockingMix.RigCount) -> Int { result.ledger[name.rawValue]! }

  /// The counts that should be 0 and are not.
  var offences: [String: Int] {
    let clean: Set<BlockingMix.RigCount> = [
      .requestsSent, .requestsAnswered, .hogsSent, .hogsReplaced, .hogsAtOncePeak, .hogsOvertaken, .hogsInTheWay,
    ]
    return result.ledger.counts.filter { name, count in
      count != 0 && !clean.contains(BlockingMix.RigCount(rawValue: name)!)
    }
  }

  func samples(_ name: String) -> UInt64? { result.latencies[name].map { $0.reduce(0) { $0 + $1[1] } } }
}

/// Runs a trial of a fake model against the rig. A millisecond is 1,000 iterations, so that burning costs nothing.
func mixTrial(
  _ fault: MixFault = .none, _ changes: [String: ParameterValue] = [:], operations: Int? = 100, isGated: Bool = false,
  windowMilliseconds: UInt64 = 0, patienceMilliseconds: UInt64 = generousMilliseconds, workers: Int? = 1,
  speed: Int? = 1_000
) throws -> MixOutcome {
  let base: [String: ParameterValue] = [
    "connections": .integer(4), "hogShare": .number(20), "offeredLoad": .number(1),
  ]
  let parameters = base.merging(changes) { $1 }
  let rig = RigProcess()
  try rig.tell(
    RigCommand(
      .load,
      load: RigLoad(
        workload: "blocking-mix", parameters: parameters, seed: 42, warmUpNanoseconds: 0,
        windowNanoseconds: windowMilliseconds * 1_000_000, patienceNanoseconds: patienceMilliseconds * 1_000_000,
        operations: operations, isGated: isGated, spins: false, workers: workers, iterationsPerMillisecond: speed)))
  guard let listening = try rig.hear(), let backendPort = listening.port else {
    throw RigFailure("the rig did not listen; status \(rig.end())")
  }
  let connections = try BlockingMix.Parameters(parameters).connections
  let model = FakeMixModel(connections: connections, backendPort: backendPort, fault: fault)
  try rig.tell(RigCommand(.connect, port: model.port))
  while let reply = try rig.hear() {
    if reply.reply == .drained {
      model.join()
      try rig.tell(RigCommand(.finish))
    }
    if let result = reply.result {
      _ = rig.end()
      return MixOutcome(result: result, blockingCalls: model.blockingCalls)
    }
    if reply.reply == .failure { throw RigFailure(reply.reason ?? "failure without a reason") }
  }
  throw RigFailure("the rig ended without a result; status \(rig.end())")
}
