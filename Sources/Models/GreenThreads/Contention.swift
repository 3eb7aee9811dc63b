// contention with green threads. Idiom: GreenThreads.Mutex around ordinary memory. A unit that finds the lock held
// parks and its worker runs another; the lock is handed over in the order of arrival.

import GreenThreads
import ModelKit
import Synchronization
import Workloads

/// Unchecked: a counter's value and checksum are only touched under its mutex, or after all units have been joined.
final class ContentionTrial: @unchecked Sendable {
  /// A unit's counts, written by it alone.
  private struct Row: ~Copyable {
    let started = Atomic(0), finished = Atomic(0)
    let sections = Atomic(0), givenWay = Atomic(0)
  }

  private struct Counter: ~Copyable {
    var value = 0
    var checksum: UInt64 = 0
  }

  private let parameters: Contention.Parameters
  private let iterations: Int
  private let isGated: Bool
  /// Beside the counters: whoever comes to a lock would share the line that its holder writes to.
  private let mutexes: [GreenThreads.Mutex]
  private let counters: Rows<Counter>
  private let rows: Rows<Row>
  private let stopping = Atomic(false)

  static func run(_ session: Session) throws {
    let parameters = try session.parameters(Contention.Parameters.init)
    let iterations =
      parameters.holdNanoseconds == 0 ? 0 : try session.iterations(nanoseconds: parameters.holdNanoseconds)
    try Limits.admit(units: parameters.units, bytes: parameters.units * Session.bytesPerUnit)
    try session.ready()
    let window = try session.awaitBegin()
    try session.onUnits {
      try ContentionTrial(parameters, iterations, isGated: session.isGated).run(session, window)
    }
  }

  private init(_ parameters: Contention.Parameters, _ iterations: Int, isGated: Bool) {
    self.parameters = parameters
    self.iterations = iterations
    self.isGated = isGated
    mutexes = (0..<parameters.locks).map { _ in GreenThreads.Mutex() }
    counters = Rows(count: parameters.locks) { _ in Counter() }
    rows = Rows(count: parameters.units) { _ in Row() }
  }

  private func run(_ session: Session, _ window: Window) throws {
    // What each unit had run when the number of sections was last asked for: at the edges.
    var sections: [[Int]] = []
    let operations = try withScope { scope in
      for unit in 0..<parameters.units {
        try scope.spawn(name: "contender") { try self.contend(unit) }
      }
      defer { stopping.store(true, ordering: .relaxed) }
      return try session.conduct(
        window,
        operations: {
          sections.append((0..<parameters.units).map { rows[$0].pointee.sections.value })
          return sections[sections.count - 1].reduce(0, +)
        },
        ledger: { ledger(isComplete: false) })
    }
    var measures: [Measure] = []
    if sections.count == 2 { measures = Contention.spread(zip(sections[1], sections[0]).map { $0 - $1 }) }
    try session.finish(ledger(isComplete: true), InProcessResult(operations: operations, measures: measures))
  }

  private func contend(_ unit: Int) throws {
    let row = rows[unit]
    row.pointee.started.grow()
    var section = 0
    repeat {
      let lock = (unit + section) % parameters.locks
      let counter = counters[lock]
      try mutexes[lock].withLock {
        let value = counter.pointee.value
        if isGated {
          yield()
          row.pointee.givenWay.grow()
        }
        counter.pointee.checksum &+= Contention.work(counter: value, iterations: iterations)
        counter.pointee.value = value + 1
      }
      row.pointee.sections.grow()
      section += 1
      // It cannot tell whether it has waited meanwhile.
      if section % Contention.turn == 0 { yield() }
    } while !stopping.load(ordering: .relaxed)
    row.pointee.finished.grow()
  }

  /// - Parameter isComplete: all units have been joined, so that the counters may be read.
  private func ledger(isComplete: Bool) -> Ledger {
    var ledger: Ledger = [
      "unitsStarted": rows.sum { $0.started.value }, "unitsFinished": rows.sum { $0.finished.value },
      "sections": rows.sum { $0.sections.value },
      "unitsWithSections": rows.sum { $0.sections.value > 0 ? 1 : 0 },
      "sectionsGivenWay": rows.sum { $0.givenWay.value },
    ]
    guard isComplete else { return ledger }
    ledger["checksum"] = counters.sum { Int(truncatingIfNeeded: $0.checksum) }
    for lock in 0..<parameters.locks { ledger[Contention.lockCount(lock)] = counters[lock].pointee.value }
    return ledger
  }
}
