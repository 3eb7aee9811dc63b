// Timers by deadline: a heap of four children a node, in which every timer knows its place.
//
// So a cancel takes its timer out at once, and a new deadline moves it from where it is, mostly a level or two: a
// timeout is as a rule cancelled long before it is due. A timing wheel would do both in constant time, and would round
// deadlines to its tick; four children instead of two halve the depth, and lie side by side in the cache.

/// A priority queue of the timers 0 ..< capacity. Not for two threads at once.
struct TimerHeap: ~Copyable {
  private struct Entry {
    var deadline: UInt64
    var timer: Int
  }

  private static let absent: Int32 = -1
  private let entries: UnsafeMutablePointer<Entry>
  /// Where each timer's entry is; half as wide as they might be, for a million of them should fit a cache.
  private let places: UnsafeMutablePointer<Int32>
  private var count = 0

  init(capacity: Int) {
    entries = .allocate(capacity: max(1, capacity))
    places = .allocate(capacity: max(1, capacity))
    places.initialize(repeating: Self.absent, count: capacity)
  }

  deinit {
    entries.deallocate()
    places.deallocate()
  }

  /// The earliest deadline; `UInt64.max` without any.
  var earliest: UInt64 { count == 0 ? .max : entries[0].deadline }

  func contains(_ timer: Int) -> Bool { places[timer] != Self.absent }

  /// Arms a timer, or gives one that is armed a new deadline.
  mutating func set(_ timer: Int, _ deadline: UInt64) {
    let entry = Entry(deadline: deadline, timer: timer)
    if contains(timer) {
      settle(entry, at: Int(places[timer]))
    } else {
      count += 1
      settle(entry, at: count - 1)
    }
  }

  /// Takes a timer out; false if it is not armed.
  mutating func remove(_ timer: Int) -> Bool {
    guard contains(timer) else { return false }
    let place = Int(places[timer])
    places[timer] = Self.absent
    count -= 1
    if place < count { settle(entries[count], at: place) }
    return true
  }

  /// Takes out the timer with the earliest deadline, if that is not after `now`.
  mutating func removeDue(_ now: UInt64) -> (timer: Int, deadline: UInt64)? {
    guard count > 0, entries[0].deadline <= now else { return nil }
    let first = entries[0]
    _ = remove(first.timer)
    return (first.timer, first.deadline)
  }

  /// Moves a hole from `place` up or down to where the entry belongs, and puts it there.
  private mutating func settle(_ entry: Entry, at place: Int) {
    var place = place
    while place > 0 {
      let parent = (place - 1) / 4
      guard entry.deadline < entries[parent].deadline else { break }
      put(entries[parent], at: place)
      place = parent
    }
    while true {
      let first = 4 * place + 1
      guard first < count else { break }
      var least = first
      for child in first + 1..<max(first + 1, min(first + 4, count))
      where entries[child].deadline < entries[least].deadline { least = child }
      guard entries[least].deadline < entry.deadline else { break }
      put(entries[least], at: place)
      place = least
    }
    put(entry, at: place)
  }

  private func put(_ entry: Entry, at place: Int) {
    entries[place] = entry
    places[entry.timer] = Int32(truncatingIfNeeded: place)
  }
}
