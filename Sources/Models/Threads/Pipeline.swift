// pipeline with threads. Idiom: a thread for each source, stage and sink, and a bounded queue that blocks between two.

import Glibc
import ModelKit
import Synchronization
import Workloads

private struct Item: BitwiseCopyable, Sendable {
  let sequence: Int
  var value: UInt64
  /// CLOCK_MONOTONIC in nanoseconds; 0 with load=saturated.
  let due: UInt64
}

/// One chain. Its units are numbered: 0 is the source, then come the stages, the sink is the last.
private final class Lane: Sendable {
  enum Count: Int, CaseIterable, Sendable { case started, items, itemsInWindow, outOfOrder, checksum, finished }

  let number: Int
  /// Queue k lies behind unit k.
  let queues: [BoundedQueue<Item>]
  let counts: CountRows<Count>
  /// What the source waits on until an item is due, and until the start.
  let pacer = Parker()
  /// Gated: what the lane had admitted when its sink began to take.
  let admittedWhileStopped = Atomic(0)

  init(_ number: Int, _ parameters: Pipeline.Parameters) {
    self.number = number
    queues = (0...parameters.stages).map { _ in BoundedQueue(capacity: parameters.capacity) }
    counts = CountRows(rows: parameters.stages + 2)
  }

  var itemsSent: Int { counts[0][.items] }
  var itemsReceived: Int { counts[counts.rows - 1][.items] }
}

final class PipelineChains: Sendable {
  private let parameters: Pipeline.Parameters
  private let iterations: Int
  private let isGated: Bool
  private let window = LateWindow()
  private let lanes: [Lane]
  /// Owned by the lanes' sinks.
  private let recorders: Recorders?
  private let started = Semaphore()
  private let sinkOpened = Semaphore()
  /// The moment from which items are due; written before the sources' first permit, which makes it visible to them.
  private let start = Atomic<UInt64>(0)
  /// Relaxed: a source that misses it puts an item more; one that waits looks again when it gets its permit.
  private let isStopping = Atomic(false)

  /// Runs one trial.
  static func run(_ session: Session) throws {
    let parameters = try session.parameters(Pipeline.Parameters.init)
    let iterations =
      parameters.workNanoseconds == 0 ? 0 : try session.iterations(nanoseconds: parameters.workNanoseconds)
    try session.ready()
    _ = try session.awaitBegin()
    try Limits.admit(
      units: parameters.units, threads: parameters.units,
      bytes: parameters.lanes * parameters.laneCapacity * MemoryLayout<Item>.stride)
    let chains = PipelineChains(parameters, iterations, isGated: session.isGated)
    let length = parameters.stages + 2
    let units = try ThreadGroup.start(parameters.units) { chains.run($0 % length, of: chains.lanes[$0 / length]) }
    for _ in 0..<parameters.units { chains.started.wait() }
    chains.start.store(monotonicNanoseconds(), ordering: .relaxed)
    for lane in chains.lanes { lane.pacer.unpark() }
    // The gate looks whether a lane takes in too much: so neither must its source stop before, nor may the window pass.
    if session.isGated { for _ in chains.lanes { chains.sinkOpened.wait() } }
    let window = try session.window()
    chains.window.fix(window)
    let counter: (() -> Int)? = chains.recorders == nil ? { chains.lanes.reduce(0) { $0 + $1.itemsReceived } } : nil
    try session.conduct(
      window, operations: counter, ledger: { chains.ledger },
      drain: {
        chains.isStopping.store(true, ordering: .relaxed)
        for lane in chains.lanes { lane.pacer.unpark() }
        units.join()
        return chains.result
      })
  }

  private init(_ parameters: Pipeline.Parameters, _ iterations: Int, isGated: Bool) {
    self.parameters = parameters
    self.iterations = iterations
    self.isGated = isGated
    lanes = (0..<parameters.lanes).map { Lane($0, parameters) }
    recorders = parameters.load == .saturated ? nil : Recorders(count: parameters.lanes)
  }

  private func run(_ unit: Int, of lane: Lane) {
    let counts = lane.counts[unit]
    counts.add(.started)
    started.post()
    switch unit {
    case 0: feed(lane, counts)
    case parameters.stages + 1: drain(lane, counts)
    default: work(unit, lane)
    }
    if unit <= parameters.stages { lane.queues[unit].close() }
    counts.add(.finished)
  }

  private func feed(_ lane: Lane, _ counts: CountRows<Lane.Count>.Row) {
    lane.pacer.park()
    let start = self.start.load(ordering: .relaxed)
    let isPaced = parameters.load != .saturated
    var sequence = 0
    while !isStopping.load(ordering: .relaxed) {
      let due = isPaced ? start + parameters.due(lane: lane.number, sequence: sequence) : 0
      if isPaced, monotonicNanoseconds() < due, lane.pacer.park(until: due) { continue }
      let value = Pipeline.firstValue(lane: lane.number, sequence: sequence)
      lane.queues[0].put(Item(sequence: sequence, value: value, due: due))
      counts.add(.items)
      sequence += 1
    }
  }

  private func work(_ stage: Int, _ lane: Lane) {
    let inlet = lane.queues[stage - 1]
    let outlet = lane.queues[stage]
    while var item = inlet.take() {
      item.value = Pipeline.apply(stage: stage, to: item.value, sequence: item.sequence, iterations: iterations)
      outlet.put(item)
    }
  }

  private func drain(_ lane: Lane, _ counts: CountRows<Lane.Count>.Row) {
    if isGated { standStill(lane) }
    let recorder = recorders?[lane.number]
    let inlet = lane.queues[parameters.stages]
    var expected = 0
    while let item = inlet.take() {
      if let recorder {
        let now = monotonicNanoseconds()
        if window.contains(now) {
          recorder.record(now - item.due)
          counts.add(.itemsInWindow)
        }
      }
      if item.sequence != expected { counts.add(.outOfOrder) }
      expected = item.sequence + 1
      counts.add(.checksum, Int(truncatingIfNeeded: item.value))
      counts.add(.items)
    }
  }

  /// A gated sink's first act.
  private func standStill(_ lane: Lane) {
    while lane.itemsSent < parameters.laneCapacity { usleep(5_000) }
    usleep(UInt32(Pipeline.stillNanoseconds / 1_000))
    lane.admittedWhileStopped.store(lane.itemsSent, ordering: .relaxed)
    sinkOpened.post()
  }

  /// Paced, what counts is what was sampled.
  private var result: InProcessResult {
    guard let recorders else { return InProcessResult() }
    return InProcessResult(
      operations: lanes.reduce(0) { $0 + $1.counts.sum(.itemsInWindow) }, latencies: recorders.merged())
  }

  private var ledger: Ledger {
    func sum(_ count: Lane.Count) -> Int { lanes.reduce(0) { $0 &+ $1.counts.sum(count) } }
    let admitted = lanes.map { $0.admittedWhileStopped.load(ordering: .relaxed) }
    var ledger: Ledger = [
      "unitsStarted": sum(.started), "unitsFinished": sum(.finished), "itemsOutOfOrder": sum(.outOfOrder),
      "itemsSent": lanes.reduce(0) { $0 + $1.itemsSent }, "itemsReceived": lanes.reduce(0) { $0 + $1.itemsReceived },
      "checksum": sum(.checksum), "leastAdmittedWhileStopped": admitted.min() ?? 0,
      "mostAdmittedWhileStopped": admitted.max() ?? 0,
    ]
    for lane in lanes { ledger[Pipeline.laneCount(lane.number)] = lane.itemsReceived }
    return ledger
  }
}
