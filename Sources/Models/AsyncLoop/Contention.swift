// contention with async/await. Idiom: each unit is a task, and each counter has the loops' mutex, which suspends whoever
// has to wait and may be held over a suspension.
//
// No more loops have units than sections can be under way at once, one for each lock. So with one lock all units are on
// one loop, where a section costs 53 ns; spread over two they cost 700 to 2,000, since most sections then end by waking
// a task of the other loop. Beside it, on one loop: an actor 83 ns a section (175 to 190 on two), and a plain lock of the
// standard library 28 ns (85 to 97 on two), which stops the whole loop wherever it has to wait.

import EventLoop
import ModelKit
import Synchronization
import Workloads

func runContention(_ session: Session) throws {
  let parameters = try session.parameters(Contention.Parameters.init)
  let hold = parameters.holdNanoseconds
  let iterations = hold > 0 ? try session.iterations(nanoseconds: hold) : 0
  // A gated check wants units that really meet.
  let sections = session.isGated ? parameters.units : min(parameters.units, parameters.locks)
  try Conductor.run(session, loops: min(session.request.workers, sections)) { conductor in
    let window = try await conductor.begin()
    let run = ContentionRun(parameters, iterations: iterations, isGated: session.isGated)
    let loops = EventLoops.all
    let units = (0..<parameters.units).map { unit in loops[unit % loops.count].spawn { try await run.unit(unit) } }

    var atEdge: [Edge: [Int]] = [:]
    try await conductor.conduct(window, edge: { atEdge[$0] = run.sections.map(\.value) }) {
      run.stop.raise()
      var givenWay = 0
      for unit in units { givenWay += try await unit.value }
      let inWindow = zip(atEdge[.open, default: []], atEdge[.close, default: []]).map { $1 - $0 }
      return (
        run.ledger(givenWay: givenWay, unitsFinished: units.count),
        InProcessResult(operations: inWindow.reduce(0, +), measures: Contention.spread(inWindow))
      )
    }
  }
}

/// Unchecked: both numbers are reached with the lock held only.
final class Counter: @unchecked Sendable {
  private let mutex = AsyncMutex()
  @exclusivity(unchecked) private(set) var value = 0
  @exclusivity(unchecked) private(set) var checksum: UInt64 = 0

  func section(iterations: Int, givesWay: Bool) async throws {
    try await mutex.withLock {
      let found = value
      if givesWay { await Task.yield() }
      checksum &+= Contention.work(counter: found, iterations: iterations)
      value = found + 1
    }
  }
}

final class ContentionRun: Sendable {
  let stop = StopFlag()
  let sections: [Tally]
  private let counters: [Counter]
  private let iterations: Int
  private let isGated: Bool
  private let started = Atomic(0)

  init(_ parameters: Contention.Parameters, iterations: Int, isGated: Bool) {
    sections = (0..<parameters.units).map { _ in Tally() }
    counters = (0..<parameters.locks).map { _ in Counter() }
    self.iterations = iterations
    self.isGated = isGated
  }

  /// Returns the sections in which it gave way.
  func unit(_ number: Int) async throws -> Int {
    started.count()
    let mine = sections[number]
    var givenWay = 0
    var next = number % counters.count
    repeat {
      try await counters[next].section(iterations: iterations, givesWay: isGated)
      if isGated { givenWay += 1 }
      next = next + 1 == counters.count ? 0 : next + 1
      mine.count()
      if mine.value % Contention.turn == 0 { await Task.yield() }
    } while !stop.isUp
    return givenWay
  }

  func ledger(givenWay: Int, unitsFinished: Int) -> Ledger {
    var ledger: Ledger = [
      "unitsStarted": started.value, "unitsFinished": unitsFinished, "sections": sections.total,
      "unitsWithSections": sections.count { $0.value > 0 }, "sectionsGivenWay": givenWay,
    ]
    var checksum: UInt64 = 0
    for (index, counter) in counters.enumerated() {
      ledger[Contention.lockCount(index)] = counter.value
      checksum &+= counter.checksum
    }
    ledger["checksum"] = Int(bitPattern: UInt(checksum))
    return ledger
  }
}
