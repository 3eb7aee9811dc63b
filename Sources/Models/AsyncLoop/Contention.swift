// contention with async/await. Idiom: each counter is an actor, a section is a call of it, and each unit a task.
//
// No more loops have units than sections can be under way at once, one for each lock: on one loop an actor is always free
// when it is called, the call goes in and out without a job, and the units take turns when they give way. CONTENTIONSPREAD

import EventLoop
import Glibc
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
    let units = (0..<parameters.units).map { unit in loops[unit % loops.count].spawn { await run.unit(unit) } }

    var atEdge: [Edge: [Int]] = [:]
    try await conductor.conduct(window, edge: { atEdge[$0] = run.sections.map(\.value) }) {
      run.stop.raise()
      var givenWay = 0
      for unit in units { givenWay += try await unit.value }
      let inWindow = zip(atEdge[.open, default: []], atEdge[.close, default: []]).map { $1 - $0 }
      return (
        await run.ledger(givenWay: givenWay, unitsFinished: units.count),
        InProcessResult(operations: inWindow.reduce(0, +), measures: Contention.spread(inWindow))
      )
    }
  }
}

actor Counter {
  private(set) var value = 0
  private(set) var checksum: UInt64 = 0

  func section(iterations: Int) {
    let found = value
    checksum &+= Contention.work(counter: found, iterations: iterations)
    value = found + 1
  }

  /// An actor lets others in while it is suspended, so that its thread must sleep instead.
  func gatedSection(iterations: Int) {
    let found = value
    usleep(UInt32(Contention.gateNanoseconds / 1_000))
    checksum &+= Contention.work(counter: found, iterations: iterations)
    value = found + 1
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
  func unit(_ number: Int) async -> Int {
    started.count()
    let mine = sections[number]
    var givenWay = 0
    var next = number % counters.count
    repeat {
      if isGated {
        await counters[next].gatedSection(iterations: iterations)
        givenWay += 1
      } else {
        await counters[next].section(iterations: iterations)
      }
      next = next + 1 == counters.count ? 0 : next + 1
      mine.count()
      if mine.value % Contention.turn == 0 { await Task.yield() }
    } while !stop.isUp
    return givenWay
  }

  func ledger(givenWay: Int, unitsFinished: Int) async -> Ledger {
    var ledger: Ledger = [
      "unitsStarted": started.value, "unitsFinished": unitsFinished, "sections": sections.total,
      "unitsWithSections": sections.count { $0.value > 0 }, "sectionsGivenWay": givenWay,
    ]
    var checksum: UInt64 = 0
    for (index, counter) in counters.enumerated() {
      ledger[Contention.lockCount(index)] = await counter.value
      checksum &+= await counter.checksum
    }
    ledger["checksum"] = Int(bitPattern: UInt(checksum))
    return ledger
  }
}
