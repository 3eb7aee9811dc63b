// The backend's connections: accepted from the model, at most one sub-request at a time on each, replies when due.

import CLinux
import Glibc

/// A connection from the model.
struct BackendConnection {
  enum State: UInt8 {
    case free, ready, owing
    /// Closed by the model while a reply was due; free again when that time has come.
    case closedOwing
  }
  var state = State.free
  var descriptor: CInt = -1
  var unsentBytes = 0
  var due: UInt64 = 0
  var inbox = FrameInbox()
}

/// The connections by slot, and the replies that are due.
struct Backend: ~Copyable {
  /// Connections beyond the contract's number that are served all the same, to be counted and reported.
  private static let spare = 256

  let capacity: Int
  let records: UnsafeMutablePointer<BackendConnection>
  var queue: DelayQueue
  private(set) var open = 0
  private(set) var peak = 0
  private let free: UnsafeMutablePointer<UInt32>
  private var freeCount: Int

  /// How many slots there are for a contract of so many connections.
  static func capacity(for connections: Int) -> Int { connections + spare }

  init(connections: Int) {
    capacity = Self.capacity(for: connections)
    records = .allocate(capacity: capacity)
    records.initialize(repeating: BackendConnection(), count: capacity)
    queue = DelayQueue(capacity: capacity)
    free = .allocate(capacity: capacity)
    freeCount = capacity
    for index in 0..<capacity { (free + index).initialize(to: UInt32(capacity - 1 - index)) }
  }

  deinit {
    for slot in 0..<capacity {
      if records[slot].descriptor >= 0 { clinux_close(records[slot].descriptor) }
      records[slot].inbox.release()
    }
    records.deallocate()
    free.deallocate()
  }

  /// Takes an accepted descriptor; nil if there are far more connections than the contract allows.
  mutating func accept(_ descriptor: CInt) -> Int? {
    guard freeCount > 0 else {
      peak = max(peak, capacity + 1)
      return nil
    }
    freeCount -= 1
    let slot = Int(free[freeCount])
    open += 1
    records[slot].state = .ready
    records[slot].descriptor = descriptor
    return slot
  }

  /// Takes note of how many connections are open. To be called when all events up to a moment after the last accept
  /// have been handled: only then is a connection that another replaces surely known to be closed.
  mutating func notePeak() { peak = max(peak, open) }

  mutating func owe(_ slot: Int, due: UInt64) {
    records[slot].due = due
    queue.push(slot, due: due)
  }

  /// Closes a connection. Its slot is not used again before a reply that is due has come out of the queue.
  mutating func close(_ slot: Int) {
    guard records[slot].descriptor >= 0 else { return }
    clinux_close(records[slot].descriptor)
    open -= 1
    // A reply of which a part was written has left the queue.
    let isQueued = records[slot].state == .owing && records[slot].unsentBytes == 0
    records[slot].descriptor = -1
    records[slot].unsentBytes = 0
    records[slot].inbox.release()
    if isQueued {
      records[slot].state = .closedOwing
    } else {
      recycle(slot)
    }
  }

  mutating func recycle(_ slot: Int) {
    records[slot].state = .free
    free[freeCount] = UInt32(truncatingIfNeeded: slot)
    freeCount += 1
  }
}
