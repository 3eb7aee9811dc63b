// Bounded channels.

import Synchronization

/// The channel was closed; thrown by `send`. `receive` returns nil instead, after the last value.
public struct ChannelClosed: Error, Equatable, CustomStringConvertible {
  public init() {}
  public var description: String { "the channel is closed" }
}

/// A queue of at most `capacity` values between units: a full one makes senders wait, an empty one receivers. With
/// capacity 0 the two meet. First come, first served on both sides; a value goes straight to a receiver that waits.
public final class Channel<Element: Sendable>: @unchecked Sendable {
  // Unchecked: everything in `state` changes only under its lock.
  @usableFromInline let state: UnsafeMutablePointer<ChannelState<Element>>
  public let capacity: Int

  public init(capacity: Int) {
    precondition(capacity >= 0, "a channel cannot hold \(capacity) values")
    self.capacity = capacity
    state = .allocate(capacity: 1)
    state.initialize(to: ChannelState(capacity: capacity))
  }

  deinit {
    state.deinitialize(count: 1)
    state.deallocate()
  }

  /// Waits for room. Throws `ChannelClosed`, `CancellationError` or `DeadlineExceeded`; then nothing was sent.
  @inlinable
  public func send(_ value: consuming Element, timeout: Duration? = nil) throws {
    let unit = Unit.current()
    unit.pointee.worker.explore(unit)
    let worker = unit.pointee.worker
    let solo = worker.pointee.solo
    state.pointee.lock.lock(solo: solo)
    if !state.pointee.isClosed {
      if state.pointee.receivers.first != nil, let receiver = state.pointee.receivers.grantFirst(solo: solo) {
        let partner = receiver.pointee.unit
        receiver.pointee.payload.unsafelyUnwrapped.assumingMemoryBound(to: Element?.self).pointee = consume value
        state.pointee.lock.unlock(solo: solo)
        return worker.makeReady(partner)
      }
      if state.pointee.count < state.pointee.capacity {
        state.append(consume value)
        return state.pointee.lock.unlock(solo: solo)
      }
    }
    try sendOrWait(consume value, unit, until: timeout == nil ? .max : unit.deadline(after: timeout))
  }

  /// Called with the lock held.
  @inlinable @inline(never)
  func sendOrWait(_ value: consuming Element, _ unit: UnitPointer, until end: UInt64) throws {
    var cell: Element? = consume value
    try withUnsafeMutablePointer(to: &cell) { cell in
      while true {
        let worker = unit.pointee.worker
        let solo = worker.pointee.solo
        switch state.offer(cell, solo: solo) {
        case .done(let partner):
          state.pointee.lock.unlock(solo: solo)
          if let partner { worker.makeReady(partner) }
          return
        case .closed:
          state.pointee.lock.unlock(solo: solo)
          throw ChannelClosed()
        case .wait:
          if try state.wait(unit, UnsafeMutableRawPointer(cell), sends: true, until: end) { return }
          state.pointee.lock.lock(solo: unit.pointee.worker.pointee.solo)
        }
      }
    }
  }

  /// The next value, or nil once the channel is closed and empty. Throws `CancellationError` or `DeadlineExceeded`.
  @inlinable
  public func receive(timeout: Duration? = nil) throws -> Element? {
    let unit = Unit.current()
    unit.pointee.worker.explore(unit)
    let solo = unit.pointee.worker.pointee.solo
    state.pointee.lock.lock(solo: solo)
    if state.pointee.count > 0, state.pointee.senders.first == nil {
      let value = state.removeFirst()
      state.pointee.lock.unlock(solo: solo)
      return value
    }
    return try receiveOrWait(unit, until: timeout == nil ? .max : unit.deadline(after: timeout))
  }

  /// Called with the lock held.
  @inlinable @inline(never)
  func receiveOrWait(_ unit: UnitPointer, until end: UInt64) throws -> Element? {
    var cell: Element?
    try withUnsafeMutablePointer(to: &cell) { cell in
      while true {
        let worker = unit.pointee.worker
        let solo = worker.pointee.solo
        switch state.accept(cell, solo: solo) {
        case .done(let partner):
          state.pointee.lock.unlock(solo: solo)
          if let partner { worker.makeReady(partner) }
          return
        case .closed:
          state.pointee.lock.unlock(solo: solo)
          return
        case .wait:
          // Granted by a sender, with the value in the cell, or by `close`, with none.
          if try state.wait(unit, UnsafeMutableRawPointer(cell), sends: false, until: end) { return }
          state.pointee.lock.lock(solo: unit.pointee.worker.pointee.solo)
        }
      }
    }
    return cell
  }

  /// No more values: receivers get what is in the channel, then nil; senders, also those that wait, fail.
  public func close() {
    let worker = Unit.current().pointee.worker
    let solo = worker.pointee.solo
    state.pointee.lock.lock(solo: solo)
    state.pointee.isClosed = true
    state.pointee.lock.unlock(solo: solo)
    // Those that wait find the channel closed when they try again; one lock at a time, as each wake may switch queues.
    while true {
      state.pointee.lock.lock(solo: solo)
      let unit = state.dismissOne(solo: solo)
      state.pointee.lock.unlock(solo: solo)
      guard let unit else { return }
      worker.pushReady(unit)
    }
  }
}

@usableFromInline
struct ChannelState<Element>: ~Copyable {
  // The lock is not first: see `WaitState`.
  @usableFromInline var isClosed = false
  @usableFromInline let lock = SpinLock()
  @usableFromInline let capacity: Int
  @usableFromInline var count = 0
  @usableFromInline var head = 0
  @usableFromInline let buffer: UnsafeMutablePointer<Element>
  @usableFromInline var senders = WaitQueue()
  @usableFromInline var receivers = WaitQueue()

  init(capacity: Int) {
    self.capacity = capacity
    buffer = .allocate(capacity: max(capacity, 1))
  }

  deinit {
    for i in 0..<count { (buffer + (head + i) % capacity).deinitialize(count: 1) }
    buffer.deallocate()
  }
}

@usableFromInline
enum Transfer {
  /// It happened; the unit at the other side is to be made ready, if there was one.
  case done(UnitPointer?)
  case closed
  case wait
}

extension UnsafeMutablePointer where Pointee: ~Copyable {
  /// Everything here is called with the lock held.
  @inlinable @inline(__always)
  func offer<E>(_ cell: UnsafeMutablePointer<E?>, solo: Bool) -> Transfer where Pointee == ChannelState<E> {
    if pointee.isClosed { return .closed }
    if pointee.receivers.first != nil, let receiver = pointee.receivers.grantFirst(solo: solo) {
      let target = receiver.pointee.payload.unsafelyUnwrapped.assumingMemoryBound(to: E?.self)
      target.pointee = cell.pointee.take()
      return .done(receiver.pointee.unit)
    }
    guard pointee.count < pointee.capacity else { return .wait }
    append(cell.pointee.take().unsafelyUnwrapped)
    return .done(nil)
  }

  @inlinable @inline(__always)
  func accept<E>(_ cell: UnsafeMutablePointer<E?>, solo: Bool) -> Transfer where Pointee == ChannelState<E> {
    if pointee.count > 0 {
      cell.pointee = removeFirst()
      // A sender that waited for room: its value takes it.
      guard pointee.senders.first != nil, let sender = pointee.senders.grantFirst(solo: solo) else { return .done(nil) }
      append(sender.pointee.payload.unsafelyUnwrapped.assumingMemoryBound(to: E?.self).pointee.take().unsafelyUnwrapped)
      return .done(sender.pointee.unit)
    }
    if pointee.senders.first != nil, let sender = pointee.senders.grantFirst(solo: solo) {
      cell.pointee = sender.pointee.payload.unsafelyUnwrapped.assumingMemoryBound(to: E?.self).pointee.take()
      return .done(sender.pointee.unit)
    }
    return pointee.isClosed ? .closed : .wait
  }

  @inlinable @inline(__always)
  func append<E>(_ value: consuming E) where Pointee == ChannelState<E> {
    var tail = pointee.head &+ pointee.count
    if tail >= pointee.capacity { tail &-= pointee.capacity }
    (pointee.buffer + tail).initialize(to: value)
    pointee.count &+= 1
  }

  @inlinable @inline(__always)
  func removeFirst<E>() -> E where Pointee == ChannelState<E> {
    let value = (pointee.buffer + pointee.head).move()
    pointee.head &+= 1
    if pointee.head == pointee.capacity { pointee.head = 0 }
    pointee.count &-= 1
    return value
  }

  /// Releases the lock and waits to be granted. False: try again.
  @inlinable @inline(__always)
  func wait<E>(_ unit: UnitPointer, _ payload: UnsafeMutableRawPointer, sends: Bool, until: UInt64) throws -> Bool
  where Pointee == ChannelState<E> {
    let solo = unit.pointee.worker.pointee.solo
    guard unit.prepareToPark(solo: solo) else {
      pointee.lock.unlock(solo: solo)
      throw CancellationError()
    }
    var node = Waiter(unit: unit, payload: payload)
    return try withUnsafeMutablePointer(to: &node) { waiter in
      if sends { pointee.senders.append(waiter) } else { pointee.receivers.append(waiter) }
      pointee.lock.unlock(solo: solo)
      let reason = unit.park(for: sends ? "a channel to send to" : "a channel to receive from", until: until)
      if waiter.pointee.isGranted { return true }
      withdraw(waiter, sends: sends, solo: solo)
      if reason != .event { throw reason.error }
      return false
    }
  }

  @usableFromInline @inline(never)
  func withdraw<E>(_ waiter: WaiterPointer, sends: Bool, solo: Bool) where Pointee == ChannelState<E> {
    pointee.lock.lock(solo: solo)
    if waiter.pointee.isLinked {
      if sends { pointee.senders.remove(waiter) } else { pointee.receivers.remove(waiter) }
    }
    pointee.lock.unlock(solo: solo)
  }

  /// Wakes one that waits, without granting it anything.
  func dismissOne<E>(solo: Bool) -> UnitPointer? where Pointee == ChannelState<E> {
    while let waiter = pointee.receivers.first ?? pointee.senders.first {
      if pointee.receivers.first != nil { pointee.receivers.remove(waiter) } else { pointee.senders.remove(waiter) }
      if waiter.pointee.unit.claim(.event, solo: solo) { return waiter.pointee.unit }
    }
    return nil
  }
}
