// pipeline with green threads. Idiom: a unit for each source, stage and sink, joined by bounded channels; each is a
// loop of receive, compute and send, and closes its outlet when its inlet has ended.
//
// The capacity sets the price of a hop: a stage fills its outlet, parks, and the next one empties it without a switch
// between, so that a saturated lane switches about once in 64 items and a hop is two passes through a channel's lock.
// With work=0 two workers may well be slower than one: stages of one lane on two workers hand cache lines, not items.

import GreenThreads
import ModelKit
import Synchronization
import Workloads

final class PipelineTrial: @unchecked Sendable {
  // Unchecked: `start` is written before `go` lets the units go on that read it; each recorder has one writer, a sink.

  /// A lane's counts that are written once a unit, and by its source once an item.
  private struct SourceRow: ~Copyable {
    let started = Atomic(0), finished = Atomic(0)
    let sent = Atomic(0)
  }

  /// Those that its sink writes.
  private struct SinkRow: ~Copyable {
    let received = Atomic(0), inWindow = Atomic(0), outOfOrder = Atomic(0), checksum = Atomic(0)
    let admittedWhileStopped = Atomic(0)
  }

  private struct Item: Sendable {
    let lane: Int32
    let sequence: Int
    var value: UInt64
    let due: UInt64
  }

  private typealias Queue = GreenThreads.Channel<Item>

  private let parameters: Pipeline.Parameters
  private let iterations: Int
  private let isGated: Bool
  private let window: Window
  private let queues: [[Queue]]
  private let sources: Rows<SourceRow>
  private let sinks: Rows<SinkRow>
  private let recorders: Recorders?
  /// Sinks that stand still; the sources go on until there are none.
  private let closedGates = WaitGroup()
  /// Units that have not started yet, and what they then wait for.
  private let waiting = WaitGroup()
  private let go = WaitGroup()
  private var start: UInt64 = 0
  private let stopping = Atomic(false)

  static func run(_ session: Session) throws {
    let parameters = try session.parameters(Pipeline.Parameters.init)
    let iterations =
      parameters.workNanoseconds == 0 ? 0 : try session.iterations(nanoseconds: parameters.workNanoseconds)
    try Limits.admit(units: parameters.units, bytes: parameters.units * Session.bytesPerUnit)
    try session.ready()
    let window = try session.awaitBegin()
    try session.onUnits {
      try PipelineTrial(parameters, iterations, window, isGated: session.isGated).run(session)
    }
  }

  private init(_ parameters: Pipeline.Parameters, _ iterations: Int, _ window: Window, isGated: Bool) {
    self.parameters = parameters
    self.iterations = iterations
    self.isGated = isGated
    self.window = window
    queues = (0..<parameters.lanes).map { _ in
      (0...parameters.stages).map { _ in Queue(capacity: parameters.capacity) }
    }
    sources = Rows(count: parameters.lanes) { _ in SourceRow() }
    sinks = Rows(count: parameters.lanes) { _ in SinkRow() }
    if case .paced = parameters.load { recorders = Recorders(count: parameters.lanes) } else { recorders = nil }
  }

  private func run(_ session: Session) throws {
    let operations = try withScope { scope in
      waiting.add(parameters.units)
      go.add()
      if isGated { closedGates.add(parameters.lanes) }
      for lane in 0..<parameters.lanes {
        try scope.spawn(name: "source") { try self.counted(lane) { try self.source(lane) } }
        for stage in 1...parameters.stages {
          try scope.spawn(name: "stage") { try self.counted(lane) { try self.stage(stage, lane) } }
        }
        try scope.spawn(name: "sink") { try self.counted(lane) { try self.sink(lane) } }
      }
      try waiting.wait()
      start = monotonicNanoseconds()
      go.done()
      defer { stopping.store(true, ordering: .relaxed) }
      let operations = try session.conduct(
        window, operations: { sinks.sum { $0.received.value } }, ledger: { ledger() })
      try closedGates.wait()
      return operations
    }
    // Paced, what counts is what was sampled.
    let isSampled = recorders != nil
    try session.finish(
      ledger(),
      InProcessResult(
        operations: isSampled ? sinks.sum { $0.inWindow.value } : operations, latencies: recorders?.merged() ?? [:]))
  }

  // MARK: Units

  private func counted(_ lane: Int, _ body: () throws -> Void) throws {
    sources[lane].pointee.started.count()
    waiting.done()
    try go.wait()
    try body()
    sources[lane].pointee.finished.count()
  }

  private func source(_ lane: Int) throws {
    let outlet = queues[lane][0]
    let row = sources[lane]
    defer { outlet.close() }
    var sequence = 0
    while !stopping.load(ordering: .relaxed) {
      var due: UInt64 = 0
      if recorders != nil {
        due = start + parameters.due(lane: lane, sequence: sequence)
        if try !awaitMoment(due) { return }
      }
      let value = Pipeline.firstValue(lane: lane, sequence: sequence)
      try outlet.send(Item(lane: Int32(lane), sequence: sequence, value: value, due: due))
      row.pointee.sent.grow()
      sequence += 1
    }
  }

  /// False: the drain came first, which at a slow rate may be long before.
  private func awaitMoment(_ moment: UInt64) throws -> Bool {
    while case let now = monotonicNanoseconds(), now < moment {
      if stopping.load(ordering: .relaxed) { return false }
      try sleep(for: .nanoseconds(Int64(min(moment - now, 100_000_000))))
    }
    return true
  }

  private func stage(_ stage: Int, _ lane: Int) throws {
    let inlet = queues[lane][stage - 1]
    let outlet = queues[lane][stage]
    defer { outlet.close() }
    while var item = try inlet.receive() {
      item.value = Pipeline.apply(stage: stage, to: item.value, sequence: item.sequence, iterations: iterations)
      try outlet.send(item)
    }
  }

  private func sink(_ lane: Int) throws {
    let inlet = queues[lane][parameters.stages]
    let row = sinks[lane]
    let recorder = recorders?[lane]
    if isGated { try standStill(lane) }
    var expected = 0
    while let item = try inlet.receive() {
      row.pointee.received.grow()
      if Int(item.lane) != lane || item.sequence != expected { row.pointee.outOfOrder.grow() }
      expected = item.sequence + 1
      row.pointee.checksum.grow(by: item.value)
      if let recorder {
        let now = monotonicNanoseconds()
        if window.contains(now) {
          recorder.record(now - item.due)
          row.pointee.inWindow.grow()
        }
      }
    }
  }

  /// Takes nothing until the lane holds as much as it may, and a while longer.
  private func standStill(_ lane: Int) throws {
    let sent = { self.sources[lane].pointee.sent.value }
    while sent() < parameters.laneCapacity { try sleep(for: .milliseconds(5)) }
    try sleep(for: .nanoseconds(Int64(Pipeline.stillNanoseconds)))
    sinks[lane].pointee.admittedWhileStopped.store(sent(), ordering: .relaxed)
    closedGates.done()
  }

  private func ledger() -> Ledger {
    let admitted = (0..<parameters.lanes).map { sinks[$0].pointee.admittedWhileStopped.value }
    var ledger: Ledger = [
      "unitsStarted": sources.sum { $0.started.value }, "unitsFinished": sources.sum { $0.finished.value },
      "itemsSent": sources.sum { $0.sent.value }, "itemsReceived": sinks.sum { $0.received.value },
      "itemsOutOfOrder": sinks.sum { $0.outOfOrder.value }, "checksum": sinks.sum { $0.checksum.value },
      "leastAdmittedWhileStopped": admitted.min() ?? 0, "mostAdmittedWhileStopped": admitted.max() ?? 0,
    ]
    for lane in 0..<parameters.lanes { ledger[Pipeline.laneCount(lane)] = sinks[lane].pointee.received.value }
    return ledger
  }
}
