// channel with async/await. Idiom: a task per producer and consumer, all of them on one loop around the loops' bounded
// channel.
//
// Everybody meets at one queue, so the loop that has the queue is the place for all of them: a wait ends by a word in the
// loop's own list of jobs, and the lock is never contended. Spread over two loops the CPU of two took no more items than
// that of one. What is left is the switches, nine for ten items: with almost as many waiting as the queue holds, each
// take lets one producer go on, which puts one item and waits again.

import EventLoop
import ModelKit
import Workloads

func runChannel(_ session: Session) throws {
  let parameters = try session.parameters(Channel.Parameters.init)
  try Conductor.run(session, loops: 1) { conductor in
    let window = try await conductor.begin()
    let run = ChannelRun(parameters, isGated: session.isGated)
    let producers = (0..<parameters.producers).map { producer in Task { try await run.produce(producer) } }
    let consumers = (0..<parameters.consumers).map { consumer in Task { try await run.consume(consumer) } }

    try await conductor.conduct(window, operations: { run.received.total }) {
      run.stop.raise()
      for producer in producers { try await producer.value }
      run.queue.close()
      var total = ChannelRun.Outcome()
      for consumer in consumers { total.add(try await consumer.value) }
      return (run.ledger(total, unitsFinished: producers.count + consumers.count), InProcessResult())
    }
  }
}

final class ChannelRun: Sendable {
  struct Item: Sendable {
    let producer: Int
    let sequence: Int
    let value: UInt64
  }

  /// What a consumer tells when it has ended.
  struct Outcome: Sendable {
    var outOfOrder = 0
    var checksum: UInt64 = 0
    var admitted = 0

    mutating func add(_ other: Outcome) {
      outOfOrder += other.outOfOrder
      checksum &+= other.checksum
      admitted += other.admitted
    }
  }

  /// A unit that never has to wait gives way after so many items.
  private static let turn = 64

  let queue: AsyncChannel<Item>
  let stop = StopFlag()
  let sent: [Tally]
  let received: [Tally]
  private let roll: RollCall
  private let parameters: Channel.Parameters
  private let isGated: Bool
  /// Gated: closed, with nothing ever in it, when the consumers may begin.
  private let gate = AsyncChannel<Never>(capacity: 0)
  private let isOpen = StopFlag()

  init(_ parameters: Channel.Parameters, isGated: Bool) {
    self.parameters = parameters
    self.isGated = isGated
    queue = AsyncChannel(capacity: parameters.capacity)
    sent = (0..<parameters.producers).map { _ in Tally() }
    received = (0..<parameters.consumers).map { _ in Tally() }
    roll = RollCall(parameters.units)
  }

  func produce(_ producer: Int) async throws {
    roll.arrive()
    let sent = sent[producer]
    var sequence = 0
    repeat {
      let value = Channel.value(producer: producer, sequence: sequence)
      try await queue.send(Item(producer: producer, sequence: sequence, value: value))
      sent.count()
      sequence += 1
      if sequence % Self.turn == 0 { await Task.yield() }
    } while !stop.isUp || isGated && !isOpen.isUp
  }

  func consume(_ consumer: Int) async throws -> Outcome {
    roll.arrive()
    var outcome = Outcome()
    if isGated {
      if consumer == 0 { outcome.admitted = try await standStill() } else { _ = try await gate.receive() }
    }
    let received = received[consumer]
    var last = [Int](repeating: -1, count: parameters.producers)
    var taken = 0
    while let item = try await queue.receive() {
      if item.sequence <= last[item.producer] { outcome.outOfOrder += 1 }
      last[item.producer] = item.sequence
      outcome.checksum &+= item.value
      received.count()
      taken += 1
      if taken % Self.turn == 0 { await Task.yield() }
    }
    return outcome
  }

  /// The gate: lets nobody take until the queue has stood full for a while. Returns what was put into it by then.
  private func standStill() async throws -> Int {
    var fullSince: UInt64?
    while true {
      let now = monotonicNanoseconds()
      let admitted = sent.total
      if admitted >= parameters.capacity, fullSince == nil { fullSince = now }
      if let fullSince, now - fullSince >= Channel.stillNanoseconds {
        isOpen.raise()
        gate.close()
        return admitted
      }
      try await EventLoop.sleep(for: .milliseconds(5))
    }
  }

  func ledger(_ total: Outcome, unitsFinished: Int) -> Ledger {
    var ledger: Ledger = [
      "unitsStarted": roll.count, "unitsFinished": unitsFinished, "itemsSent": sent.total,
      "itemsReceived": received.total, "itemsOutOfOrder": total.outOfOrder,
      "checksum": Int(bitPattern: UInt(total.checksum)), "itemsAdmittedWhileStopped": total.admitted,
    ]
    for (producer, tally) in sent.enumerated() { ledger[Channel.producerCount(producer)] = tally.value }
    for (consumer, tally) in received.enumerated() { ledger[Channel.consumerCount(consumer)] = tally.value }
    return ledger
  }
}
