// What is due, and when: a 4-ary heap over a fixed array. Service times that are all alike make pushes that stay where
// they are put, a pop looks at two cache lines a level, and nothing is allocated after the start. A timing wheel would
// push faster, but has to be advanced tick by tick while the rig spins, and rounds due times to ticks.

/// Slots ordered by due time, those due together in the order in which they were pushed.
struct DelayQueue: ~Copyable {
  private struct Entry {
    var due: UInt64
    var order: UInt32
    var slot: UInt32

    func precedes(_ other: Entry) -> Bool {
      // Orders wrap around; those of two entries that are alive together never lie 2^31 pushes apart unless both have
      // waited for hours, and then only a tie is broken the other way.
      due < other.due || (due == other.due && Int32(bitPattern: order &- other.order) < 0)
    }
  }
  private let entries: UnsafeMutablePointer<Entry>
  private let capacity: Int
  private var pushes: UInt32 = 0
  private(set) var count = 0

  init(capacity: Int) {
    self.capacity = capacity
    entries = .allocate(capacity: capacity)
    entries.initialize(repeating: Entry(due: 0, order: 0, slot: 0), count: capacity)
  }

  deinit { entries.deallocate() }

  var isEmpty: Bool { count == 0 }

  /// The earliest due time; `UInt64.max` if nothing is due.
  var firstDue: UInt64 { count == 0 ? .max : entries[0].due }

  mutating func push(_ slot: Int, due: UInt64) {
    precondition(count < capacity, "the delay queue is full")
    let entry = Entry(due: due, order: pushes, slot: UInt32(slot))
    pushes &+= 1
    var hole = count
    count += 1
    while hole > 0 {
      let parent = (hole - 1) / 4
      guard entry.precedes(entries[parent]) else { break }
      entries[hole] = entries[parent]
      hole = parent
    }
    entries[hole] = entry
  }

  /// Removes the slot that is due first.
  mutating func pop() -> Int {
    precondition(count > 0, "nothing is due")
    let slot = Int(entries[0].slot)
    count -= 1
    let last = entries[count]
    var hole = 0
    while true {
      let child = 4 * hole + 1
      guard child < count else { break }
      var first = child
      for other in (child + 1)..<Swift.max(child + 1, Swift.min(child + 4, count))
      where entries[other].precedes(entries[first]) {
        first = other
      }
      guard entries[first].precedes(last) else { break }
      entries[hole] = entries[first]
      hole = first
    }
    entries[hole] = last
    return slot
  }
}
