// blocking-mix with async/await. Idiom: a task per client connection, on whose loop the work is done; with offload a hog
// goes through `EventLoops.blocking` to a bounded set of threads, and its task is suspended until it is done.
//
// A loop is one thread and nothing preempts it: a hog that stays on it stops every task of that loop, whether it burns or
// blocks, and its connections are no other loop's to serve. That is this model's risk, and `mitigation` = `none` shows it.

import CLinux
import EventLoop
import Glibc
import ModelKit
import Synchronization
import Workloads

func serveBlockingMix(_ session: Session) throws {
  let parameters = try session.parameters(BlockingMix.Parameters.init)
  let workers = session.request.workers
  // Hogs that burn gain nothing from more threads than there are processors; those that block get one each.
  let threads = parameters.hogKind == .cpu ? workers : parameters.blockingHogs(workers: workers)
  if parameters.mitigation == .offload { try Limits.admit(threads: threads) }
  try EventLoops.run(count: workers, blockingThreads: threads) {
    try await MixServer(parameters).serve(session)
  }
}

final class MixServer: Sendable {
  private let isOffloading: Bool
  private let listener: Listener
  private let clients = Mutex<[ObjectIdentifier: Stream]>([:])
  private let requestsReceived = Atomic(0)
  private let requestsAnswered = Atomic(0)
  private let hogsReceived = Atomic(0)
  private let hogsOffloaded = Atomic(0)
  private let blockingCalls = Atomic(0)
  private let clientConnectionsAccepted = Atomic(0)
  private let clientConnectionsClosed = Atomic(0)

  init(_ parameters: BlockingMix.Parameters) throws {
    isOffloading = parameters.mitigation == .offload
    listener = try Listener(backlog: parameters.connections)
  }

  /// The control path: obeys the harness, whose commands come over standard input like anything else on the loop.
  func serve(_ session: Session) async throws {
    let input = try Stream(taking: dup(session.inputDescriptor))
    let accepting = Task { try await accept() }
    try session.ready(port: try listener.port)
    while true {
      for event in try session.receive() {
        switch event {
        case .edge(let edge): try session.report(edge, ledger: ledger)
        case .drain, .end:
          try await drain(accepting)
          try session.finish(ledger: ledger, counters: Ledger(of: EventLoops.counters))
          if event == .end { return }
        case .begin: break  // only where a model drives itself
        }
      }
      try await input.readable()
    }
  }

  /// Accepts until the listener is closed, and returns when the last client has gone. Connections go to the loops in
  /// turn, and all that is done for one, short of what is offloaded, is done there.
  private func accept() async throws {
    try await withThrowingDiscardingTaskGroup { group in
      while true {
        let stream: Stream
        do { stream = try await listener.accept(on: EventLoops.next()) } catch LoopError.closed { return }
        clientConnectionsAccepted.count()
        clients.withLock { $0[ObjectIdentifier(stream)] = stream }
        group.addTask {
          await stream.loop.enter()
          await self.serve(stream)
        }
      }
    }
  }

  /// Stops listening, lets every request come to its end, and closes all connections. Again has no effect.
  private func drain(_ accepting: Task<Void, any Error>) async throws {
    listener.close()
    for stream in clients.withLock({ Array($0.values) }) { try? stream.finishReading() }
    try await accepting.value
  }

  /// A client connection's task: request by request, until the client hangs up or sends something else.
  private func serve(_ stream: Stream) async {
    let client = FrameStream(stream, receives: .request, bytes: BlockingMix.requestBytes)
    let frame = UnsafeMutableRawBufferPointer.allocate(byteCount: BlockingMix.answerBytes, alignment: 8)
    defer { frame.deallocate() }
    while await client.next() != nil, let request = BlockingMix.Request(reading: client.frame) {
      requestsReceived.count()
      guard let value = await result(of: request) else { break }
      BlockingMix.Header(.answer, length: frame.count, id: request.id, value: value).write(to: frame)
      guard await client.send(UnsafeRawBufferPointer(frame)) else { break }
      requestsAnswered.count()
    }
    clients.withLock { _ = $0.removeValue(forKey: ObjectIdentifier(stream)) }
    stream.close()
    clientConnectionsClosed.count()
  }

  /// What the request's work ends in; nil if there is no thread to be had for it.
  private func result(of request: BlockingMix.Request) async -> UInt64? {
    let value = request.value
    switch request.work {
    case .interactive(let iterations):
      return CPUWork.burn(seed: value, iterations: iterations)
    case .hog(let iterations):
      hogsReceived.count()
      return await hog { CPUWork.burn(seed: value, iterations: iterations) }
    case .blockingHog(let nanoseconds):
      hogsReceived.count()
      blockingCalls.count()
      return await hog { clinux_block(value, nanoseconds) }
    }
  }

  private func hog(_ work: @escaping @Sendable () -> UInt64) async -> UInt64? {
    guard isOffloading else { return work() }
    hogsOffloaded.count()
    return try? await EventLoops.blocking(work)
  }

  private var ledger: Ledger {
    [
      "requestsReceived": requestsReceived.value, "requestsAnswered": requestsAnswered.value,
      "hogsReceived": hogsReceived.value, "hogsOffloaded": hogsOffloaded.value, "blockingCalls": blockingCalls.value,
      "clientConnectionsAccepted": clientConnectionsAccepted.value,
      "clientConnectionsClosed": clientConnectionsClosed.value,
    ]
  }
}
