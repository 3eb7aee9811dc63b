// pipeline with async/await. Idiom: a task per source, stage and sink; the queues between them are the loop's bounded
// channels; the end of a channel is the end of the loop over it.
//
// A lane is on one loop from end to end: its tasks take turns there, each runs until its inlet is empty or its outlet is
// full, and a wake-up is a word in the loop's own queue. So an item costs a switch only once in some `capacity` hops, and
// no lock is ever contended. Lanes go to the loops in turn.

import EventLoop
import ModelKit
import Workloads

func runPipeline(_ session: Session) throws {
  let parameters = try session.parameters(Pipeline.Parameters.init)
  let work = parameters.workNanoseconds
  let iterations = work > 0 ? try session.iterations(nanoseconds: work) : 0
  try Conductor.run(session, loops: min(session.request.workers, parameters.lanes)) { conductor in
    let window = try await conductor.begin()
    let line = PipelineRun(parameters, iterations: iterations, window, isGated: session.isGated)
    let loops = EventLoops.all
    let units = (0..<parameters.lanes).flatMap { lane in line.start(lane, on: loops[lane % loops.count]) }
    try await line.roll.complete()
    let start = monotonicNanoseconds()
    for lane in line.lanes { _ = try lane.start.trySend(start) }

    let counter: (() -> Int)? = line.isPaced ? nil : { line.lanes.map(\.received).total }
    try await conductor.conduct(window, operations: counter) {
      line.stop.raise()
      var total = PipelineRun.Outcome()
      for unit in units { total.add(try await unit.value) }
      return (line.ledger(total, unitsFinished: units.count), line.result)
    }
  }
}

final class PipelineRun: Sendable {
  struct Item: Sendable {
    let lane: Int
    let sequence: Int
    var value: UInt64
    /// When it was due, with load=paced.
    let due: UInt64
  }

  struct Lane: Sendable {
    /// One before each stage, and one before the sink.
    let queues: [AsyncChannel<Item>]
    /// Brings the source the moment at which all lanes start.
    let start = AsyncChannel<UInt64>(capacity: 1)
    let sent = Tally()
    let received = Tally()
    /// With load=paced: those that were sampled, which are the window's operations.
    let sampled = Tally()
  }

  /// What a unit tells when it has ended. Only sinks have more to tell than that.
  struct Outcome: Sendable {
    var outOfOrder = 0
    var checksum: UInt64 = 0
    var leastAdmitted: Int?
    var mostAdmitted: Int?

    mutating func add(_ other: Outcome) {
      outOfOrder += other.outOfOrder
      checksum &+= other.checksum
      leastAdmitted = [leastAdmitted, other.leastAdmitted].compactMap { $0 }.min()
      mostAdmitted = [mostAdmitted, other.mostAdmitted].compactMap { $0 }.max()
    }
  }

  /// A stage that never has to wait gives way after so many items, so that its loop has time for others.
  private static let turn = 64

  let lanes: [Lane]
  let roll: RollCall
  let stop = StopFlag()
  private let parameters: Pipeline.Parameters
  private let iterations: Int
  private let window: Window
  private let isGated: Bool
  let isPaced: Bool
  /// Sinks whose gate is open.
  private let opened: RollCall
  /// With load=paced, one a lane: its sink writes it.
  private let recorders: Recorders?

  init(_ parameters: Pipeline.Parameters, iterations: Int, _ window: Window, isGated: Bool) {
    self.parameters = parameters
    self.iterations = iterations
    self.window = window
    self.isGated = isGated
    isPaced = parameters.load != .saturated
    lanes = (0..<parameters.lanes).map { _ in
      Lane(queues: (0...parameters.stages).map { _ in AsyncChannel(capacity: parameters.capacity) })
    }
    roll = RollCall(parameters.units)
    opened = RollCall(parameters.lanes)
    recorders = isPaced ? Recorders(count: parameters.lanes) : nil
  }

  /// Starts a lane's units, from the sink to the source.
  func start(_ lane: Int, on loop: EventLoop) -> [Task<Outcome, any Error>] {
    let sink = loop.spawn { try await self.sink(lane) }
    let stages = (1...parameters.stages).map { stage in loop.spawn { try await self.stage(stage, of: lane) } }
    return [sink] + stages + [loop.spawn { try await self.source(lane) }]
  }

  private func source(_ index: Int) async throws -> Outcome {
    roll.arrive()
    let lane = lanes[index]
    let start = try await lane.start.receive() ?? 0
    var sequence = 0
    repeat {
      let due = start + parameters.due(lane: index, sequence: sequence)
      if isPaced, monotonicNanoseconds() < due { try await EventLoop.sleep(untilNanoseconds: due) }
      let value = Pipeline.firstValue(lane: index, sequence: sequence)
      try await lane.queues[0].send(Item(lane: index, sequence: sequence, value: value, due: due))
      lane.sent.count()
      sequence += 1
    } while !stop.isUp || isGated && opened.count < lanes.count
    lane.queues[0].close()
    return Outcome()
  }

  private func stage(_ stage: Int, of lane: Int) async throws -> Outcome {
    roll.arrive()
    let (inlet, outlet) = (lanes[lane].queues[stage - 1], lanes[lane].queues[stage])
    var handled = 0
    while var item = try await inlet.receive() {
      item.value = Pipeline.apply(stage: stage, to: item.value, sequence: item.sequence, iterations: iterations)
      try await outlet.send(item)
      handled += 1
      if handled % Self.turn == 0 { await Task.yield() }
    }
    outlet.close()
    return Outcome()
  }

  private func sink(_ index: Int) async throws -> Outcome {
    roll.arrive()
    let lane = lanes[index]
    var outcome = Outcome()
    if isGated {
      let admitted = try await standStill(lane)
      (outcome.leastAdmitted, outcome.mostAdmitted) = (admitted, admitted)
      opened.arrive()
    }
    let recorder = recorders?[index]
    var expected = 0
    while let item = try await lane.queues[parameters.stages].receive() {
      if item.lane != index || item.sequence != expected { outcome.outOfOrder += 1 }
      expected = item.sequence + 1
      outcome.checksum &+= item.value
      lane.received.count()
      if let recorder {
        let now = monotonicNanoseconds()
        if window.contains(now) {
          recorder.record(now - item.due)
          lane.sampled.count()
        }
      }
    }
    return outcome
  }

  /// The gate: takes nothing until the lane has stood full for a while. Returns what it has taken in by then.
  private func standStill(_ lane: Lane) async throws -> Int {
    var fullSince: UInt64?
    while true {
      let now = monotonicNanoseconds()
      if lane.sent.value >= parameters.laneCapacity, fullSince == nil { fullSince = now }
      if let fullSince, now - fullSince >= Pipeline.stillNanoseconds { return lane.sent.value }
      try await EventLoop.sleep(for: .milliseconds(5))
    }
  }

  func ledger(_ total: Outcome, unitsFinished: Int) -> Ledger {
    var ledger: Ledger = [
      "unitsStarted": roll.count, "unitsFinished": unitsFinished,
      "itemsSent": lanes.map(\.sent).total, "itemsReceived": lanes.map(\.received).total,
      "itemsOutOfOrder": total.outOfOrder, "checksum": Int(bitPattern: UInt(total.checksum)),
      "leastAdmittedWhileStopped": total.leastAdmitted ?? 0, "mostAdmittedWhileStopped": total.mostAdmitted ?? 0,
    ]
    for (index, lane) in lanes.enumerated() { ledger[Pipeline.laneCount(index)] = lane.received.value }
    return ledger
  }

  var result: InProcessResult {
    guard let recorders else { return InProcessResult() }
    return InProcessResult(operations: lanes.map(\.sampled).total, latencies: recorders.merged())
  }
}
