// blocking-mix with green threads. Idiom: a unit for each connection reads, works and answers; with mitigation=offload
// a hog's work stands in `blocking { }`, behind a semaphore that bounds how many there are.
//
// Units are not preempted: a hog that burns, or that blocks its thread, keeps a worker for as long as it takes, and
// with one worker everybody waits. `blocking` makes no other thread do the work: the unit stays on its own stack and
// thread, and the monitor, which looks every 20 us, gives the worker to a spare thread. Requests then wait no longer
// than that, and where a hog burns, the kernel shares the processor between its thread and the worker's.

import CLinux
import GreenThreads
import ModelKit
import Synchronization
import Workloads

final class BlockingMixServer: Sendable {
  private let requestsReceived = Atomic(0)
  private let requestsAnswered = Atomic(0)
  private let hogsReceived = Atomic(0)
  private let hogsOffloaded = Atomic(0)
  private let blockingCalls = Atomic(0)
  /// Room for hogs where they are moved to; nil with mitigation=none.
  private let room: Semaphore?

  static func serve(_ session: Session) throws {
    let parameters = try session.parameters(BlockingMix.Parameters.init)
    var configuration = Scheduler.Configuration(workers: session.request.workers)
    // Hogs are what this is about: a line on standard error for each would be measured too.
    configuration.hogThreshold = nil
    try session.onUnits(configuration) {
      let server = BlockingMixServer(parameters, workers: session.request.workers)
      let clients = Clients(bufferBytes: BlockingMix.requestBytes) { try server.converse($0) }
      try clients.serve(session, connections: parameters.connections, ledger: { server.ledger })
    }
  }

  private init(_ parameters: BlockingMix.Parameters, workers: Int) {
    switch (parameters.mitigation, parameters.hogKind) {
    case (.none, _): room = nil
    case (.offload, .cpu): room = Semaphore(permits: workers)
    case (.offload, .blockingCall): room = Semaphore(permits: parameters.blockingHogs(workers: workers))
    }
  }

  /// A connection's unit.
  private func converse(_ client: FrameConnection) throws {
    while try client.receive(.request, bytes: BlockingMix.requestBytes) != nil {
      let frame = UnsafeRawBufferPointer(client.frame(BlockingMix.requestBytes))
      guard let request = BlockingMix.Request(reading: frame) else { throw FrameError.unexpectedFrame }
      requestsReceived.count()
      let value = try answer(request)
      BlockingMix.Header(.answer, length: BlockingMix.answerBytes, id: request.id, value: value)
        .write(to: client.buffer)
      try client.send(BlockingMix.answerBytes)
      requestsAnswered.count()
    }
  }

  private func answer(_ request: BlockingMix.Request) throws -> UInt64 {
    guard request.work.isHog else { return work(request) }
    hogsReceived.count()
    guard let room else { return work(request) }
    try room.acquire()
    defer { room.release() }
    hogsOffloaded.count()
    return blocking { work(request) }
  }

  private func work(_ request: BlockingMix.Request) -> UInt64 {
    switch request.work {
    case .interactive(let iterations), .hog(let iterations):
      return CPUWork.burn(seed: request.value, iterations: iterations)
    case .blockingHog(let nanoseconds):
      blockingCalls.count()
      return clinux_block(request.value, nanoseconds)
    }
  }

  private var ledger: Ledger {
    [
      "requestsReceived": requestsReceived.value, "requestsAnswered": requestsAnswered.value,
      "hogsReceived": hogsReceived.value, "hogsOffloaded": hogsOffloaded.value,
      "blockingCalls": blockingCalls.value,
    ]
  }
}
