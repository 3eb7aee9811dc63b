// The two queues of a worker. Both are bounded rings; what does not fit goes to the injector, which all workers share.
//
// `ReadyRing` is first in, first out, for units that yielded or were woken in numbers: the ring of Go and tokio, whose
// owner pushes with a plain store and whose thieves take half with one compare-and-swap.
//
// `FreshRing` is for units that have not run yet: last in, first out for its owner, so that a fork-join tree is walked
// depth first and has one branch of it alive rather than one level (a first-in-first-out scheduler runs out of memory
// on a tree of a million leaves), while thieves take the oldest, which are the largest subtrees.

import Synchronization

/// Slots are read by thieves while the owner may overwrite them, hence atomic; the value is only believed if the
/// compare-and-swap that follows proves that it was still in the ring.
@usableFromInline typealias RingSlots = UnsafeMutablePointer<Atomic<UInt>>

private func makeSlots(_ count: Int) -> RingSlots {
  let slots = RingSlots.allocate(capacity: count)
  for i in 0..<count { (slots + i).initialize(to: Atomic(0)) }
  return slots
}

@usableFromInline
struct ReadyRing: ~Copyable {
  @usableFromInline static var capacity: UInt32 { 1024 }
  @usableFromInline let head = Atomic<UInt32>(0)
  @usableFromInline let tail = Atomic<UInt32>(0)
  @usableFromInline let slots: RingSlots

  init() { slots = makeSlots(Int(Self.capacity)) }
  deinit { slots.deallocate() }

  @inlinable @inline(__always)
  borrowing func slot(_ index: UInt32) -> RingSlots { slots + Int(index & (Self.capacity - 1)) }

  @inlinable @inline(__always)
  var isEmpty: Bool { head.load(ordering: .relaxed) == tail.load(ordering: .relaxed) }

  var count: Int { Int(tail.load(ordering: .acquiring) &- head.load(ordering: .acquiring)) }

  /// Owner only. False when full. The release of `tail` publishes the slot, and all that the unit's waker wrote.
  /// Acquire of `head`: a thief has read the slot that is about to be overwritten.
  @inlinable @inline(__always)
  borrowing func push(_ unit: UnitPointer) -> Bool {
    let t = tail.load(ordering: .relaxed)
    guard t &- head.load(ordering: .acquiring) < Self.capacity else { return false }
    slot(t).pointee.store(UInt(bitPattern: unit), ordering: .relaxed)
    tail.store(t &+ 1, ordering: .releasing)
    return true
  }

  /// Owner only. The compare-and-swap settles the race with thieves for the last units.
  @inlinable @inline(__always)
  borrowing func pop(solo: Bool) -> UnitPointer? {
    var h = head.load(ordering: .relaxed)
    while true {
      guard h != tail.load(ordering: .relaxed) else { return nil }
      let unit = UnitPointer(bitPattern: slot(h).pointee.load(ordering: .relaxed))
      if solo {
        head.store(h &+ 1, ordering: .relaxed)
        return unit
      }
      let (done, seen) = head.compareExchange(expected: h, desired: h &+ 1, ordering: .acquiringAndReleasing)
      if done { return unit }
      h = seen
    }
  }

  /// Any other worker: moves half of this ring to the thief's, which is empty and owned by the caller. Returns how many.
  borrowing func steal(into thief: borrowing ReadyRing) -> Int {
    while true {
      let h = head.load(ordering: .acquiring)
      let available = tail.load(ordering: .acquiring) &- h
      // More than the ring holds: `head` was read before, `tail` after a lap.
      if available > Self.capacity { continue }
      guard available > 0 else { return 0 }
      let n = available - available / 2
      let start = thief.tail.load(ordering: .relaxed)
      for i in 0..<n {
        thief.slot(start &+ i).pointee.store(slot(h &+ i).pointee.load(ordering: .relaxed), ordering: .relaxed)
      }
      if head.compareExchange(expected: h, desired: h &+ n, ordering: .acquiringAndReleasing).exchanged {
        thief.tail.store(start &+ n, ordering: .releasing)
        return Int(n)
      }
    }
  }
}

@usableFromInline
struct FreshRing: ~Copyable {
  @usableFromInline static var capacity: UInt64 { 256 }
  /// tail (16 bits) | head (16 bits) | version (32 bits). One word, so that the owner can take from the end at which it
  /// pushes. The version changes with every such take: a slot may then be refilled while head and tail look the same.
  @usableFromInline let word = Atomic<UInt64>(0)
  @usableFromInline let slots: RingSlots

  init() { slots = makeSlots(Int(Self.capacity)) }
  deinit { slots.deallocate() }

  @usableFromInline static var tailOne: UInt64 { 1 << 48 }
  @usableFromInline static var headMask: UInt64 { 0xffff << 32 }

  @inlinable @inline(__always)
  static func tail(_ word: UInt64) -> UInt64 { word &>> 48 }
  @inlinable @inline(__always)
  static func head(_ word: UInt64) -> UInt64 { (word &>> 32) & 0xffff }
  @inlinable @inline(__always)
  static func count(_ word: UInt64) -> UInt64 { (tail(word) &- head(word)) & 0xffff }
  static func advancingHead(_ word: UInt64, by n: UInt64) -> UInt64 {
    (word & ~headMask) | (((head(word) &+ n) & 0xffff) << 32)
  }

  @inlinable @inline(__always)
  borrowing func slot(_ index: UInt64) -> RingSlots { slots + Int(truncatingIfNeeded: index & (Self.capacity - 1)) }

  @inlinable @inline(__always)
  var count: Int { Int(truncatingIfNeeded: Self.count(word.load(ordering: .relaxed))) }

  /// Owner only. Returns how many units the ring held before, or nil when it is full.
  /// Release publishes the slot and the new unit's block. Acquire: thieves have read the slots they took.
  @inlinable @inline(__always)
  borrowing func push(_ unit: UnitPointer, solo: Bool) -> Int? {
    let now = word.load(ordering: .acquiring)
    let count = Self.count(now)
    guard count < Self.capacity else { return nil }
    slot(Self.tail(now)).pointee.store(UInt(bitPattern: unit), ordering: .relaxed)
    if solo {
      word.store(now &+ Self.tailOne, ordering: .relaxed)
    } else {
      word.wrappingAdd(Self.tailOne, ordering: .releasing)
    }
    return Int(truncatingIfNeeded: count)
  }

  /// Owner only: the newest.
  @inlinable @inline(__always)
  borrowing func pop(solo: Bool) -> UnitPointer? {
    var now = word.load(ordering: .relaxed)
    while true {
      guard Self.count(now) != 0 else { return nil }
      let version = UInt32(truncatingIfNeeded: now) &+ 1
      let next = ((now &- Self.tailOne) & ~UInt64(UInt32.max)) | UInt64(version)
      let unit = UnitPointer(bitPattern: slot(Self.tail(now) &- 1).pointee.load(ordering: .relaxed))
      if solo {
        word.store(next, ordering: .relaxed)
        return unit
      }
      let (done, seen) = word.compareExchange(expected: now, desired: next, ordering: .acquiringAndReleasing)
      if done { return unit }
      now = seen
    }
  }

  /// Any worker: hands the older half to `take`, in order of age. Returns how many.
  borrowing func takeOldestHalf(_ take: (UnitPointer) -> Void) -> Int {
    withUnsafeTemporaryAllocation(of: UInt.self, capacity: Int(Self.capacity)) { copy in
      var now = word.load(ordering: .acquiring)
      while true {
        let available = Self.count(now)
        guard available > 0 else { return 0 }
        let n = available - available / 2
        let h = Self.head(now)
        for i in 0..<n { copy[Int(i)] = slot(h &+ i).pointee.load(ordering: .relaxed) }
        let (done, seen) = word.compareExchange(
          expected: now, desired: Self.advancingHead(now, by: n), ordering: .acquiringAndReleasing)
        if done {
          for i in 0..<Int(n) { take(UnitPointer(bitPattern: copy[i]).unsafelyUnwrapped) }
          return Int(n)
        }
        now = seen
      }
    }
  }
}

/// The shared queue: first in, first out, linked through the units themselves, so it never fills up. Filled by rings
/// that overflow, and by threads that carry no worker.
struct Injector: ~Copyable {
  let lock = SpinLock()
  let length = Atomic<Int>(0)
  fileprivate var head: UnitPointer?
  fileprivate var tail: UnitPointer?

  init() {}
}

// On the pointer, not `mutating`: an exclusive `self` would let the compiler move reads above the lock.
extension UnsafeMutablePointer where Pointee == Injector {
  /// The sequentially consistent change of `length` comes before the caller's look at who sleeps; a worker that is about
  /// to sleep registers first and looks here afterwards. One of them sees the other.
  func push(_ unit: UnitPointer) {
    unit.pointee.next = nil
    push(from: unit, to: unit, count: 1)
  }

  func push(from first: UnitPointer, to last: UnitPointer, count: Int) {
    pointee.lock.lock()
    if let tail = pointee.tail { tail.pointee.next = first } else { pointee.head = first }
    pointee.tail = last
    pointee.length.add(count, ordering: .sequentiallyConsistent)
    pointee.lock.unlock()
  }

  /// Takes up to `limit` units; the first is returned and `rest` gets the others.
  func take(_ limit: Int, rest: (UnitPointer) -> Void) -> UnitPointer? {
    guard pointee.length.load(ordering: .relaxed) > 0 else { return nil }
    pointee.lock.lock()
    guard let first = pointee.head else {
      pointee.lock.unlock()
      return nil
    }
    var taken = 1
    var last = first
    while taken < limit, let next = last.pointee.next {
      last = next
      taken += 1
    }
    pointee.head = last.pointee.next
    if pointee.head == nil { pointee.tail = nil }
    last.pointee.next = nil
    pointee.length.subtract(taken, ordering: .sequentiallyConsistent)
    pointee.lock.unlock()
    var rover = first.pointee.next
    while let unit = rover {
      rover = unit.pointee.next
      rest(unit)
    }
    return first
  }
}
