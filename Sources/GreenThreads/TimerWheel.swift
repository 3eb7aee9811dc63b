// Timers: a hierarchical wheel for each worker (Varghese and Lauck, 1987), with a small heap for the tick in progress.
//
// Insert and cancel are a few instructions at any number of timers, where a heap pays a cache miss for each level: 5 ns
// against 17 at a million. Nodes are intrusive: a wait's lives on the stack of the unit that waits, so arming cannot
// fail; a callback's comes from the wheel's own pool (see Timer.swift). A slot spans 16 µs or more; when its time comes
// its nodes move to the heap, which fires them in order of their nanoseconds. A timer belongs to the worker that armed
// it and can be cancelled from any.

import Synchronization

@usableFromInline typealias TimerPointer = UnsafeMutablePointer<TimerNode>
@usableFromInline typealias WheelPointer = UnsafeMutablePointer<TimerWheel>

@usableFromInline
struct TimerNode {
  /// Absolute, in nanoseconds on the scheduler's clock.
  var deadline: UInt64
  /// Whose it is: the address of the unit that waits; or, with bit 0 set, the number of a callback's firing.
  var owner: UInt
  var next: TimerPointer?
  var previous: TimerPointer?
  var wheel: WheelPointer?
  /// Where it is: `level * 64 + slot`, or `heapBase + index`, or `unlinked`.
  var position = TimerWheel.unlinked

  init(deadline: UInt64, unit: UnitPointer) {
    self.deadline = deadline
    owner = UInt(bitPattern: unit)
  }

  /// A callback's, of which each use gets a number of its own: `owner` grows by 2 when one ends.
  init(wheel: WheelPointer) {
    deadline = 0
    owner = 1
    self.wheel = wheel
  }
}

@usableFromInline
struct TimerWheel: ~Copyable {
  static var unlinked: Int { -1 }
  static var heapBase: Int { 1 << 20 }
  /// 2^14 ns = 16 µs, and 64^9 of them: longer than 2^64 ns.
  static var tickShift: UInt64 { 14 }
  static var levels: Int { 9 }

  fileprivate(set) var count = 0
  // The lock is not first: see `WaitState`.
  let lock = SpinLock()
  /// No timer is due before this; read by workers that look for overdue timers of others. Relaxed: a hint, and the lock
  /// orders what follows from it.
  let earliest = Atomic<UInt64>(.max)

  private var currentTick: UInt64 = 0
  private var levelsInUse: UInt32 = 0
  private let bitmaps: UnsafeMutablePointer<UInt64>
  private let slots: UnsafeMutablePointer<TimerPointer?>
  private var heap: UnsafeMutablePointer<TimerPointer>
  private var heapCount = 0
  private var heapCapacity = 64
  /// Nodes of callbacks: those not in use, linked through `next`, and where all of them lie.
  var freeCallbacks: CallbackPointer?
  var callbackChunks: [CallbackPointer] = []

  init(now: UInt64) {
    bitmaps = .allocate(capacity: Self.levels)
    bitmaps.initialize(repeating: 0, count: Self.levels)
    slots = .allocate(capacity: Self.levels * 64)
    slots.initialize(repeating: nil, count: Self.levels * 64)
    heap = .allocate(capacity: heapCapacity)
    currentTick = now >> Self.tickShift
  }

  deinit {
    destroyCallbacks()
    bitmaps.deallocate()
    slots.deallocate()
    heap.deallocate()
  }

  // The caller of everything below holds the lock.

  mutating func insert(_ node: TimerPointer) {
    count += 1
    link(node)
    if node.pointee.deadline < earliest.load(ordering: .relaxed) {
      earliest.store(node.pointee.deadline, ordering: .relaxed)
    }
  }

  private mutating func link(_ node: TimerPointer) {
    let tick = node.pointee.deadline >> Self.tickShift
    guard tick > currentTick else { return push(node) }
    // The highest digit (base 64) in which the two differ: above it they agree, so the slot is ahead in this lap.
    let level = (63 - (tick ^ currentTick).leadingZeroBitCount) / 6
    let slot = Int((tick >> UInt64(6 * level)) & 63)
    let position = level * 64 + slot
    let head = slots[position]
    node.pointee.next = head
    node.pointee.previous = nil
    node.pointee.position = position
    head?.pointee.previous = node
    slots[position] = node
    bitmaps[level] |= 1 << UInt64(slot)
    levelsInUse |= 1 << UInt32(level)
  }

  mutating func remove(_ node: TimerPointer) {
    let position = node.pointee.position
    count -= 1
    node.pointee.position = Self.unlinked
    if position >= Self.heapBase { return removeFromHeap(position - Self.heapBase) }
    let next = node.pointee.next
    next?.pointee.previous = node.pointee.previous
    if let previous = node.pointee.previous {
      previous.pointee.next = next
    } else {
      slots[position] = next
      if next == nil { clearBit(position) }
    }
  }

  private mutating func clearBit(_ position: Int) {
    let level = position / 64
    bitmaps[level] &= ~(1 << UInt64(position % 64))
    if bitmaps[level] == 0 { levelsInUse &= ~(1 << UInt32(level)) }
  }

  /// The first slot that holds anything, and the tick at which it begins: the lowest level in use is the nearest.
  private var firstSlot: (position: Int, tick: UInt64)? {
    guard levelsInUse != 0 else { return nil }
    let level = levelsInUse.trailingZeroBitCount
    let slot = bitmaps[level].trailingZeroBitCount
    let above = UInt64(6 * (level + 1))
    let tick = (currentTick >> above) << above | UInt64(slot) << UInt64(6 * level)
    return (level * 64 + slot, tick)
  }

  /// Removes and returns the next timer that is due.
  mutating func popDue(at now: UInt64) -> TimerPointer? {
    let nowTick = now >> Self.tickShift
    if nowTick > currentTick {
      while let (position, tick) = firstSlot, tick <= nowTick {
        currentTick = tick
        var rover = slots[position]
        slots[position] = nil
        clearBit(position)
        while let node = rover {
          rover = node.pointee.next
          link(node)
        }
      }
      currentTick = max(currentTick, nowTick)
    }
    guard heapCount > 0, heap[0].pointee.deadline <= now else {
      earliest.store(nextDeadline, ordering: .relaxed)
      return nil
    }
    let node = heap[0]
    count -= 1
    node.pointee.position = Self.unlinked
    removeFromHeap(0)
    return node
  }

  /// The earliest deadline, exact unless its slot is crowded, and then the slot's beginning.
  var nextDeadline: UInt64 {
    if heapCount > 0 { return heap[0].pointee.deadline }
    guard let (position, tick) = firstSlot else { return .max }
    var least = UInt64.max
    var looked = 0
    var rover = slots[position]
    while let node = rover {
      least = min(least, node.pointee.deadline)
      rover = node.pointee.next
      looked += 1
      if looked == 32, rover != nil { return tick << Self.tickShift }
    }
    return least
  }

  // MARK: The heap of the tick in progress

  private mutating func push(_ node: TimerPointer) {
    if heapCount == heapCapacity {
      let larger = UnsafeMutablePointer<TimerPointer>.allocate(capacity: heapCapacity * 2)
      larger.moveInitialize(from: heap, count: heapCount)
      heap.deallocate()
      heap = larger
      heapCapacity *= 2
    }
    heapCount += 1
    siftUp(node, from: heapCount - 1)
  }

  private mutating func removeFromHeap(_ index: Int) {
    heapCount -= 1
    guard index < heapCount else { return }
    let last = heap[heapCount]
    if index > 0, heap[(index - 1) / 2].pointee.deadline > last.pointee.deadline {
      siftUp(last, from: index)
    } else {
      siftDown(last, from: index)
    }
  }

  private func place(_ node: TimerPointer, _ index: Int) {
    heap[index] = node
    node.pointee.position = Self.heapBase + index
  }

  private func siftUp(_ node: TimerPointer, from start: Int) {
    var index = start
    while index > 0, heap[(index - 1) / 2].pointee.deadline > node.pointee.deadline {
      place(heap[(index - 1) / 2], index)
      index = (index - 1) / 2
    }
    place(node, index)
  }

  private func siftDown(_ node: TimerPointer, from start: Int) {
    var index = start
    while true {
      var child = 2 * index + 1
      guard child < heapCount else { break }
      if child + 1 < heapCount, heap[child + 1].pointee.deadline < heap[child].pointee.deadline { child += 1 }
      guard heap[child].pointee.deadline < node.pointee.deadline else { break }
      place(heap[child], index)
      index = child
    }
    place(node, index)
  }
}

extension UnsafeMutablePointer where Pointee == TimerWheel {
  func arm(_ node: TimerPointer, solo: Bool) {
    pointee.lock.lock(solo: solo)
    node.pointee.wheel = self
    pointee.insert(node)
    pointee.lock.unlock(solo: solo)
  }

  /// After this the node is nobody's: it was removed, or had fired and its firing is over.
  func cancel(_ node: TimerPointer, solo: Bool) {
    pointee.lock.lock(solo: solo)
    if node.pointee.position != TimerWheel.unlinked { pointee.remove(node) }
    pointee.lock.unlock(solo: solo)
  }

  func nextDeadline(solo: Bool) -> UInt64 {
    pointee.lock.lock(solo: solo)
    defer { pointee.lock.unlock(solo: solo) }
    return pointee.nextDeadline
  }

  /// Fires what is due, earliest first: the units to make ready, and the callbacks to run, each linked through `next`.
  func expire(now: UInt64, solo: Bool) -> (units: UnitPointer?, callbacks: CallbackPointer?, count: Int) {
    var units: (first: UnitPointer?, last: UnitPointer?)
    var callbacks: (first: TimerPointer?, last: TimerPointer?)
    var count = 0
    pointee.lock.lock(solo: solo)
    while let node = pointee.popDue(at: now) {
      if node.pointee.owner & 1 == 1 {
        node.pointee.owner &+= 2  // from here on it is too late to cancel
        node.pointee.next = nil
        if let last = callbacks.last { last.pointee.next = node } else { callbacks.first = node }
        callbacks.last = node
      } else {
        let unit = UnitPointer(bitPattern: node.pointee.owner).unsafelyUnwrapped
        guard unit.claim(.timeout, solo: solo) else { continue }
        unit.pointee.next = nil
        if let last = units.last { last.pointee.next = unit } else { units.first = unit }
        units.last = unit
      }
      count += 1
    }
    pointee.lock.unlock(solo: solo)
    return (units.first, callbacks.first?.callback, count)
  }
}
