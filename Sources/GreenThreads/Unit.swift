// The control block of a unit, which lies at the top of the unit's own stack.
//
// One touched page then holds the block, the first frames and the registers of a parked unit, and the current unit is
// found by masking the stack pointer: one subtraction, two compares and a mask, with nothing to go stale. Thread-local
// storage would: the compiler may keep its address across a switch, after which the unit runs on another thread.
//
// Blocks are raw memory, reached by pointer. They are never counted, copied or moved, and a field's address may be
// handed to the switch without meeting the exclusivity checks that a class's properties have.

import CContextSwitch
import Synchronization

@usableFromInline typealias UnitPointer = UnsafeMutablePointer<Unit>

@usableFromInline
struct Unit: ~Copyable {
  /// First, because the C fault handler reads it.
  @usableFromInline var label: gt_label
  @usableFromInline var context: gt_context

  /// The worker that runs this unit, or ran it last. Written by that worker before every switch to the unit.
  @usableFromInline var worker: WorkerPointer

  /// `Park` bits: see there.
  @usableFromInline let parkWord = Atomic<UInt32>(0)
  /// 1 from before the switch to this unit until the context that follows it has seen its registers saved. Whoever
  /// takes the unit from a queue waits for 0; so a unit may be published before it has left its stack.
  @usableFromInline let onProcessor = Atomic<UInt32>(0)
  /// `JoinWord` values, or the address of the unit that waits for this one.
  @usableFromInline let joinWord = Atomic<UInt>(0)

  /// Links the unit into the injector, a chain on its way there, or a free list: it is in at most one of them.
  @usableFromInline var next: UnitPointer?
  /// Why the last park ended. Written by whoever won the claim, before the unit is made ready.
  @usableFromInline var wakeReason = WakeReason.event
  @usableFromInline var shieldDepth: UInt8 = 0
  @usableFromInline var stackClass: StackClass
  @usableFromInline var live = false
  /// No guard page could be had: the lowest word of the stack is checked when the unit ends.
  var canaried = false
  /// Absolute, on the scheduler's clock; every park of this unit ends then. `.max`: none.
  @usableFromInline var deadline = UInt64.max
  /// What a report says this unit is waiting for: the address of a static, null-terminated string.
  @usableFromInline var waitingFor: UnsafePointer<CChar>?

  /// The Swift runtime's exclusive accesses of this unit while it is suspended.
  @usableFromInline var accesses: (UInt, UInt) = (0, 0)

  /// Runs `body`, whose type only it knows, and stores what that returns or throws; or, with true, discards the result.
  @usableFromInline var invoke: (UnitPointer, Bool) -> Void
  @usableFromInline var body: (UInt, UInt) = (0, 0)
  @usableFromInline var result: (UInt, UInt, UInt, UInt) = (0, 0, 0, 0)
  @usableFromInline var error: (any Error)?

  @usableFromInline var scope: Unmanaged<Scope>?
  /// Links the unit into a `JoinSet`.
  @usableFromInline var nextJoined: UnitPointer?
  @usableFromInline var nextSibling: UnitPointer?
  @usableFromInline var previousSibling: UnitPointer?
  @usableFromInline var locals: UnsafeMutablePointer<LocalNode>?

  init(label: gt_label, worker: WorkerPointer, stackClass: StackClass) {
    self.label = label
    self.context = gt_context()
    self.worker = worker
    self.stackClass = stackClass
    self.invoke = { _, _ in }
  }

  /// Room kept for the block at the top of each stack; a multiple of the cache line.
  static var footprint: Int { gt_owner_offset }
}

/// Why a parked unit runs again.
@usableFromInline
enum WakeReason: UInt8 {
  case event, timeout, cancelled
}

/// The bits of a unit's park word. At most one of event, timeout and cancellation ends a park: whoever clears
/// `waiting`. What stops a unit is in the same word, so that none of it falls between a unit's look and its parking.
@usableFromInline
enum Park {
  @usableFromInline static var waiting: UInt32 { 1 }
  /// With `waiting`: cancellation only leaves its mark.
  @usableFromInline static var shielded: UInt32 { 2 }
  /// Sticky.
  @usableFromInline static var cancelled: UInt32 { 4 }
  /// Counts the unit's own scopes in which a child failed: their bodies are to end, but not the unit.
  @usableFromInline static var interruption: UInt32 { 8 }

  @usableFromInline static var stops: UInt32 { ~(waiting | shielded) }
}

@usableFromInline
enum JoinWord {
  @usableFromInline static var running: UInt { 0 }
  @usableFromInline static var done: UInt { 1 }
  @usableFromInline static var detached: UInt { 2 }
}

extension Unit {
  /// The unit that this code runs on, or nil on a thread's own stack.
  @inlinable @inline(__always)
  static func currentOrNil() -> UnitPointer? {
    let sp = gt_stack_pointer()
    let offset = sp &- gt_region_base()
    if offset < gt_region_size() >> 1 { return owner(ofStackHolding: sp, stride: UInt(gt_small_stride)) }
    guard offset < gt_region_size() else { return nil }
    return owner(ofStackHolding: sp, stride: UInt(gt_large_stride))
  }

  @inlinable @inline(__always)
  static func current(_ operation: StaticString = #function) -> UnitPointer {
    guard let unit = currentOrNil() else { notOnAUnit(operation) }
    return unit
  }

  /// The same arithmetic as in the fault handler (stacks.c).
  @inlinable @inline(__always)
  static func owner(ofStackHolding address: UInt, stride: UInt) -> UnitPointer {
    let bottom = address & ~(stride &- 1)
    let shift = UInt(truncatingIfNeeded: stride.trailingZeroBitCount)
    let index = (bottom &- gt_region_base()) &>> shift
    let colour = (index % UInt(gt_colours)) &* UInt(gt_colour_bytes)
    return UnitPointer(bitPattern: bottom &+ stride &- UInt(gt_owner_offset) &- colour).unsafelyUnwrapped
  }

  @usableFromInline @inline(never)
  static func notOnAUnit(_ operation: StaticString) -> Never {
    fatalError("\(operation) was called outside of a unit; call it within Scheduler.run { }, not from another thread")
  }
}

extension UnsafeMutablePointer where Pointee == Unit {
  /// Announces that this unit is about to park. False: it is cancelled, and must not.
  ///
  /// Acquire-release: a cancellation that lost this race is seen by the next park; the release publishes nothing, as
  /// waiter nodes travel under their queue's lock.
  @inlinable @inline(__always)
  func prepareToPark(solo: Bool) -> Bool {
    let shielded = pointee.shieldDepth != 0
    let bits = shielded ? Park.waiting | Park.shielded : Park.waiting
    if solo {
      let now = pointee.parkWord.load(ordering: .relaxed)
      guard now == 0 || shielded else { return false }
      pointee.parkWord.store(now | bits, ordering: .relaxed)
      return true
    }
    var now: UInt32 = 0
    while true {
      let (done, seen) = pointee.parkWord.compareExchange(
        expected: now, desired: now | bits, ordering: .acquiringAndReleasing)
      if done { return true }
      guard shielded else { return false }
      now = seen
    }
  }

  /// Tries to end this unit's park. The one caller that gets true must make the unit ready.
  ///
  /// Acquire-release: orders the claim after the waker's writes to the waiter node and before the unit's reads of it.
  @inlinable @inline(__always)
  func claim(_ reason: WakeReason, solo: Bool) -> Bool {
    var now = pointee.parkWord.load(ordering: .relaxed)
    if solo {
      guard now & Park.waiting != 0 else { return false }
      pointee.parkWord.store(now & Park.stops, ordering: .relaxed)
    } else {
      while true {
        guard now & Park.waiting != 0 else { return false }
        let (done, seen) = pointee.parkWord.compareExchange(
          expected: now, desired: now & Park.stops, ordering: .acquiringAndReleasing)
        if done { break }
        now = seen
      }
    }
    pointee.wakeReason = reason
    return true
  }

  /// Marks this unit as cancelled, for good. True: it was parked, and the caller must make it ready.
  func markCancelled() -> Bool { stop { $0 | Park.cancelled } }

  /// Makes this unit's waits throw until the interruption is taken back. True: as above.
  func interrupt() -> Bool { stop { $0 &+ Park.interruption } }

  private func stop(_ mark: (UInt32) -> UInt32) -> Bool {
    var now = pointee.parkWord.load(ordering: .relaxed)
    while true {
      let claims = now & Park.waiting != 0 && now & Park.shielded == 0
      let (done, seen) = pointee.parkWord.compareExchange(
        expected: now, desired: claims ? mark(now) & Park.stops : mark(now), ordering: .acquiringAndReleasing)
      if done {
        if claims { pointee.wakeReason = .cancelled }
        return claims
      }
      now = seen
    }
  }

  func takeBackInterruption() { pointee.parkWord.subtract(Park.interruption, ordering: .relaxed) }

  @inlinable @inline(__always)
  var isCancelled: Bool {
    pointee.parkWord.load(ordering: .relaxed) & Park.stops != 0 && pointee.shieldDepth == 0
  }

  /// The lowest byte that this unit may use.
  @usableFromInline @inline(__always)
  var stackBottom: UnsafeMutableRawPointer {
    let stride = pointee.stackClass.stride
    let bottom = UInt(bitPattern: self) & ~(stride - 1)
    return UnsafeMutableRawPointer(bitPattern: bottom + pointee.stackClass.bottomGuard).unsafelyUnwrapped
  }

  var name: String {
    let id = "unit \(pointee.label.id)"
    return pointee.label.name.map { "\(id) '\(String(cString: $0))'" } ?? id
  }
}
