// parked with threads. Idiom: a thread on a stack as small as it needs, its state on that stack, blocked in a timed wait.
//
// What a thread costs is the kernel's (its stack there, the task, page tables) and the pages of its own stack that it has
// touched: one with the C library's thread block, one or two with frames. What a program can do is touch nothing else:
// above all not allocate in the thread, which would give it an allocator's cache.

import CLinux
import Glibc
import ModelKit
import Synchronization
import Workloads

final class ParkedCrowd: Sendable {
  private let parameters: Parked.Parameters
  private let isGated: Bool
  private let parkers: [Parker]
  private let hasParkedAll = Semaphore()
  // One for all units: each is counted a few times in its life, and creating it costs a hundred times as much. Relaxed,
  // for they order nothing but the last arrival, which the semaphore does.
  private let unitsStarted = Atomic(0)
  private let unitsFinished = Atomic(0)
  private let unitsParked = Atomic(0)
  private let unitsWoken = Atomic(0)
  private let wokenByTimer = Atomic(0)
  private let wokenEarly = Atomic(0)
  private let statesIntact = Atomic(0)
  private let checksum = Atomic<UInt64>(0)

  /// Runs one trial.
  static func run(_ session: Session) throws {
    let parameters = try session.parameters(Parked.Parameters.init)
    try session.ready()
    _ = try session.awaitBegin()
    let frameBytes = StackState.bytes(holding: parameters.liveState)
    try Limits.admit(units: parameters.units, threads: parameters.units, bytes: parameters.units * frameBytes)
    let crowd = ParkedCrowd(parameters, isGated: session.isGated)
    try session.report(.open, ledger: crowd.ledger(0))
    let units = try ThreadGroup.start(parameters.units, frameBytes: frameBytes) { crowd.run($0) }
    crowd.hasParkedAll.wait()
    let parkedAtClose = crowd.unitsParked.value - crowd.unitsWoken.value
    try session.report(.close, ledger: crowd.ledger(parkedAtClose))
    switch try session.nextEvent() {
    case .drain, .end: break
    case .begin, .edge: throw ModelFailure(.failed, "the command 'begin' came twice")
    }
    if !session.isGated { for parker in crowd.parkers { parker.unpark() } }
    units.join()
    try session.finish(ledger: crowd.ledger(parkedAtClose), result: InProcessResult(operations: parameters.units))
  }

  private init(_ parameters: Parked.Parameters, isGated: Bool) {
    self.parameters = parameters
    self.isGated = isGated
    parkers = (0..<parameters.units).map { _ in Parker() }
  }

  private func run(_ unit: Int) {
    unitsStarted.count()
    StackState.with(bytes: parameters.liveState) { state in
      Parked.fill(state, unit: unit)
      park(unit)
      let (sum, isIntact) = Parked.sum(UnsafeBufferPointer(state), unit: unit)
      checksum.wrappingAdd(sum, ordering: .relaxed)
      if isIntact { statesIntact.count() }
    }
    unitsFinished.count()
  }

  private func park(_ unit: Int) {
    let deadline = monotonicNanoseconds() + Parked.delayNanoseconds(isGated: isGated)
    if unitsParked.add(1, ordering: .relaxed).newValue == parameters.units { hasParkedAll.post() }
    let isUnparked = parkers[unit].park(until: deadline)
    unitsWoken.count()
    if !isUnparked {
      wokenByTimer.count()
      if monotonicNanoseconds() < deadline { wokenEarly.count() }
    }
  }

  private func ledger(_ parkedAtClose: Int) -> Ledger {
    [
      "unitsStarted": unitsStarted.value, "unitsFinished": unitsFinished.value, "unitsParked": unitsParked.value,
      "unitsWoken": unitsWoken.value, "parkedAtClose": parkedAtClose, "wokenByTimer": wokenByTimer.value,
      "wokenEarly": wokenEarly.value, "statesIntact": statesIntact.value,
      "checksum": Int(truncatingIfNeeded: checksum.load(ordering: .relaxed)),
    ]
  }
}

/// Memory on the calling thread's stack. Swift has no alloca, and `withUnsafeTemporaryAllocation` goes to the heap beyond
/// 1 KiB; what remains are types of a fixed size: the least power of two that holds the bytes.
private enum StackState {
  /// The room that is taken for so many bytes.
  static func bytes(holding bytes: Int) -> Int {
    var room = bytes == 0 ? 0 : 1_024
    while room < bytes { room *= 2 }
    return room
  }

  static func with(bytes: Int, _ body: (UnsafeMutableBufferPointer<UInt64>) -> Void) {
    let words = bytes / 8
    switch Self.bytes(holding: bytes) {
    case 0: body(UnsafeMutableBufferPointer(start: nil, count: 0))
    case 1 << 10: take(InlineArray<128, UInt64>.self, words, body)
    case 2 << 10: take(InlineArray<256, UInt64>.self, words, body)
    case 4 << 10: take(InlineArray<512, UInt64>.self, words, body)
    case 8 << 10: take(InlineArray<1_024, UInt64>.self, words, body)
    case 16 << 10: take(InlineArray<2_048, UInt64>.self, words, body)
    case 32 << 10: take(InlineArray<4_096, UInt64>.self, words, body)
    default: take(InlineArray<8_192, UInt64>.self, words, body)
    }
  }

  /// A frame of its own for each size: inlined into their caller all would have the largest one's.
  @inline(never)
  private static func take<let room: Int>(
    _: InlineArray<room, UInt64>.Type, _ words: Int, _ body: (UnsafeMutableBufferPointer<UInt64>) -> Void
  ) {
    var state = InlineArray<room, UInt64>(repeating: 0)
    var span = state.mutableSpan
    span.withUnsafeMutableBufferPointer { body(UnsafeMutableBufferPointer(rebasing: $0[..<words])) }
  }
}
