// The two queues of a worker. What does not fit goes to the injector, which all workers share.
//
// `ReadyRing` is first in, first out, for units that yielded or were woken in numbers: the ring of Go and tokio, whose
// owner pushes with a plain store and whose thieves take half with one compare-and-swap. It grows as the deque of Chase
// and Lev does ("Dynamic circular work-stealing deque", SPAA 2005). A bounded one passes its overflow on in a list that
// is linked through the units, and whoever walks that waits for one cold unit after the other: 100,000 units that yield
// took 540 ns each. The slots of an array say what comes next, so that it can be fetched ahead.
//
// `FreshRing` is for units that have not run yet: last in, first out for its owner, so that a fork-join tree is walked
// depth first and has one branch of it alive rather than one level (a first-in-first-out scheduler runs out of memory
// on a tree of a million leaves), while thieves take the oldest, which are the largest subtrees.

import CContextSwitch
import Synchronization

/// Slots are read by thieves while the owner may overwrite them, hence atomic; the value is only believed if the
/// compare-and-swap that follows proves that it was still in the ring.
@usableFromInline typealias RingSlots = UnsafeMutablePointer<Atomic<UInt>>

private func makeSlots(_ count: Int) -> RingSlots {
  let slots = RingSlots.allocate(capacity: count)
  for i in 0..<count { (slots + i).initialize(to: Atomic(0)) }
  return slots
}

/// The address of a ring's slots, with the logarithm of their number in the bits that alignment leaves free: one word,
/// so that a thief never has the one without the other.
@usableFromInline
struct RingStorage {
  @usableFromInline let word: UInt

  @inlinable @inline(__always)
  init(word: UInt) { self.word = word }

  /// In front of the slots lies the storage outgrown by this one, from which thieves may still be reading.
  init(shift: UInt, outgrown: UInt) {
    let count = 1 << Int(shift)
    let header = UnsafeMutableRawPointer.allocate(byteCount: 64 + count * MemoryLayout<UInt>.stride, alignment: 64)
    header.storeBytes(of: outgrown, as: UInt.self)
    let slots = (header + 64).bindMemory(to: Atomic<UInt>.self, capacity: count)
    for i in 0..<count { (slots + i).initialize(to: Atomic(0)) }
    word = UInt(bitPattern: slots) | shift
  }

  @inlinable @inline(__always)
  var capacity: UInt32 { 1 &<< UInt32(truncatingIfNeeded: word & 63) }

  @inlinable @inline(__always)
  func slot(_ index: UInt32) -> RingSlots {
    RingSlots(bitPattern: word & ~63).unsafelyUnwrapped + Int(index & (capacity &- 1))
  }

  /// Together with all those outgrown.
  func free() {
    let header = UnsafeMutableRawPointer(bitPattern: (word & ~63) - 64).unsafelyUnwrapped
    let outgrown = header.load(as: UInt.self)
    header.deallocate()
    if outgrown != 0 { RingStorage(word: outgrown).free() }
  }
}

@usableFromInline
struct ReadyRing: ~Copyable {
  static var leastShift: UInt { 10 }
  /// 8 MiB of slots. What comes on top goes to the injector.
  static var mostShift: UInt { 20 }
  /// A queue longer than this has left the cache when its turn comes; a unit is then fetched this far ahead.
  @usableFromInline static var fetchDistance: UInt32 { 8 }
  @usableFromInline static var fetchThreshold: UInt32 { 1024 }

  @usableFromInline let head = Atomic<UInt32>(0)
  @usableFromInline let tail = Atomic<UInt32>(0)
  /// A `RingStorage`.
  @usableFromInline let storage: Atomic<UInt>

  init() { storage = Atomic(RingStorage(shift: Self.leastShift, outgrown: 0).word) }

  deinit { RingStorage(word: storage.load(ordering: .relaxed)).free() }

  @inlinable @inline(__always)
  var isEmpty: Bool { head.load(ordering: .relaxed) == tail.load(ordering: .relaxed) }

  var count: Int { Int(tail.load(ordering: .acquiring) &- head.load(ordering: .acquiring)) }

  /// Owner only: how many more fit without growth.
  var room: Int { Int(RingStorage(word: storage.load(ordering: .relaxed)).capacity) - count }

  /// Owner only. False when full. The release of `tail` publishes the slot, and all that the unit's waker wrote.
  /// Acquire of `head`: a thief has read the slot that is about to be overwritten.
  @inlinable @inline(__always)
  borrowing func push(_ unit: UnitPointer) -> Bool {
    let t = tail.load(ordering: .relaxed)
    let now = RingStorage(word: storage.load(ordering: .relaxed))
    guard t &- head.load(ordering: .acquiring) < now.capacity else { return false }
    now.slot(t).pointee.store(UInt(bitPattern: unit), ordering: .relaxed)
    tail.store(t &+ 1, ordering: .releasing)
    return true
  }

  /// Owner only, when full. False: it may not grow any more.
  ///
  /// Release publishes the copied slots. A thief that still has the old ones reads what is true of them: nobody writes
  /// there any more, and its compare-and-swap of `head` tells whether those units are still to be had.
  borrowing func grow() -> Bool {
    let old = RingStorage(word: storage.load(ordering: .relaxed))
    guard old.capacity < 1 << Self.mostShift else { return false }
    let new = RingStorage(shift: (old.word & 63) + 1, outgrown: old.word)
    let t = tail.load(ordering: .relaxed)
    var i = head.load(ordering: .relaxed)
    while i != t {
      new.slot(i).pointee.store(old.slot(i).pointee.load(ordering: .relaxed), ordering: .relaxed)
      i &+= 1
    }
    storage.store(new.word, ordering: .releasing)
    return true
  }

  /// Owner only. The compare-and-swap settles the race with thieves for the last units.
  @inlinable @inline(__always)
  borrowing func pop(solo: Bool) -> UnitPointer? {
    var h = head.load(ordering: .relaxed)
    let now = RingStorage(word: storage.load(ordering: .relaxed))
    while true {
      let available = tail.load(ordering: .relaxed) &- h
      guard available != 0 else { return nil }
      let unit = UnitPointer(bitPattern: now.slot(h).pointee.load(ordering: .relaxed))
      if available > Self.fetchThreshold { fetchAhead(of: h, now) }
      if solo {
        head.store(h &+ 1, ordering: .relaxed)
        return unit
      }
      let (done, seen) = head.compareExchange(expected: h, desired: h &+ 1, ordering: .acquiringAndReleasing)
      if done { return unit }
      h = seen
    }
  }

  /// First the block, a little later the frames, whose place the block knows. Blocks are never unmapped, and a value
  /// that is out of date does no harm here.
  @inlinable @inline(__always)
  borrowing func fetchAhead(of h: UInt32, _ now: RingStorage) {
    gt_prefetch_block(now.slot(h &+ Self.fetchDistance).pointee.load(ordering: .relaxed))
    gt_prefetch_frames(now.slot(h &+ Self.fetchDistance / 2).pointee.load(ordering: .relaxed))
  }

  /// Any other worker: moves half of this ring, as far as it fits, to the thief's, which is empty and owned by the
  /// caller. Returns how many. Acquire of `storage` after `tail`: it holds all the units that `tail` speaks of.
  borrowing func steal(into thief: borrowing ReadyRing) -> Int {
    let target = RingStorage(word: thief.storage.load(ordering: .relaxed))
    while true {
      let h = head.load(ordering: .acquiring)
      let available = tail.load(ordering: .acquiring) &- h
      let source = RingStorage(word: storage.load(ordering: .acquiring))
      // More than the ring holds: `head` was read before, `tail` after a lap.
      if available > source.capacity { continue }
      guard available > 0 else { return 0 }
      let n = min(available - available / 2, target.capacity)
      let start = thief.tail.load(ordering: .relaxed)
      for i in 0..<n {
        target.slot(start &+ i).pointee.store(source.slot(h &+ i).pointee.load(ordering: .relaxed), ordering: .relaxed)
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
  @usableFromInline static var capacity: UInt64 { 1024 }
  /// How many change hands at once: a kilobyte of slots.
  static var largestTheft: UInt64 { 128 }
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
  /// One less at the tail, and another version. (`&` binds closer than `&-`: without the inner parentheses the versions
  /// end at 2^32 - 1 after 32 takes, and a thief that was slow runs a unit a second time.)
  @inlinable @inline(__always)
  static func takingNewest(_ word: UInt64) -> UInt64 {
    ((word &- tailOne) & ~0xffff_ffff) | UInt64(UInt32(truncatingIfNeeded: word) &+ 1)
  }
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
      let next = Self.takingNewest(now)
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

  /// Any worker: hands the older half, or the largest theft, to `take`, in order of age. Returns how many.
  borrowing func takeOldestHalf(_ take: (UnitPointer) -> Void) -> Int {
    withUnsafeTemporaryAllocation(of: UInt.self, capacity: Int(Self.largestTheft)) { copy in
      var now = word.load(ordering: .acquiring)
      while true {
        let available = Self.count(now)
        guard available > 0 else { return 0 }
        let n = min(available - available / 2, Self.largestTheft)
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
