// Timers: a hierarchical timing wheel (Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", 1987), 64 slots a
// level and a bitmap of occupied slots for each level, so that insert, remove and "what is next" are a few
// instructions whatever the number of timers. A 4-ary heap measured three times slower to insert and eight times
// slower to cancel at a million timers.
//
// Time is counted in ticks of 1024 ns since the clock's origin. A timer's level is the highest 6-bit digit in which
// its tick differs from `elapsed`, so a slot of level 0 holds timers of one tick, and nothing wraps round: nine levels
// cover all 64 bits of nanoseconds. When time reaches a slot of a higher level, its timers move to lower ones; each
// timer moves at most once a level.
//
// Invariant: every timer in the wheel has tick >= elapsed, and stands in the slot that its tick and `elapsed` give.
// Deadlines are rounded up and the clock down, so nothing fires early. Timers of one tick fire in order of insertion.
//
// What is due moves to a slot of its own and is taken from there one by one. What one timer sets off may therefore
// cancel or re-arm any other, one that is due at the same moment included.

/// A timer in raw memory. The wheel links it and never allocates or frees it.
package struct TimerLinks {
  package var next: UnsafeMutablePointer<TimerLinks>?
  package var previous: UnsafeMutablePointer<TimerLinks>?
  package var tick: UInt64 = 0
  /// The slot that holds it, or -1 when it is in no wheel.
  package var slot: Int32 = -1

  package init() {}
}

package struct TimingWheel: ~Copyable {
  package typealias Node = UnsafeMutablePointer<TimerLinks>

  private struct Slot {
    var first: Node?
    var last: Node?
  }

  private static let levels = 9
  /// The slot of what is due, after those of all levels.
  private static let due = levels * 64
  private static let tickShift: UInt64 = 10
  /// How many timers of a higher level's slot are read to find the exact next deadline. Past it the slot's start is
  /// given instead: the loop then wakes early once and moves the timers down, which it would have to do anyway.
  private static let exactScan = 32

  private let slots: UnsafeMutablePointer<Slot>
  private let occupied: UnsafeMutablePointer<UInt64>
  private var elapsed: UInt64
  package private(set) var count = 0

  package init(nanoseconds now: UInt64) {
    slots = .allocate(capacity: Self.levels * 64 + 1)
    slots.initialize(repeating: Slot(), count: Self.levels * 64 + 1)
    occupied = .allocate(capacity: Self.levels)
    occupied.initialize(repeating: 0, count: Self.levels)
    elapsed = now >> Self.tickShift
  }

  deinit {
    slots.deallocate()
    occupied.deallocate()
  }

  /// Adds a timer that fires once the clock has reached `deadline`; one in the past fires at the next `expire`.
  package mutating func insert(_ node: Node, deadlineNanoseconds deadline: UInt64) {
    let (rounded, overflow) = deadline.addingReportingOverflow((1 << Self.tickShift) - 1)
    node.pointee.tick = max((overflow ? UInt64.max : rounded) >> Self.tickShift, elapsed)
    link(node)
    count += 1
  }

  /// Takes a timer out; without effect for one that is in no wheel.
  package mutating func remove(_ node: Node) {
    guard node.pointee.slot >= 0 else { return }
    let index = Int(node.pointee.slot)
    let (next, previous) = (node.pointee.next, node.pointee.previous)
    if let next { next.pointee.previous = previous } else { slots[index].last = previous }
    if let previous { previous.pointee.next = next } else { slots[index].first = next }
    if slots[index].first == nil, index < Self.due { occupied[index >> 6] &= ~(1 << UInt64(index & 63)) }
    node.pointee.slot = -1
    count -= 1
  }

  /// Makes all timers due whose deadline is not after `now`, in order of their ticks. `popDue` takes them out.
  package mutating func expire(nanoseconds now: UInt64) {
    let nowTick = now >> Self.tickShift
    while let (level, slot, start) = nextSlot(), start <= nowTick {
      elapsed = start
      let index = level << 6 | slot
      var node = slots[index].first
      slots[index] = Slot()
      occupied[level] &= ~(1 << UInt64(slot))
      while let current = node {
        node = current.pointee.next
        if level == 0 { append(current, to: Self.due) } else { link(current) }
      }
    }
    // All that is left starts after `nowTick`, hence shares its higher digits: moving `elapsed` keeps the invariant.
    if nowTick > elapsed { elapsed = nowTick }
  }

  /// Takes out the first of the timers that are due; nil if none is left.
  package mutating func popDue() -> Node? {
    guard let node = slots[Self.due].first else { return nil }
    remove(node)
    return node
  }

  /// The time before which nothing can fire, in nanoseconds: the next deadline (rounded up to a tick), or for a crowded
  /// far slot a time before it. Nil without timers.
  package func nextDeadline() -> UInt64? {
    guard let (level, slot, start) = nextSlot() else { return nil }
    var tick = start
    if level > 0 {
      var earliest = UInt64.max
      var seen = 0
      var node = slots[level << 6 | slot].first
      while let current = node, seen < Self.exactScan {
        earliest = min(earliest, current.pointee.tick)
        node = current.pointee.next
        seen += 1
      }
      if node == nil { tick = earliest }
    }
    return tick << Self.tickShift
  }

  /// Takes every timer out, in no order: for the end of a loop.
  mutating func removeAll(_ body: (Node) -> Void) {
    while let node = popDue() { body(node) }
    while let (level, slot, _) = nextSlot(), let node = slots[level << 6 | slot].first {
      remove(node)
      body(node)
    }
  }

  private mutating func link(_ node: Node) {
    let tick = node.pointee.tick
    let level = (63 - ((tick ^ elapsed) | 63).leadingZeroBitCount) / 6
    let slot = Int(tick >> UInt64(level * 6)) & 63
    append(node, to: level << 6 | slot)
    occupied[level] |= 1 << UInt64(slot)
  }

  private mutating func append(_ node: Node, to index: Int) {
    let last = slots[index].last
    node.pointee.next = nil
    node.pointee.previous = last
    node.pointee.slot = Int32(truncatingIfNeeded: index)
    if let last { last.pointee.next = node } else { slots[index].first = node }
    slots[index].last = node
  }

  /// The earliest occupied slot and the tick at which it starts. Lower levels are always earlier than higher ones.
  private func nextSlot() -> (level: Int, slot: Int, start: UInt64)? {
    for level in 0..<Self.levels where occupied[level] != 0 {
      let slot = occupied[level].trailingZeroBitCount
      let shift = UInt64(level * 6)
      let above = (elapsed >> (shift + 6)) << (shift + 6)
      return (level, slot, above | UInt64(slot) << shift)
    }
    return nil
  }
}
