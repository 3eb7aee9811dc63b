// A bounded channel between tasks, on one loop or on several: a ring, a FIFO of receivers, a FIFO of senders. A sender
// that finds a receiver waiting gives it the element directly; a receiver that makes room moves the longest-waiting
// sender's element into the ring. So elements keep the order of their sends, and capacity is never exceeded.
// (`AsyncStream` is neither bounded by its consumer nor cheap: 1.1 microseconds for a yield and a next.)

public final class AsyncChannel<Element: Sendable>: Sendable {
  private typealias Slots = UnsafeMutablePointer<Element>

  /// At least one of the two queues is empty. Receivers wait only while the ring is empty, senders only while it is full.
  /// Unchecked: always inside the lock.
  private struct State: ~Copyable, @unchecked Sendable {
    let capacity: Int
    let ring: Slots
    var first = 0
    var count = 0
    var receivers = WaitQueue()
    var senders = WaitQueue()
    var isClosed = false

    init(capacity: Int) {
      self.capacity = capacity
      ring = .allocate(capacity: Swift.max(1, capacity))
    }

    deinit {
      for offset in 0..<count { (ring + index(offset)).deinitialize(count: 1) }
      ring.deallocate()
    }

    private func index(_ offset: Int) -> Int {
      let index = first + offset
      return index < capacity ? index : index - capacity
    }

    mutating func append(_ element: Element) {
      (ring + index(count)).initialize(to: element)
      count += 1
    }

    mutating func popFirst() -> Element {
      let element = (ring + first).move()
      first = index(1)
      count -= 1
      return element
    }
  }

  private let state: Guarded<State>

  /// - Parameter capacity: elements that can be sent and not yet received; with 0, each send waits for its receiver.
  public init(capacity: Int) {
    precondition(capacity >= 0, "a channel's capacity is 0 or more, not \(capacity)")
    state = Guarded(State(capacity: capacity))
  }

  /// Elements in the ring now.
  public var count: Int { state.withLock { $0.count } }

  /// Sends an element, waiting for room if need be.
  ///
  /// - Throws: `LoopError.channelClosed`, or `CancellationError` if the task is cancelled while it waits. The element
  ///   was not sent then.
  public func send(_ element: Element) async throws {
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
    await park(waiter) { state in
      if state.isClosed { return .settled(.closed, wake: nil) }
      if let receiver = state.receivers.popFirst() {
        receiver.pointee.state = .granted
        Payload<Element>.slot(ofExisting: receiver).moveInitialize(from: slot, count: 1)
        return .settled(.granted, wake: receiver)
      }
      if state.count < state.capacity {
        state.append(slot.move())
        return .settled(.granted, wake: nil)
      }
      state.senders.append(waiter.node)
      return .parked
    } onCancel: {
      $0.senders.remove(waiter.node)
    }
    if waiter.node.pointee.state == .granted { return }
    slot.deinitialize(count: 1)
    if waiter.node.pointee.state == .closed { throw LoopError.channelClosed }
    throw CancellationError()
  }

  /// Receives the next element, waiting for it if need be; nil once the channel is closed and empty.
  ///
  /// - Throws: `CancellationError` if the task is cancelled while it waits. No element is lost then.
  public func receive() async throws -> Element? {
    let (element, sender, isClosed) = poll()
    if let sender { Waiter.resume(sender.node) }
    if element != nil || isClosed { return element }
    let waiter = WaiterReference(node: Waiter.make())
    let slot = Payload<Element>.slot(of: waiter.node)
    defer {
      Payload<Element>.release(slot, of: waiter.node)
      Waiter.free(waiter.node)
    }
    await park(waiter) { state in
      if state.count > 0 || !state.senders.isEmpty {
        let (element, sender) = Self.take(&state)
        slot.initialize(to: element)
        return .settled(.granted, wake: sender?.node)
      }
      if state.isClosed { return .settled(.closed, wake: nil) }
      state.receivers.append(waiter.node)
      return .parked
    } onCancel: {
      $0.receivers.remove(waiter.node)
    }
    switch waiter.node.pointee.state {
    case .granted: return slot.move()
    case .closed: return nil
    case .new, .waiting, .cancelled: throw CancellationError()
    }
  }

  /// Sends without waiting: false if there is no room. Any thread.
  ///
  /// - Throws: `LoopError.channelClosed`.
  public func trySend(_ element: Element) throws(LoopError) -> Bool {
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
  public func tryReceive() -> Element? {
    let (element, sender, _) = poll()
    if let sender { Waiter.resume(sender.node) }
    return element
  }

  /// Ends the channel: sends throw from now on, also those that wait; what is in the ring can still be received, and
  /// after it receivers get nil. Any thread; again has no effect.
  public func close() {
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

  private enum Offer {
    case done, wait, closed
    case wake(WaiterReference)
  }

  private func offer(_ element: Element) -> Offer {
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

  private func poll() -> (Element?, WaiterReference?, isClosed: Bool) {
    state.withLock { state in
      guard state.count > 0 || !state.senders.isEmpty else { return (nil, nil, state.isClosed) }
      let (element, sender) = Self.take(&state)
      return (element, sender, false)
    }
  }

  /// The oldest element, and the sender whose own element has taken its place. There is an element, or a sender.
  private static func take(_ state: inout State) -> (Element, WaiterReference?) {
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

  private enum Arrival {
    case parked
    case settled(Waiter.State, wake: Waiter.Pointer?)
  }

  /// Looks once more under the lock and waits if there is still nothing, until granted, closed or cancelled.
  private func park(
    _ waiter: WaiterReference, _ arrive: (inout State) -> Arrival,
    onCancel unlink: @escaping @Sendable (inout State) -> Void
  ) async {
    await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        var peer: WaiterReference?
        let settled = state.withLock { state in
          if waiter.node.pointee.state == .cancelled { return true }
          Waiter.prepare(waiter.node, continuation)
          guard case .settled(let outcome, let wake) = arrive(&state) else { return false }
          waiter.node.pointee.state = outcome
          peer = wake.map(WaiterReference.init(node:))
          return true
        }
        if let peer { Waiter.resume(peer.node) }
        if settled { continuation.resume() }
      }
    } onCancel: {
      let waited = state.withLock { state in
        let waited = waiter.node.pointee.state == .waiting
        if waited { unlink(&state) }
        if waited || waiter.node.pointee.state == .new { waiter.node.pointee.state = .cancelled }
        return waited
      }
      if waited { Waiter.resume(waiter.node) }
    }
  }
}

extension AsyncChannel: AsyncSequence {
  public struct Iterator: AsyncIteratorProtocol {
    let channel: AsyncChannel

    public func next() async throws -> Element? { try await channel.receive() }
  }

  public func makeAsyncIterator() -> Iterator { Iterator(channel: self) }
}

/// Where a waiter keeps the element that is handed over: inside the node if it fits, else on the heap.
private enum Payload<Element> {
  private static var fits: Bool {
    MemoryLayout<Element>.size <= MemoryLayout<Waiter.InlinePayload>.size
      && MemoryLayout<Element>.alignment <= MemoryLayout<Waiter.InlinePayload>.alignment
  }

  /// Gives the node a slot, uninitialised.
  static func slot(of node: Waiter.Pointer) -> UnsafeMutablePointer<Element> {
    if !fits { node.pointee.inline.0 = UInt64(UInt(bitPattern: UnsafeMutablePointer<Element>.allocate(capacity: 1))) }
    return slot(ofExisting: node)
  }

  static func slot(ofExisting node: Waiter.Pointer) -> UnsafeMutablePointer<Element> {
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

  static func release(_ slot: UnsafeMutablePointer<Element>, of node: Waiter.Pointer) {
    if !fits { slot.deallocate() }
  }
}
