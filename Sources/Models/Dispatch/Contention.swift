// contention with Dispatch. Idiom: the lock is a serial queue, a critical section is a block on it; a unit is a chain of
// such blocks, each of which puts the next one into the next counter's queue.
//
// `sync` from as many threads as there are workers would be the same exclusion at the price of blocked threads: each
// section that finds the queue taken waits on a futex. Counters' queues have a worker's queue as their target, neighbours
// the same, so that a unit that goes on to the next counter seldom goes on to another thread.

import Dispatch
import Glibc
import ModelKit
import Synchronization
import Workloads

/// A counter under its lock. Sendable because all but the queue is touched on the queue only, and read after the join.
private final class Counter: @unchecked Sendable {
  let queue: DispatchQueue
  var value = 0
  var checksum: UInt64 = 0

  init(target lane: DispatchQueue) { queue = DispatchQueue(label: "counter", target: lane) }
}

/// What all units want.
private final class Arena: Sendable {
  let counters: [Counter]
  let iterations: Int
  let isGated: Bool
  let stop = StopFlag()
  let sectionsGivenWay = Atomic(0)
  let unitsFinished = Atomic(0)
  let unfinished = DispatchGroup()

  init(_ parameters: Contention.Parameters, iterations: Int, isGated: Bool, workers: Int) {
    let lanes = makeLanes(workers)
    counters = (0..<parameters.locks).map { Counter(target: lanes[$0 * lanes.count / parameters.locks]) }
    self.iterations = iterations
    self.isGated = isGated
  }
}

/// A unit. Sendable because its sections run one after another, each queue handing it on to the next; its count of
/// sections, the only thing that is read meanwhile, is atomic.
private final class Contender: @unchecked Sendable {
  let sections = Atomic(0)
  private let arena: Arena
  private var counter: Int
  /// Made once, and without a reference to count: see Unit.
  private var turn: (@convention(block) @Sendable () -> Void)!

  init(_ number: Int, in arena: Arena) {
    self.arena = arena
    counter = number % arena.counters.count
    let unit = Unmanaged.passUnretained(self)
    turn = { unit._withUnsafeGuaranteedRef { $0.run() } }
  }

  /// Asks for the next section.
  func enter() { arena.counters[counter].queue.async(execute: turn) }

  private func run() {
    section(arena.counters[counter])
    sections.countAlone()
    if arena.stop.isUp {
      arena.unitsFinished.count()
      return arena.unfinished.leave()
    }
    counter += 1
    if counter == arena.counters.count { counter = 0 }
    enter()
  }

  private func section(_ counter: Counter) {
    let value = counter.value
    let work = Contention.work(counter: value, iterations: arena.iterations)
    if arena.isGated {
      usleep(UInt32(Contention.gateNanoseconds / 1_000))
      arena.sectionsGivenWay.count()
    }
    counter.checksum &+= work
    counter.value = value + 1
  }
}

/// The driver: starts the units and joins them.
struct ContentionCrowd {
  private let arena: Arena
  private let contenders: [Contender]

  /// Runs one trial.
  static func press(_ session: Session) throws {
    let parameters = try session.parameters(Contention.Parameters.init)
    let iterations =
      parameters.holdNanoseconds == 0 ? 0 : try session.iterations(nanoseconds: parameters.holdNanoseconds)
    try session.ready()
    let window = try session.awaitBegin()
    let arena = Arena(
      parameters, iterations: iterations, isGated: session.isGated, workers: session.request.workers)
    let crowd = ContentionCrowd(arena, units: parameters.units)
    /// Sections of each unit at the edges that have been.
    var atEdges: [[Int]] = []
    try session.conduct(
      window,
      operations: {
        atEdges.append(crowd.sections)
        return atEdges.last!.reduce(0, +)
      },
      ledger: { crowd.ledger },
      drain: {
        arena.stop.raise()
        arena.unfinished.wait()
        for counter in arena.counters { counter.queue.sync {} }
        guard atEdges.count == 2 else { return InProcessResult() }
        return InProcessResult(measures: Contention.spread(zip(atEdges[1], atEdges[0]).map { $0 - $1 }))
      })
  }

  private init(_ arena: Arena, units: Int) {
    self.arena = arena
    contenders = (0..<units).map { Contender($0, in: arena) }
    for contender in contenders {
      arena.unfinished.enter()
      contender.enter()
    }
  }

  private var sections: [Int] { contenders.map { $0.sections.value } }

  /// Counters are read only once the units have been joined; at the edges they are left out.
  private var ledger: Ledger {
    let sections = sections
    var ledger: Ledger = [
      "unitsStarted": contenders.count, "unitsFinished": arena.unitsFinished.value, "sections": sections.reduce(0, +),
      "unitsWithSections": sections.count { $0 > 0 }, "sectionsGivenWay": arena.sectionsGivenWay.value,
    ]
    guard arena.unitsFinished.value == contenders.count else { return ledger }
    for (lock, counter) in arena.counters.enumerated() { ledger[Contention.lockCount(lock)] = counter.value }
    ledger["checksum"] = Int(truncatingIfNeeded: arena.counters.reduce(0 as UInt64) { $0 &+ $1.checksum })
    return ledger
  }
}
