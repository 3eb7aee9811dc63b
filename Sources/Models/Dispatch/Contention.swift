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

/// A unit. Sendable because its sections run one after another, each queue handing it on to the next; its count of
/// sections, the only thing that is read meanwhile, is atomic.
private final class Contender: @unchecked Sendable {
  let sections = Atomic(0)
  private unowned(unsafe) let crowd: ContentionCrowd
  private var counter: Int
  /// Made once; see Unit.
  private var turn: (@convention(block) @Sendable () -> Void)!

  init(_ number: Int, of crowd: ContentionCrowd) {
    self.crowd = crowd
    counter = number % crowd.counters.count
    turn = { [unowned(unsafe) self] in run() }
  }

  /// Asks for the first section.
  func start() { crowd.counters[counter].queue.async(execute: turn) }

  private func run() {
    let crowd = crowd
    let counters = crowd.counters
    section(counters[counter], crowd)
    sections.countAlone()
    if crowd.isStopping.load(ordering: .relaxed) { return crowd.leave() }
    counter += 1
    if counter == counters.count { counter = 0 }
    counters[counter].queue.async(execute: turn)
  }

  private func section(_ counter: Counter, _ crowd: ContentionCrowd) {
    let value = counter.value
    let work = Contention.work(counter: value, iterations: crowd.iterations)
    if crowd.isGated {
      usleep(UInt32(Contention.gateNanoseconds / 1_000))
      crowd.sectionsGivenWay.count()
    }
    counter.checksum &+= work
    counter.value = value + 1
  }
}

/// Sendable because it is built before the units start, and written to by the driver only, in what it alone reads.
final class ContentionCrowd: @unchecked Sendable {
  fileprivate let counters: [Counter]
  fileprivate let iterations: Int
  fileprivate let isGated: Bool
  /// Relaxed: it orders nothing, and a section later is soon enough.
  fileprivate let isStopping = Atomic(false)
  fileprivate let sectionsGivenWay = Atomic(0)
  private let unitsFinished = Atomic(0)
  private let unfinished = DispatchGroup()
  private var contenders: [Contender] = []

  /// Runs one trial.
  static func press(_ session: Session) throws {
    let parameters = try session.parameters(Contention.Parameters.init)
    let iterations =
      parameters.holdNanoseconds == 0 ? 0 : try session.iterations(nanoseconds: parameters.holdNanoseconds)
    try session.ready()
    let window = try session.awaitBegin()
    let crowd = ContentionCrowd(
      parameters, iterations: iterations, isGated: session.isGated, workers: session.request.workers)
    crowd.start(units: parameters.units)
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
        crowd.isStopping.store(true, ordering: .relaxed)
        crowd.unfinished.wait()
        guard atEdges.count == 2 else { return InProcessResult() }
        return InProcessResult(measures: Contention.spread(zip(atEdges[1], atEdges[0]).map { $0 - $1 }))
      })
  }

  private init(_ parameters: Contention.Parameters, iterations: Int, isGated: Bool, workers: Int) {
    let lanes = makeLanes(workers)
    counters = (0..<parameters.locks).map { Counter(target: lanes[$0 * lanes.count / parameters.locks]) }
    self.iterations = iterations
    self.isGated = isGated
  }

  private func start(units: Int) {
    contenders = (0..<units).map { Contender($0, of: self) }
    for contender in contenders {
      unfinished.enter()
      contender.start()
    }
  }

  fileprivate func leave() {
    unitsFinished.count()
    unfinished.leave()
  }

  private var sections: [Int] { contenders.map { $0.sections.value } }

  /// Counters are read only once the units have been joined; at the edges they are left out.
  private var ledger: Ledger {
    let sections = sections
    var ledger: Ledger = [
      "unitsStarted": contenders.count, "unitsFinished": unitsFinished.value, "sections": sections.reduce(0, +),
      "unitsWithSections": sections.count { $0 > 0 }, "sectionsGivenWay": sectionsGivenWay.value,
    ]
    guard unitsFinished.value == contenders.count else { return ledger }
    for (lock, counter) in counters.enumerated() { ledger[Contention.lockCount(lock)] = counter.value }
    ledger["checksum"] = Int(truncatingIfNeeded: counters.reduce(0 as UInt64) { $0 &+ $1.checksum })
    return ledger
  }
}
