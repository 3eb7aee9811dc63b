// parked with async/await. Idiom: a task per unit that sleeps on the loop's own cancellable sleep; cancelling the task
// wakes it. A task on each loop starts that loop's share and keeps the handles.
//
// A unit costs some 1.7 KB: the task, a first slab for its frames, which the runtime makes of 1 KiB, the timer, a handle.
// The state is a block of the task's own on the heap, where a variable of that size would be: a task's frames are heap
// too. A block and not an array, whose header of 32 bytes would take 16 KiB to the allocator's next size, 20.
// Tasks of no group: a plain group would look for each that ends among a million others, in order of their start.

import EventLoop
import ModelKit
import Synchronization
import Workloads

func runParked(_ session: Session) throws {
  let parameters = try session.parameters(Parked.Parameters.init)
  try Limits.admit(units: parameters.units, bytes: parameters.units * (ParkedShare.bytesPerUnit + parameters.liveState))
  try Conductor.run(session, loops: min(session.request.workers, parameters.units)) { conductor in
    _ = try await conductor.begin()
    try session.report(.open, ledger: [:])
    let loops = EventLoops.all
    let shares = loops.indices.map { index in
      ParkedShare(parameters, first: index, stride: loops.count, isGated: session.isGated)
    }
    let starters = zip(loops, shares).map { loop, share in loop.spawn { await share.start() } }
    var units: [[Task<ParkedShare.Outcome, Never>]] = []
    for starter in starters { units.append(try await starter.value) }
    for share in shares { try await share.allParked.complete() }
    let parkedAtClose = shares.reduce(0) { $0 + $1.parked.value - $1.woken.value }
    try session.report(.close, ledger: ["unitsParked": shares.map(\.parked).total])

    try await conductor.awaitDrain()
    if !session.isGated { for unit in units.joined() { unit.cancel() } }
    var total = ParkedShare.Outcome()
    for unit in units.joined() { total.add(await unit.value) }
    let ledger: Ledger = [
      "unitsStarted": total.started, "unitsFinished": units.joined().count, "unitsParked": shares.map(\.parked).total,
      "unitsWoken": shares.map(\.woken).total, "statesIntact": total.intact, "parkedAtClose": parkedAtClose,
      "wokenByTimer": total.byTimer, "wokenEarly": total.early, "checksum": Int(bitPattern: UInt(total.checksum)),
    ]
    try conductor.finish(ledger, InProcessResult(operations: parameters.units))
  }
}

/// The units of one loop.
final class ParkedShare: Sendable {
  /// What a unit tells when it has woken.
  struct Outcome: Sendable {
    var started = 0
    var intact = 0
    var byTimer = 0
    var early = 0
    var checksum: UInt64 = 0

    mutating func add(_ other: Outcome) {
      started += other.started
      intact += other.intact
      byTimer += other.byTimer
      early += other.early
      checksum &+= other.checksum
    }
  }

  /// What a parked unit takes of the heap without its state, rounded up.
  static let bytesPerUnit = 2_048
  /// Tasks that are started before the loop has time for them and for others.
  private static let turn = 64

  let allParked: RollCall
  // Written by the tasks of this loop only: a task wakes where it has slept.
  let parked = Tally()
  let woken = Tally()
  private let numbers: StrideTo<Int>
  private let count: Int
  private let words: Int
  private let delay: UInt64

  init(_ parameters: Parked.Parameters, first: Int, stride: Int, isGated: Bool) {
    numbers = Swift.stride(from: first, to: parameters.units, by: stride)
    words = parameters.liveStateWords
    delay = Parked.delayNanoseconds(isGated: isGated)
    count = (parameters.units - first + stride - 1) / stride
    allParked = RollCall(count)
  }

  /// On the loop: starts its units.
  func start() async -> [Task<Outcome, Never>] {
    var units: [Task<Outcome, Never>] = []
    units.reserveCapacity(count)
    for number in numbers {
      units.append(Task { await self.unit(number) })
      if units.count % Self.turn == 0 { await Task.yield() }
    }
    return units
  }

  private func unit(_ number: Int) async -> Outcome {
    let state = UnsafeMutableBufferPointer<UInt64>.allocate(capacity: words)
    defer { state.deallocate() }
    Parked.fill(state, unit: number)
    let deadline = monotonicNanoseconds() + delay
    parked.count()
    allParked.arrive()
    let isByTimer = (try? await EventLoop.sleep(untilNanoseconds: deadline)) != nil
    woken.count()
    let (sum, isIntact) = Parked.sum(UnsafeBufferPointer(state), unit: number)
    return Outcome(
      started: 1, intact: isIntact ? 1 : 0, byTimer: isByTimer ? 1 : 0,
      early: isByTimer && monotonicNanoseconds() < deadline ? 1 : 0, checksum: sum)
  }
}
