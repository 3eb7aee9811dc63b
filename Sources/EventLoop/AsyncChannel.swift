// A bounded channel between tasks, on one loop or on several: a ring, a FIFO of receivers, a FIFO of senders. A sender
// that finds a receiver waiting gives it the element directly; a receiver that makes room moves the longest-waiting
// sender's element into the ring. So elements keep the order of their sends, and capacity is never exceeded.
// Its methods can be inlined into the caller's module, which is what specialises them for the element: without that a
// round trip between two tasks cost 17,000 instructions, two thirds of them the runtime's look-up of generic types.
// (`AsyncStream` is neither bounded by its consumer nor cheap: 1.1 microseconds for a yield and a next.)

public final class AsyncChannel<Element: Sendable>: Sendable {
  @usableFromInline typealias Slots = UnsafeMutablePointer<Element>

  /// At least one of the two queues is empty. Receivers wait only while the ring is empty, senders only while it is full.
  /// Unchecked: always inside the lock.
  @usableFromInline struct State: ~Copyable, @unchecked Sendable {
    @usableFromInline let capacity: Int
    @usableFromInline let ring: Slots
    @usableFromInline var first = 0
    @usableFromInline var count = 0
    @usableFromInline var receivers = WaitQueue()
    @usableFromInline var senders = WaitQueue()
    @usableFromInline var isClosed = false

    @inlinable init(capacity: Int) {
      self.capacity = capacity
      ring = .allocate(capacity: Swift.max(1, capacity))
    }

    @inlinable deinit {
      for offset in 0..<count { (ring + index(offset)).deinitialize(count: 1) }
      ring.deallocate()
    }

    @inlinable func index(_ offset: Int) -> Int {
      let index = first + offset
      return index < capacity ? index : index - capacity
    }

    @inlinable mutating func append(_ element: Element) {
      (ring + index(count)).initialize(to: element)
      count += 1
    }

    @inlinable mutating func popFirst() -> Element {
      let element = (ring + first).move()
      first = index(1)
      count -= 1
      return element
    }
  }

  @usableFromInline let state: Guarded<State>

  /// - Parameter capacity: elements that can be sent and not yet received; with 0, each send waits for its receiver.
  @inlinable public init(capacity: Int) {
    precondition(capacity >= 0, "a channel's capacity is 0 or more, not \(capacity)")
    state = Guarded(State(capacity: capacity))
  }

  /// Elements in the ring now.
  @inlinable public var count: Int { state.withLock { $0.count } }

  /// Sends an element, waiting for room if need be.
  ///
  /// - Throws: `LoopError.channelClosed`, or `CancellationError` if the task is cancelled while it waits. The element
  ///   was not sent then.
  @inlinable public func send(_ element: Element) async throws {
    switch offer(element) {
    case .done: return
    case .wake(let receiver): return Waiter.resume(receiver.node)
    case .closed: throw LoopError.channelClosed
    case .wait: break
    }
    let waiter = WaiterReference(node: Waiter.make())
    let slot = Payload<Element>.slot(of: waiter.node)
    slot.initialize(to: element)
    defer {
      Payload<Element>.release(slot, of: waiter.node)
      Waiter.free(waiter.node)
    }
    await park(waiter, as: .sender)
    if waiter.node.pointee.state == .granted { return }
    slot.deinitialize(count: 1)
    if waiter.node.pointee.state == .closed { throw LoopError.channelClosed }
    throw CancellationError()
  }

  /// Receives the next element, waiting for it if need be; nil once the channel is closed and empty.
  ///
  /// - Throws: `CancellationError` if the task is cancelled while it waits. No element is lost then.
  @inlinable public func receive() async throws -> Element? {
    let (element, sender, isClosed) = poll()
    if let sender { Waiter.resume(sender.node) }
    if element != nil || isClosed { return element }
    let waiter = WaiterReference(node: Waiter.make())
    let slot = Payload<Element>.slot(of: waiter.node)
    defer {
      Payload<Element>.release(slot, of: waiter.node)
      Waiter.free(waiter.node)
    }
    await park(waiter, as: .receiver)
    switch waiter.node.pointee.state {
    case .granted: return slot.move()
    case .closed: return nil
    case .new, .waiting, .cancelled: throw CancellationError()
    }
  }

  /// Sends without waiting: false if there is no room. Any thread.
  ///
  /// - Throws: `LoopError.channelClosed`.
  @inlinable public func trySend(_ element: Element) throws(LoopError) -> Bool {
    switch offer(element) {
    case .done: return true
    case .wake(let receiver):
      Waiter.resume(receiver.node)
      return true
    case .closed: throw .channelClosed
    case .wait: return false
    }
  }

  /// Receives without waiting: nil if there is nothing. Any thread.
  @inlinable public func tryReceive() -> Element? {
    let (element, sender, _) = poll()
    if let sender { Waiter.resume(sender.node) }
    return element
  }

  /// Ends the channel: sends throw from now on, also those that wait; what is in the ring can still be received, and
  /// after it receivers get nil. Any thread; again has no effect.
  @inlinable public func close() {
    var woken: [WaiterReference] = []
    state.withLock { state in
      state.isClosed = true
      while let node = state.receivers.popFirst() {
        node.pointee.state = .closed
        woken.append(WaiterReference(node: node))
      }
      while let node = state.senders.popFirst() {
        node.pointee.state = .closed
        woken.append(WaiterReference(node: node))
      }
    }
    for waiter in woken { Waiter.resume(waiter.node) }
  }

  @usableFromInline enum Offer {
    case done, wait, closed
    case wake(WaiterReference)
  }

  @inlinable func offer(_ element: Element) -> Offer {
    state.withLock { state in
      if state.isClosed { return .closed }
      if let receiver = state.receivers.popFirst() {
        Payload<Element>.slot(ofExisting: receiver).initialize(to: element)
        receiver.pointee.state = .granted
        return .wake(WaiterReference(node: receiver))
      }
      if state.count == state.capacity { return .wait }
      state.append(element)
      return .done
    }
  }

  @inlinable func poll() -> (Element?, WaiterReference?, isClosed: Bool) {
    state.withLock { state in
      guard state.count > 0 || !state.senders.isEmpty else { return (nil, nil, state.isClosed) }
      let (element, sender) = Self.take(&state)
      return (element, sender, false)
    }
  }

  /// The oldest element, and the sender whose own element has taken its place. There is an element, or a sender.
  @inlinable static func take(_ state: inout State) -> (Element, WaiterReference?) {
    guard state.count > 0 else {
      guard let sender = state.senders.popFirst() else { preconditionFailure("nothing to take") }
      sender.pointee.state = .granted
      return (Payload<Element>.slot(ofExisting: sender).move(), WaiterReference(node: sender))
    }
    let element = state.popFirst()
    guard let sender = state.senders.popFirst() else { return (element, nil) }
    state.append(Payload<Element>.slot(ofExisting: sender).move())
    sender.pointee.state = .granted
    return (element, WaiterReference(node: sender))
  }

  @usableFromInline enum Role: Sendable {
    case sender, receiver
  }

  /// Looks once more under the lock and waits if there is still nothing, until granted, closed or cancelled. Its two
  /// closures stay on the stack, so a wait allocates nothing.
  @inlinable func park(_ waiter: WaiterReference, as role: Role) async {
    await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        let (settled, peer) = state.withLock { state in
          if waiter.node.pointee.state == .cancelled { return (true, nil as WaiterReference?) }
          Waiter.prepare(waiter.node, continuation)
          let (outcome, peer) = Self.arrive(waiter.node, as: role, &state)
          if let outcome { waiter.node.pointee.state = outcome }
          return (outcome != nil, peer)
        }
        if let peer { Waiter.resume(peer.node) }
        if settled { continuation.resume() }
      }
    } onCancel: {
      let waited = state.withLock { state in
        let waited = waiter.node.pointee.state == .waiting
        if waited {
          switch role {
          case .sender: state.senders.remove(waiter.node)
          case .receiver: state.receivers.remove(waiter.node)
          }
        }
        if waited || waiter.node.pointee.state == .new { waiter.node.pointee.state = .cancelled }
        return waited
      }
      if waited { Waiter.resume(waiter.node) }
    }
  }

  /// What has become of the waiter, nil once it is in line; and whom its coming has set free.
  @inlinable static func arrive(_ node: Waiter.Pointer, as role: Role, _ state: inout State) -> (
    Waiter.State?, WaiterReference?
  ) {
    let slot = Payload<Element>.slot(ofExisting: node)
    switch role {
    case .sender:
      if state.isClosed { return (.closed, nil) }
      if let receiver = state.receivers.popFirst() {
        receiver.pointee.state = .granted
        Payload<Element>.slot(ofExisting: receiver).moveInitialize(from: slot, count: 1)
        return (.granted, WaiterReference(node: receiver))
      }
      if state.count < state.capacity {
        state.append(slot.move())
        return (.granted, nil)
      }
      state.senders.append(node)
    case .receiver:
      if state.count > 0 || !state.senders.isEmpty {
        let (element, sender) = take(&state)
        slot.initialize(to: element)
        return (.granted, sender)
      }
      if state.isClosed { return (.closed, nil) }
      state.receivers.append(node)
    }
    return (nil, nil)
  }
}

extension AsyncChannel: AsyncSequence {
  public struct Iterator: AsyncIteratorProtocol {
    @usableFromInline let channel: AsyncChannel

    @inlinable init(channel: AsyncChannel) { self.channel = channel }

    @inlinable public func next() async throws -> Element? { try await channel.receive() }
  }

  @inlinable public func makeAsyncIterator() -> Iterator { Iterator(channel: self) }
}

/// Where a waiter keeps the element that is handed over: inside the node if it fits, else on the heap.
@usableFromInline enum Payload<Element> {
  @inlinable static var fits: Bool {
    MemoryLayout<Element>.size <= MemoryLayout<Waiter.InlinePayload>.size
      && MemoryLayout<Element>.alignment <= MemoryLayout<Waiter.InlinePayload>.alignment
  }

  /// Gives the node a slot, uninitialised.
  @inlinable static func slot(of node: Waiter.Pointer) -> UnsafeMutablePointer<Element> {
    if !fits { node.pointee.inline.0 = UInt64(UInt(bitPattern: UnsafeMutablePointer<Element>.allocate(capacity: 1))) }
    return slot(ofExisting: node)
  }

  @inlinable static func slot(ofExisting node: Waiter.Pointer) -> UnsafeMutablePointer<Element> {
    if fits {
      return withUnsafeMutablePointer(to: &node.pointee.inline) {
        UnsafeMutableRawPointer($0).assumingMemoryBound(to: Element.self)
      }
    }
    guard let slot = UnsafeMutablePointer<Element>(bitPattern: UInt(node.pointee.inline.0)) else {
      preconditionFailure("a waiter without a slot")
    }
    return slot
  }

  @inlinable static func release(_ slot: UnsafeMutablePointer<Element>, of node: Waiter.Pointer) {
    if !fits { slot.deallocate() }
  }
}
