// parked with green threads. Idiom: a unit with its state in a local variable, and `sleep`; cancelling the scope wakes
// all of them.
//
// A parked unit takes one page of its stack: the control block, its frames, its registers and the timer's node all lie
// there, and the stack's page table adds 128 bytes. State of more than what is left of that page takes the pages that
// it fills. Stacks lie in slabs: no mapping, guard or system call for a single one.

import GreenThreads
import ModelKit
import Synchronization
import Workloads

final class ParkedTrial: Sendable {
  /// Counts of one unit in 64. Added to by units on any worker, but neighbours are started, and run, by the same one.
  private struct Row: ~Copyable {
    let started = Atomic(0), finished = Atomic(0)
    let parked = Atomic(0), woken = Atomic(0)
    let wokenByTimer = Atomic(0), wokenEarly = Atomic(0)
    let intact = Atomic(0), checksum = Atomic(0)
  }

  private let parameters: Parked.Parameters
  private let delay: UInt64
  private let rows: Rows<Row>
  /// Units that have not parked yet.
  private let waiting = WaitGroup()

  static func run(_ session: Session) throws {
    let parameters = try session.parameters(Parked.Parameters.init)
    try Limits.admit(
      units: parameters.units, bytes: parameters.units * (Session.bytesPerUnit + parameters.liveState))
    try session.ready()
    _ = try session.awaitBegin()
    try session.onUnits { try ParkedTrial(parameters, isGated: session.isGated).run(session) }
  }

  private init(_ parameters: Parked.Parameters, isGated: Bool) {
    self.parameters = parameters
    delay = Parked.delayNanoseconds(isGated: isGated)
    rows = Rows(count: 64) { _ in Row() }
  }

  private func run(_ session: Session) throws {
    var parkedAtClose = 0
    try session.report(.open, ledger: ledger(parkedAtClose))
    try withScope { scope in
      waiting.add(parameters.units)
      for unit in 0..<parameters.units {
        try scope.spawn(name: "parked", stack: stack) { try self.park(unit) }
        // A unit that has just been started has its page in the cache.
        if unit % 64 == 63 { yield() }
      }
      try waiting.wait()
      parkedAtClose = rows.sum { $0.parked.value - $0.woken.value }
      try session.report(.close, ledger: ledger(parkedAtClose))
      try session.awaitDrain()
      if !session.isGated { scope.cancel() }
    }
    try session.finish(ledger(parkedAtClose), InProcessResult(operations: parameters.units))
  }

  // MARK: A unit

  /// 64 KiB of state and the frames around it are more than a small stack holds.
  private var stack: StackClass { parameters.liveState > 32 << 10 ? .large : .small }

  /// The state lies in a variable of a fixed size, the next one that holds it; what it does not fill is never touched.
  private func park(_ unit: Int) throws {
    rows[unit / 64 % 64].pointee.started.count()
    switch parameters.liveState {
    case 0: try wait(unit, holding: .init(start: nil, count: 0))
    case ...1_024: try park(unit, as: InlineArray<128, UInt64>.self)
    case ...4_096: try park(unit, as: InlineArray<512, UInt64>.self)
    case ...16_384: try park(unit, as: InlineArray<2_048, UInt64>.self)
    default: try park(unit, as: InlineArray<8_192, UInt64>.self)
    }
    rows[unit / 64 % 64].pointee.finished.count()
  }

  /// Not inlined, or every unit's frame would have room for all sizes.
  @inline(never)
  private func park<let words: Int>(_ unit: Int, as _: InlineArray<words, UInt64>.Type) throws {
    var state = InlineArray<words, UInt64>(repeating: 0)
    try withUnsafeMutableBytes(of: &state) { bytes in
      let words = bytes.bindMemory(to: UInt64.self)
      try wait(unit, holding: UnsafeMutableBufferPointer(rebasing: words[..<parameters.liveStateWords]))
    }
  }

  @inline(never)
  private func wait(_ unit: Int, holding state: UnsafeMutableBufferPointer<UInt64>) throws {
    let row = rows[unit / 64 % 64]
    Parked.fill(state, unit: unit)
    let armed = monotonicNanoseconds()
    row.pointee.parked.count()
    waiting.done()
    do {
      try sleep(for: .nanoseconds(Int64(delay)))
      row.pointee.wokenByTimer.count()
      if monotonicNanoseconds() < armed + delay { row.pointee.wokenEarly.count() }
    } catch is CancellationError {}
    row.pointee.woken.count()
    let (sum, isIntact) = Parked.sum(UnsafeBufferPointer(state), unit: unit)
    if isIntact { row.pointee.intact.count() }
    row.pointee.checksum.wrappingAdd(Int(truncatingIfNeeded: sum), ordering: .relaxed)
  }

  private func ledger(_ parkedAtClose: Int) -> Ledger {
    [
      "unitsStarted": rows.sum { $0.started.value }, "unitsFinished": rows.sum { $0.finished.value },
      "unitsParked": rows.sum { $0.parked.value }, "unitsWoken": rows.sum { $0.woken.value },
      "parkedAtClose": parkedAtClose,
      "wokenByTimer": rows.sum { $0.wokenByTimer.value }, "wokenEarly": rows.sum { $0.wokenEarly.value },
      "statesIntact": rows.sum { $0.intact.value }, "checksum": rows.sum { $0.checksum.value },
    ]
  }
}
