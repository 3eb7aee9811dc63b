// channel with green threads. Idiom: a unit for each producer and consumer on one bounded channel; the channel is
// closed when the producers have been joined, and then ends for the consumers once it is empty.
//
// One lock guards the queue, so two workers take turns on it. A value goes straight to a consumer that waits, and a
// producer that waits has its value put into the queue by the consumer that made room.

import GreenThreads
import ModelKit
import Synchronization
import Workloads

final class ChannelTrial: Sendable {
  /// Of one producer or consumer, written by it alone.
  private struct Row: ~Copyable {
    let started = Atomic(0), finished = Atomic(0)
    let items = Atomic(0), outOfOrder = Atomic(0), checksum = Atomic(0)
  }

  private struct Item: Sendable {
    let producer: Int32
    let sequence: Int
    let value: UInt64
  }

  /// Puts or takes after which a unit lets others run: it cannot tell whether it has waited meanwhile.
  private static let turn = 64

  private let parameters: Workloads.Channel.Parameters
  private let isGated: Bool
  private let queue: GreenThreads.Channel<Item>
  private let producers: Rows<Row>
  private let consumers: Rows<Row>
  /// Done when the consumers may take.
  private let gate = WaitGroup()
  private let admittedWhileStopped = Atomic(0)
  private let stopping = Atomic(false)

  static func run(_ session: Session) throws {
    let parameters = try session.parameters(Workloads.Channel.Parameters.init)
    try Limits.admit(units: parameters.units, bytes: parameters.units * Session.bytesPerUnit)
    try session.ready()
    let window = try session.awaitBegin()
    try session.onUnits { try ChannelTrial(parameters, isGated: session.isGated).run(session, window) }
  }

  private init(_ parameters: Workloads.Channel.Parameters, isGated: Bool) {
    self.parameters = parameters
    self.isGated = isGated
    queue = GreenThreads.Channel(capacity: parameters.capacity)
    producers = Rows(count: parameters.producers) { _ in Row() }
    consumers = Rows(count: parameters.consumers) { _ in Row() }
  }

  private func run(_ session: Session, _ window: Window) throws {
    let operations = try withScope { taking in
      defer { queue.close() }
      if isGated {
        gate.add()
        try taking.spawn(name: "gate") { try self.openGate() }
      }
      for consumer in 0..<parameters.consumers {
        try taking.spawn(name: "consumer") { try self.consume(consumer) }
      }
      return try withScope { putting in
        defer { stopping.store(true, ordering: .relaxed) }
        for producer in 0..<parameters.producers {
          try putting.spawn(name: "producer") { try self.produce(producer) }
        }
        let operations = try session.conduct(
          window, operations: { consumers.sum { $0.items.value } }, ledger: { ledger() })
        try gate.wait()
        return operations
      }
    }
    try session.finish(ledger(), InProcessResult(operations: operations))
  }

  // MARK: Units

  private func produce(_ producer: Int) throws {
    let row = producers[producer]
    row.pointee.started.grow()
    var sequence = 0
    repeat {
      let value = Workloads.Channel.value(producer: producer, sequence: sequence)
      try queue.send(Item(producer: Int32(producer), sequence: sequence, value: value))
      row.pointee.items.grow()
      sequence += 1
      if sequence % Self.turn == 0 { yield() }
    } while !stopping.load(ordering: .relaxed)
    row.pointee.finished.grow()
  }

  private func consume(_ consumer: Int) throws {
    let row = consumers[consumer]
    row.pointee.started.grow()
    if isGated { try gate.wait() }
    var last = [Int](repeating: -1, count: parameters.producers)
    var taken = 0
    while let item = try queue.receive() {
      row.pointee.items.grow()
      if item.sequence <= last[Int(item.producer)] { row.pointee.outOfOrder.grow() }
      last[Int(item.producer)] = item.sequence
      row.pointee.checksum.grow(by: item.value)
      taken += 1
      if taken % Self.turn == 0 { yield() }
    }
    row.pointee.finished.grow()
  }

  /// Lets the consumers take when the queue holds as much as it may, and a while longer.
  private func openGate() throws {
    while admitted < parameters.capacity { try sleep(for: .milliseconds(5)) }
    try sleep(for: .nanoseconds(Int64(Workloads.Channel.stillNanoseconds)))
    admittedWhileStopped.store(admitted, ordering: .relaxed)
    gate.done()
  }

  private var admitted: Int { producers.sum { $0.items.value } }

  private func ledger() -> Ledger {
    var ledger: Ledger = [
      "unitsStarted": producers.sum { $0.started.value } + consumers.sum { $0.started.value },
      "unitsFinished": producers.sum { $0.finished.value } + consumers.sum { $0.finished.value },
      "itemsSent": admitted, "itemsReceived": consumers.sum { $0.items.value },
      "itemsOutOfOrder": consumers.sum { $0.outOfOrder.value }, "checksum": consumers.sum { $0.checksum.value },
      "itemsAdmittedWhileStopped": admittedWhileStopped.value,
    ]
    for producer in 0..<parameters.producers {
      ledger[Workloads.Channel.producerCount(producer)] = producers[producer].pointee.items.value
    }
    for consumer in 0..<parameters.consumers {
      ledger[Workloads.Channel.consumerCount(consumer)] = consumers[consumer].pointee.items.value
    }
    return ledger
  }
}
