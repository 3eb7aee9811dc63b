// What a pipeline is made of: sources, stages and sinks, each a state machine on its serial queue.

import Dispatch
import ModelKit
import Synchronization
import Workloads

final class Source: Unit, @unchecked Sendable {
  let sent = Atomic(0)
  private unowned(unsafe) let line: PipelineLine
  private let number: Int
  private let isPaced: Bool
  private let outlet: PipelineQueue
  /// With load=paced: a timer that ticks whenever an item is due.
  private var timer: (any DispatchSourceTimer)?
  private var start: UInt64 = 0
  private var sequence = 0
  private var hasEnded = false

  init(on lane: DispatchQueue, of line: PipelineLine, outlet: PipelineQueue) {
    self.line = line
    number = line.number
    isPaced = line.recorder != nil
    self.outlet = outlet
    super.init(on: lane)
  }

  /// 0 where nothing is paced.
  private func due(_ sequence: Int) -> UInt64 {
    isPaced ? start + line.plant.parameters.due(lane: number, sequence: sequence) : 0
  }

  /// On the lane.
  func begin(at start: UInt64) {
    self.start = start
    if isPaced {
      let timer = DispatchSource.makeTimerSource(queue: lane)
      timer.setEventHandler { [unowned(unsafe) self] in run() }
      timer.setCancelHandler { [unowned(unsafe) self] in line.plant.finish() }
      self.timer = timer
      schedule()
      timer.activate()
    } else {
      run()
    }
  }

  /// A repeating timer saves arming one an item. Its interval is rounded up, so that no tick comes before its item is
  /// due, and the nanoseconds that this adds are taken back once in a thousand ticks.
  private func schedule() {
    let interval = due(sequence + 1) - due(sequence) + 1
    timer?.schedule(deadline: DispatchTime(uptimeNanoseconds: due(sequence)), repeating: .nanoseconds(Int(interval)))
  }

  override func run() {
    guard !hasEnded else { return }
    let plant = line.plant
    let now = isPaced ? monotonicNanoseconds() : 0
    repeat {
      let due = due(sequence)
      if due > now {
        guard plant.mayStop else { return }
        break
      }
      let value = Pipeline.firstValue(lane: number, sequence: sequence)
      let item = PipelineItem(lane: number, sequence: sequence, value: value, due: due)
      guard outlet.put(item) else { return }
      sent.countAlone()
      sequence += 1
      if isPaced && sequence % 1_000 == 0 { schedule() }
    } while !plant.mayStop
    hasEnded = true
    outlet.close()
    if isPaced { timer?.cancel() } else { plant.finish() }
  }
}

final class Stage: Unit, @unchecked Sendable {
  private unowned(unsafe) let line: PipelineLine
  private let number: Int
  private let inlet: PipelineQueue
  private let outlet: PipelineQueue
  private var inHand: PipelineItem?
  private var hasEnded = false

  init(_ number: Int, on lane: DispatchQueue, of line: PipelineLine, inlet: PipelineQueue, outlet: PipelineQueue) {
    self.number = number
    self.line = line
    self.inlet = inlet
    self.outlet = outlet
    super.init(on: lane)
  }

  override func run() {
    guard !hasEnded else { return }
    let iterations = line.plant.iterations
    if let item = inHand {
      guard outlet.put(item) else { return }
      inHand = nil
    }
    while var item = inlet.take() {
      item.value = Pipeline.apply(stage: number, to: item.value, sequence: item.sequence, iterations: iterations)
      guard outlet.put(item) else {
        inHand = item
        return
      }
    }
    if inlet.isAtEnd {
      hasEnded = true
      outlet.close()
      line.plant.finish()
    }
  }
}

final class Sink: Unit, @unchecked Sendable {
  let received = Atomic(0)
  /// With load=paced: those that were sampled, which are the window's operations.
  let sampled = Atomic(0)
  let outOfOrder = Atomic(0)
  let checksum = Atomic<UInt64>(0)
  /// Gated: what had been admitted when the sink began to take.
  let admitted = Atomic(0)
  private unowned(unsafe) let line: PipelineLine
  private let inlet: PipelineQueue
  private var expected = 0
  private var isStandingStill: Bool
  private var hasEnded = false

  init(on lane: DispatchQueue, of line: PipelineLine, inlet: PipelineQueue) {
    self.line = line
    self.inlet = inlet
    isStandingStill = line.plant.isGated
    super.init(on: lane)
  }

  /// Gated: takes nothing until the gate opens. On the lane.
  func begin(source: Source) {
    guard isStandingStill else { return }
    _ = Gate(
      on: lane, target: line.plant.parameters.laneCapacity, still: Pipeline.stillNanoseconds,
      admitted: { source.sent.value },
      open: { [unowned(unsafe) self] admitted in
        self.admitted.store(admitted, ordering: .relaxed)
        isStandingStill = false
        line.plant.opened()
        wake()
      })
  }

  override func run() {
    guard !isStandingStill && !hasEnded else { return }
    let (number, recorder, window) = (line.number, line.recorder, line.plant.window)
    while let item = inlet.take() {
      received.countAlone()
      if item.lane != number || item.sequence != expected { outOfOrder.countAlone() }
      expected = item.sequence + 1
      checksum.addAlone(item.value)
      if let recorder {
        let now = monotonicNanoseconds()
        if window.contains(now) {
          recorder.record(now - item.due)
          sampled.countAlone()
        }
      }
    }
    if inlet.isAtEnd {
      hasEnded = true
      line.plant.finish()
    }
  }
}
