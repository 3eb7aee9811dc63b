// channel with threads. Idiom: eighty threads around one bounded queue.

import Glibc
import ModelKit
import Synchronization
import Workloads

private struct Item: BitwiseCopyable, Sendable {
  let producer: Int
  let sequence: Int
  let value: UInt64
}

final class ChannelCrowd: Sendable {
  /// Of a producer `items` are those put, of a consumer those taken.
  private enum Count: Int, CaseIterable, Sendable { case started, items, outOfOrder, checksum, finished }

  private let parameters: Channel.Parameters
  private let isGated: Bool
  private let queue: BoundedQueue<Item>
  /// The producers first, then the consumers.
  private let counts: CountRows<Count>
  /// Gated: consumers wait for it.
  private let gate = Semaphore()
  /// Relaxed: a producer that misses it puts an item more.
  private let isStopping = Atomic(false)

  /// Runs one trial.
  static func run(_ session: Session) throws {
    let parameters = try session.parameters(Channel.Parameters.init)
    try session.ready()
    _ = try session.awaitBegin()
    // A consumer remembers the last item of each producer.
    try Limits.admit(
      units: parameters.units, threads: parameters.units, bytes: 8 * parameters.consumers * parameters.producers)
    let crowd = ChannelCrowd(parameters, isGated: session.isGated)
    let consumers = try ThreadGroup.start(parameters.consumers) { crowd.consume($0) }
    let producers = try ThreadGroup.start(parameters.producers) { crowd.produce($0) }
    let admitted = session.isGated ? crowd.openGate() : 0
    try session.conduct(
      session.window(), operations: { crowd.itemsReceived }, ledger: { crowd.ledger(admittedWhileStopped: admitted) },
      drain: {
        crowd.isStopping.store(true, ordering: .relaxed)
        producers.join()
        crowd.queue.close()
        consumers.join()
        return InProcessResult()
      })
  }

  private init(_ parameters: Channel.Parameters, isGated: Bool) {
    self.parameters = parameters
    self.isGated = isGated
    queue = BoundedQueue(capacity: parameters.capacity)
    counts = CountRows(rows: parameters.units)
  }

  private func produce(_ producer: Int) {
    let counts = self.counts[producer]
    counts.add(.started)
    var sequence = 0
    repeat {
      let value = Channel.value(producer: producer, sequence: sequence)
      queue.put(Item(producer: producer, sequence: sequence, value: value))
      counts.add(.items)
      sequence += 1
    } while !isStopping.load(ordering: .relaxed)
    counts.add(.finished)
  }

  private func consume(_ consumer: Int) {
    let counts = self.counts[parameters.producers + consumer]
    counts.add(.started)
    if isGated { gate.wait() }
    // The last sequence number of each producer.
    let last = UnsafeMutablePointer<Int>.allocate(capacity: parameters.producers)
    defer { last.deallocate() }
    last.initialize(repeating: -1, count: parameters.producers)
    while let item = queue.take() {
      if item.sequence <= last[item.producer] { counts.add(.outOfOrder) }
      last[item.producer] = item.sequence
      counts.add(.checksum, Int(truncatingIfNeeded: item.value))
      counts.add(.items)
    }
    counts.add(.finished)
  }

  /// Keeps the consumers standing until the queue has been full for a while, then lets them go.
  /// - Returns: the items admitted until then.
  private func openGate() -> Int {
    while itemsSent < parameters.capacity { usleep(5_000) }
    usleep(UInt32(Channel.stillNanoseconds / 1_000))
    let admitted = itemsSent
    for _ in 0..<parameters.consumers { gate.post() }
    return admitted
  }

  private func items(_ units: Range<Int>) -> Int { units.reduce(0) { $0 + counts[$1][.items] } }
  private var itemsSent: Int { items(0..<parameters.producers) }
  private var itemsReceived: Int { items(parameters.producers..<parameters.units) }

  private func ledger(admittedWhileStopped: Int) -> Ledger {
    var ledger: Ledger = [
      "unitsStarted": counts.sum(.started), "unitsFinished": counts.sum(.finished), "itemsSent": itemsSent,
      "itemsReceived": itemsReceived, "itemsOutOfOrder": counts.sum(.outOfOrder), "checksum": counts.sum(.checksum),
      "itemsAdmittedWhileStopped": admittedWhileStopped,
    ]
    for producer in 0..<parameters.producers { ledger[Channel.producerCount(producer)] = counts[producer][.items] }
    for consumer in 0..<parameters.consumers {
      ledger[Channel.consumerCount(consumer)] = counts[parameters.producers + consumer][.items]
    }
    return ledger
  }
}
