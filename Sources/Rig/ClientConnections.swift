// The load generator's connections: one request at a time on each, the idle ones in a queue.

import CLinux
import Glibc
import Workloads

/// A connection to the model and the request on it.
struct ClientConnection {
  enum State: UInt8 { case connecting, idle, awaiting, halfClosed, closed }
  var state = State.closed
  /// Whether the request on it belongs to the window.
  var isRecorded = false
  var descriptor: CInt = -1
  /// Bytes of the request that the socket has not taken yet.
  var unsentBytes = 0
  /// The last request sent on this connection; 0 before the first.
  var id: UInt64 = 0
  var intended: UInt64 = 0
  var sent: UInt64 = 0
  var idleSince: UInt64 = 0
  var inbox = FrameInbox()
}

/// The connections by slot, the idle ones first in, first out, and which request went out on which.
struct ClientConnections: ~Copyable {
  /// What an answer on a connection refers to.
  enum Reference { case outstanding, answered, unknown }

  /// How many of the latest ids are remembered. An answer to an older one counts as unknown instead of as repeated.
  private static let remembered = 1 << 20

  let count: Int
  let records: UnsafeMutablePointer<ClientConnection>
  private let idle: UnsafeMutablePointer<UInt32>
  private var idleHead = 0
  private(set) var idleCount = 0
  private let slots: UnsafeMutablePointer<UInt16>
  private(set) var lastId: UInt64 = 0
  /// Connections established and not closed; requests on them without an answer.
  private(set) var established = 0
  private(set) var outstanding = 0

  init(count: Int) {
    precondition(count > 0 && count <= Int(UInt16.max), "slots are stored in 16 bits")
    self.count = count
    records = .allocate(capacity: count)
    records.initialize(repeating: ClientConnection(), count: count)
    idle = .allocate(capacity: count)
    idle.initialize(repeating: 0, count: count)
    slots = .allocate(capacity: Self.remembered)
    // Written now, so that no request of the window pays for the first touch of a page.
    slots.initialize(repeating: 0, count: Self.remembered)
  }

  deinit {
    for slot in 0..<count {
      if records[slot].descriptor >= 0 { clinux_close(records[slot].descriptor) }
      records[slot].inbox.release()
    }
    records.deallocate()
    idle.deallocate()
    slots.deallocate()
  }

  /// A connection has been established and waits for its first request.
  mutating func establish(_ slot: Int, at now: UInt64) {
    established += 1
    release(slot, at: now)
  }

  private mutating func release(_ slot: Int, at now: UInt64) {
    records[slot].state = .idle
    records[slot].idleSince = now
    var tail = idleHead + idleCount
    if tail >= count { tail -= count }
    idle[tail] = UInt32(truncatingIfNeeded: slot)
    idleCount += 1
  }

  /// Takes the connection that has been idle longest and gives it the next id; nil if none is idle.
  mutating func begin() -> Int? {
    while idleCount > 0 {
      let slot = Int(idle[idleHead])
      idleHead += 1
      if idleHead == count { idleHead = 0 }
      idleCount -= 1
      // Closed while it was idle.
      guard records[slot].state == .idle else { continue }
      lastId += 1
      slots[Int(lastId) & (Self.remembered - 1)] = UInt16(truncatingIfNeeded: slot)
      outstanding += 1
      records[slot].state = .awaiting
      records[slot].id = lastId
      return slot
    }
    return nil
  }

  /// The request on a connection has been answered.
  mutating func finish(_ slot: Int, at now: UInt64) {
    outstanding -= 1
    release(slot, at: now)
  }

  /// Closes a connection. A request on it stays unanswered.
  mutating func close(_ slot: Int) {
    switch records[slot].state {
    case .closed: return
    case .connecting, .halfClosed: break
    case .idle: established -= 1
    case .awaiting:
      established -= 1
      outstanding -= 1
    }
    clinux_close(records[slot].descriptor)
    records[slot].descriptor = -1
    records[slot].state = .closed
    records[slot].unsentBytes = 0
    records[slot].inbox.release()
  }

  /// Says that no request will follow. A connection with a request on it is closed.
  mutating func halfClose(_ slot: Int) {
    guard records[slot].state == .idle else { return close(slot) }
    shutdown(records[slot].descriptor, CInt(SHUT_WR))
    records[slot].state = .halfClosed
    established -= 1
  }

  /// The connection whose last request was `id`; nil if that request was never sent or another has followed it.
  func slot(of id: UInt64) -> Int? {
    guard let slot = slotOnceUsed(by: id), records[slot].id == id else { return nil }
    return slot
  }

  private func slotOnceUsed(by id: UInt64) -> Int? {
    guard id > 0, id <= lastId, lastId - id < UInt64(Self.remembered) else { return nil }
    return Int(slots[Int(id) & (Self.remembered - 1)])
  }

  /// What an answer with that id on that connection is. One that comes over another connection than its request is an
  /// answer to something never asked there.
  func reference(_ id: UInt64, on slot: Int) -> Reference {
    if records[slot].state == .awaiting, records[slot].id == id { return .outstanding }
    return slotOnceUsed(by: id) == slot ? .answered : .unknown
  }
}
