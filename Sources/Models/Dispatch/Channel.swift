// channel with Dispatch. Idiom: a serial queue is the bounded queue's guard, and those who put and take live on it; who
// finds it full or empty parks by returning, and his next turn is scheduled when that has changed.
//
// Everybody meets at this one queue all the time: with producers and consumers on queues of their own each item would
// travel as four blocks (a put, a take, and word of both), and two threads would pass the guard to and fro. So the trial
// uses one worker, however many there are. Of those who are parked on a side one at a time is woken: he goes on for as
// long as there is room (items), and the next is woken when there is some again, so that a turn moves many items and
// nobody is woken for nothing.

import Dispatch
import ModelKit
import Synchronization
import Workloads

private struct ChannelItem {
  let producer: Int
  let sequence: Int
  let value: UInt64
}

/// Those who wait on one side of the queue, in order. A class of its own: as a part of the queue, each look at it would be
/// checked for exclusive access at run time.
private final class Waiters {
  private var parked = FIFO<Unit>()
  /// Units that are not parked, nor have they ended.
  var awake = 0

  func park(_ unit: Unit) {
    parked.append(unit)
    awake -= 1
  }

  func wakeOne() {
    guard let unit = parked.popFirst() else { return }
    awake += 1
    unit.wake()
  }

  func wakeAll() {
    while let unit = parked.popFirst() {
      awake += 1
      unit.wake()
    }
  }
}

/// The bounded queue. Confined to its serial queue.
private final class BoundedQueue {
  private let items: Ring<ChannelItem>
  let putters = Waiters()
  let takers = Waiters()
  private(set) var isClosed = false

  init(capacity: Int) { items = Ring(capacity: capacity) }

  func put(_ item: ChannelItem) -> Bool {
    guard !items.isFull else { return false }
    items.append(item)
    if takers.awake == 0 { takers.wakeOne() }
    return true
  }

  func take() -> ChannelItem? {
    guard let item = items.popFirst() else { return nil }
    if putters.awake == 0 { putters.wakeOne() }
    return item
  }

  /// A unit that puts (takes) has ended, perhaps while there was room (were items) for the next.
  func leavePutters() {
    putters.awake -= 1
    if putters.awake == 0 && !items.isFull { putters.wakeOne() }
  }

  func leaveTakers() {
    takers.awake -= 1
    if takers.awake == 0 && !items.isEmpty { takers.wakeOne() }
  }

  func close() {
    isClosed = true
    takers.wakeAll()
  }
}

private final class Producer: Unit, @unchecked Sendable {
  let sent = Atomic(0)
  private let number: Int
  private unowned(unsafe) let market: ChannelMarket

  init(_ number: Int, of market: ChannelMarket) {
    self.number = number
    self.market = market
    super.init(on: market.lane)
  }

  override func run() {
    let market = market
    let queue = market.queue
    for _ in 0..<ChannelMarket.turn {
      let sequence = sent.value
      let value = Channel.value(producer: number, sequence: sequence)
      guard queue.put(ChannelItem(producer: number, sequence: sequence, value: value)) else {
        return queue.putters.park(self)
      }
      sent.countAlone()
      if market.mayStop { return market.end(self) }
    }
    wake()
  }
}

private final class Consumer: Unit, @unchecked Sendable {
  let received = Atomic(0)
  let outOfOrder = Atomic(0)
  let checksum = Atomic<UInt64>(0)
  private unowned(unsafe) let market: ChannelMarket
  /// The next sequence number that may come, by producer.
  private let expected: UnsafeMutablePointer<Int>

  init(of market: ChannelMarket, producers: Int) {
    self.market = market
    expected = .allocate(capacity: producers)
    expected.initialize(repeating: 0, count: producers)
    super.init(on: market.lane)
  }

  deinit { expected.deallocate() }

  override func run() {
    let queue = market.queue
    for _ in 0..<ChannelMarket.turn {
      guard let item = queue.take() else {
        return queue.isClosed ? market.end(self) : queue.takers.park(self)
      }
      received.countAlone()
      if item.sequence < expected[item.producer] { outOfOrder.countAlone() }
      expected[item.producer] = item.sequence + 1
      checksum.addAlone(item.value)
    }
    wake()
  }
}

/// The queue and all who meet there. Sendable because what is mutable is confined to the lane, or atomic.
final class ChannelMarket: @unchecked Sendable {
  /// Puts or takes after which a unit gives way to the others.
  fileprivate static let turn = 64
  fileprivate let lane = DispatchQueue(label: "channel")
  fileprivate let queue: BoundedQueue
  // Relaxed: they order nothing, and an item later is soon enough.
  private let isStopping = Atomic(false)
  private let isGateClosed: Atomic<Bool>
  private let admitted = Atomic(0)
  private let unitsFinished = Atomic(0)
  private let unfinished = DispatchGroup()
  private let capacity: Int
  private var producers: [Producer] = []
  private var consumers: [Consumer] = []
  /// On the lane.
  private var producersLeft: Int

  /// Runs one trial.
  static func open(_ session: Session) throws {
    let parameters = try session.parameters(Channel.Parameters.init)
    try session.ready()
    let window = try session.awaitBegin()
    let market = ChannelMarket(parameters, isGated: session.isGated)
    market.start()
    try session.conduct(
      window, operations: { market.received }, ledger: { market.ledger },
      drain: {
        market.isStopping.store(true, ordering: .relaxed)
        market.unfinished.wait()
        market.lane.sync {}
        return InProcessResult()
      })
  }

  private init(_ parameters: Channel.Parameters, isGated: Bool) {
    capacity = parameters.capacity
    queue = BoundedQueue(capacity: capacity)
    isGateClosed = Atomic(isGated)
    producersLeft = parameters.producers
    producers = (0..<parameters.producers).map { Producer($0, of: self) }
    consumers = (0..<parameters.consumers).map { _ in Consumer(of: self, producers: parameters.producers) }
    for _ in 0..<parameters.units { unfinished.enter() }
  }

  private func start() {
    lane.async { [self] in
      queue.putters.awake = producers.count
      for producer in producers { producer.wake() }
      guard isGateClosed.load(ordering: .relaxed) else { return startConsumers() }
      _ = Gate(
        on: lane, target: capacity, still: Channel.stillNanoseconds,
        admitted: { [unowned self] in sent },
        open: { [unowned self] admitted in
          self.admitted.store(admitted, ordering: .relaxed)
          isGateClosed.store(false, ordering: .relaxed)
          startConsumers()
        })
    }
  }

  private func startConsumers() {
    queue.takers.awake = consumers.count
    for consumer in consumers { consumer.wake() }
  }

  fileprivate var mayStop: Bool {
    isStopping.load(ordering: .relaxed) && !isGateClosed.load(ordering: .relaxed)
  }

  fileprivate func end(_ producer: Producer) {
    queue.leavePutters()
    producersLeft -= 1
    if producersLeft == 0 { queue.close() }
    leave()
  }

  fileprivate func end(_ consumer: Consumer) {
    queue.leaveTakers()
    leave()
  }

  private func leave() {
    unitsFinished.count()
    unfinished.leave()
  }

  private var sent: Int { producers.reduce(0) { $0 + $1.sent.value } }
  private var received: Int { consumers.reduce(0) { $0 + $1.received.value } }

  private var ledger: Ledger {
    var ledger: Ledger = [
      "unitsStarted": producers.count + consumers.count, "unitsFinished": unitsFinished.value, "itemsSent": sent,
      "itemsReceived": received, "itemsOutOfOrder": consumers.reduce(0) { $0 + $1.outOfOrder.value },
      "checksum": consumers.reduce(0) { $0 &+ $1.checksum.signed },
      "itemsAdmittedWhileStopped": admitted.value,
    ]
    for (number, producer) in producers.enumerated() { ledger[Channel.producerCount(number)] = producer.sent.value }
    for (number, consumer) in consumers.enumerated() { ledger[Channel.consumerCount(number)] = consumer.received.value }
    return ledger
  }
}
