// contention with threads. Idiom: a mutex around each counter.
//
// The plain mutex: who finds it taken sleeps, and who holds it is mostly through with thousands of sections before its
// time slice is over. The adaptive kind, which spins first, gained nothing with empty sections and lost a tenth to a
// quarter with sections of a microsecond, for it burns what the holder could use.

import Glibc
import ModelKit
import Synchronization
import Workloads

/// A counter and its checksum: ordinary memory. Sendable because both are only touched under `lock`.
private final class Counter: @unchecked Sendable {
  let lock = Lock()
  let value = UnsafeMutablePointer<(count: Int, checksum: UInt64)>.allocate(capacity: 1)

  init() { value.initialize(to: (0, 0)) }
  deinit { value.deallocate() }
}

final class ContentionCrowd: Sendable {
  private enum Count: Int, CaseIterable, Sendable { case started, sections, gaveWay, finished }

  private let parameters: Contention.Parameters
  private let iterations: Int
  private let isGated: Bool
  private let counters: [Counter]
  private let counts: CountRows<Count>
  /// Relaxed: a unit that misses it runs a section more.
  private let isStopping = Atomic(false)

  /// Runs one trial.
  static func run(_ session: Session) throws {
    let crowd = try ContentionCrowd(session)
    try session.ready()
    _ = try session.awaitBegin()
    try Limits.admit(threads: crowd.parameters.units)
    let units = try ThreadGroup.start(crowd.parameters.units) { crowd.run($0) }
    var atEdges: [[Int]] = []
    var hasEnded = false
    try session.conduct(
      session.window(),
      operations: {
        let sections = (0..<crowd.counts.rows).map { crowd.counts[$0][.sections] }
        atEdges.append(sections)
        return sections.reduce(0, +)
      },
      ledger: { crowd.ledger(isAtWork: !hasEnded) },
      drain: {
        crowd.isStopping.store(true, ordering: .relaxed)
        units.join()
        hasEnded = true
        return InProcessResult(
          measures: atEdges.count == 2 ? Contention.spread(zip(atEdges[0], atEdges[1]).map { $1 - $0 }) : [])
      })
  }

  private init(_ session: Session) throws {
    parameters = try session.parameters(Contention.Parameters.init)
    iterations = parameters.holdNanoseconds == 0 ? 0 : try session.iterations(nanoseconds: parameters.holdNanoseconds)
    isGated = session.isGated
    counters = (0..<parameters.locks).map { _ in Counter() }
    counts = CountRows(rows: parameters.units)
  }

  private func run(_ unit: Int) {
    let counts = self.counts[unit]
    counts.add(.started)
    var next = unit % counters.count
    repeat {
      section(counters[next])
      counts.add(.sections)
      if isGated { counts.add(.gaveWay) }
      next = next + 1 == counters.count ? 0 : next + 1
    } while !isStopping.load(ordering: .relaxed)
    counts.add(.finished)
  }

  @inline(__always)
  private func section(_ counter: Counter) {
    counter.lock.lock()
    let count = counter.value.pointee.count
    counter.value.pointee.checksum &+= Contention.work(counter: count, iterations: iterations)
    if isGated { usleep(UInt32(Contention.gateNanoseconds / 1_000)) }
    counter.value.pointee.count = count + 1
    counter.lock.unlock()
  }

  /// While the units are at work the counters are left alone: whoever asks for their locks would stand in line with all
  /// units, for the whole window if luck will have it.
  private func ledger(isAtWork: Bool) -> Ledger {
    let values = counters.map { isAtWork ? (count: 0, checksum: 0) : $0.value.pointee }
    var ledger: Ledger = [
      "unitsStarted": counts.sum(.started), "unitsFinished": counts.sum(.finished), "sections": counts.sum(.sections),
      "unitsWithSections": (0..<counts.rows).count { counts[$0][.sections] > 0 },
      "checksum": Int(truncatingIfNeeded: values.reduce(0) { $0 &+ $1.checksum }),
      "sectionsGivenWay": counts.sum(.gaveWay),
    ]
    for (lock, value) in values.enumerated() { ledger[Contention.lockCount(lock)] = value.count }
    return ledger
  }
}
