// pipeline with Dispatch. Idiom: a unit is a state machine on a serial queue; where a queue is full or empty it parks by
// returning, with its item in hand, and its neighbour schedules its next turn.
//
// The units of a lane share one serial queue, so that a hop is a few loads and stores, and one block moves as many items
// as there are: locks or atomics between stages would cost more than all the rest. With fewer lanes than workers, and
// stages that burn CPU, a lane is cut into segments, each on a queue of its own; between segments items travel as blocks.

import Dispatch
import ModelKit
import Synchronization
import Workloads

/// One of the lanes, named as its contract names it.
final class PipelineLine {
  let number: Int
  unowned(unsafe) let plant: PipelinePlant
  /// With load=paced; the sink's.
  let recorder: Recorder?
  private(set) var source: Source!
  private(set) var stages: [Stage] = []
  private(set) var sink: Sink!

  init(_ number: Int, of plant: PipelinePlant, recorder: Recorder?) {
    self.number = number
    self.plant = plant
    self.recorder = recorder
    let parameters = plant.parameters
    let queues = (0...parameters.stages).map { _ in PipelineQueue(capacity: parameters.capacity) }
    source = Source(on: plant.lane(line: number, unit: 0), of: self, outlet: queues[0])
    stages = (1...parameters.stages).map { stage in
      Stage(
        stage, on: plant.lane(line: number, unit: stage), of: self, inlet: queues[stage - 1], outlet: queues[stage])
    }
    sink = Sink(
      on: plant.lane(line: number, unit: parameters.stages + 1), of: self, inlet: queues[parameters.stages])
    let units: [Unit] = [source] + stages + [sink]
    for (queue, ends) in zip(queues, zip(units, units.dropFirst())) { queue.connect(ends.0, ends.1) }
  }

  func begin(at start: UInt64) {
    let (source, sink) = (source!, sink!)
    sink.lane.async { sink.begin(source: source) }
    source.lane.async { source.begin(at: start) }
  }
}

/// All lanes. Sendable because it is built before the units start, and its counts and flags are atomic.
final class PipelinePlant: @unchecked Sendable {
  let parameters: Pipeline.Parameters
  let iterations: Int
  let isGated: Bool
  let window: Window
  private let lanes: [DispatchQueue]
  private var lines: [PipelineLine] = []
  private let recorders: Recorders?
  // Relaxed: they order nothing, and an item later is soon enough.
  private let isStopping = Atomic(false)
  private let gatesClosed: Atomic<Int>
  private let unitsFinished = Atomic(0)
  private let unfinished = DispatchGroup()

  /// Runs one trial.
  static func run(_ session: Session) throws {
    let parameters = try session.parameters(Pipeline.Parameters.init)
    let iterations =
      parameters.workNanoseconds == 0 ? 0 : try session.iterations(nanoseconds: parameters.workNanoseconds)
    try session.ready()
    let window = try session.awaitBegin()
    let plant = PipelinePlant(
      parameters, iterations: iterations, isGated: session.isGated, window: window, workers: session.request.workers)
    let counter: (() -> Int)? = plant.recorders == nil ? { plant.received } : nil
    try session.conduct(
      window, operations: counter, ledger: { plant.ledger }, drain: { plant.drain() })
  }

  private init(_ parameters: Pipeline.Parameters, iterations: Int, isGated: Bool, window: Window, workers: Int) {
    self.parameters = parameters
    self.iterations = iterations
    self.isGated = isGated
    self.window = window
    lanes = makeLanes(workers)
    gatesClosed = Atomic(isGated ? parameters.lanes : 0)
    if case .paced = parameters.load {
      recorders = Recorders(count: parameters.lanes)
    } else {
      recorders = nil
    }
    lines = (0..<parameters.lanes).map { PipelineLine($0, of: self, recorder: recorders?[$0]) }
    for _ in 0..<parameters.units { unfinished.enter() }
    let start = recorders == nil ? 0 : monotonicNanoseconds()
    for line in lines { line.begin(at: start) }
  }

  /// Where a unit of a line lives; unit 0 is the source. Only what burns CPU is worth a hop from thread to thread.
  func lane(line: Int, unit: Int) -> DispatchQueue {
    let segments = parameters.workNanoseconds == 0 ? 1 : max(1, lanes.count / parameters.lanes)
    return lanes[(line * segments + unit * segments / (parameters.stages + 2)) % lanes.count]
  }

  var mayStop: Bool {
    isStopping.load(ordering: .relaxed) && gatesClosed.load(ordering: .relaxed) == 0
  }

  func opened() { gatesClosed.subtract(1, ordering: .relaxed) }

  func finish() {
    unitsFinished.count()
    unfinished.leave()
  }

  private func drain() -> InProcessResult {
    isStopping.store(true, ordering: .relaxed)
    // A source may wait until an item is due.
    for source in lines.map({ $0.source! }) { source.lane.async { source.wake() } }
    unfinished.wait()
    lanes.settle()  // room that went back to a lane may still be on its way
    guard let recorders else { return InProcessResult() }
    return InProcessResult(
      operations: lines.reduce(0) { $0 + $1.sink.sampled.value }, latencies: recorders.merged())
  }

  private var received: Int { lines.reduce(0) { $0 + $1.sink.received.value } }

  private var ledger: Ledger {
    let admitted = lines.map { $0.sink.admitted.value }
    var ledger: Ledger = [
      "unitsStarted": lines.reduce(0) { $0 + $1.stages.count + 2 }, "unitsFinished": unitsFinished.value,
      "itemsSent": lines.reduce(0) { $0 + $1.source.sent.value }, "itemsReceived": received,
      "itemsOutOfOrder": lines.reduce(0) { $0 + $1.sink.outOfOrder.value },
      "checksum": lines.reduce(0) { $0 &+ $1.sink.checksum.signed },
      "leastAdmittedWhileStopped": admitted.min() ?? 0, "mostAdmittedWhileStopped": admitted.max() ?? 0,
    ]
    for line in lines { ledger[Pipeline.laneCount(line.number)] = line.sink.received.value }
    return ledger
  }
}
