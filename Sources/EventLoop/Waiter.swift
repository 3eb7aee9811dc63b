// A task that waits for another task: in a semaphore, a channel, or for its turn on another loop. The node is in raw
// memory from the loop's pool, links into a FIFO of its primitive, and says where to resume: on the loop where the task
// waited, so that a channel between loops does not draw its two ends onto one.
//
// `state`, the links and the payload are guarded by the lock of the primitive that the node waits in; the one who takes
// it out of `waiting` (a peer, a canceller, a closer) resumes it, after the lock is released. The waiting task frees
// the node when it goes on: it is the last to use it, for the reasons given in TimerNode.swift.
import Synchronization

@usableFromInline struct Waiter: ~Copyable {
  @usableFromInline enum State: UInt8 {
    /// Made, not yet in a queue.
    case new
    case waiting
    /// Has got what it waited for.
    case granted
    case cancelled
    /// The primitive was closed.
    case closed
  }

  @usableFromInline typealias Pointer = UnsafeMutablePointer<Waiter>
  @usableFromInline typealias InlinePayload = (UInt64, UInt64, UInt64, UInt64)

  /// First, so that its address is the node's.
  var mail: Mail
  @usableFromInline var next: Pointer?
  @usableFromInline var previous: Pointer?
  @usableFromInline var state = State.new
  var continuation: UnsafeContinuation<Void, Never>?
  unowned(unsafe) var home: EventLoop?
  /// What is handed over, for payloads that fit.
  @usableFromInline var inline: InlinePayload = (0, 0, 0, 0)

  private init() {
    mail = Mail { _ in }
  }

  @usableFromInline static func make() -> Pointer {
    let node: Pointer = LocalState.current?.pointee.waiters.take() ?? .allocate(capacity: 1)
    node.initialize(to: Waiter())
    return node
  }

  @usableFromInline static func free(_ node: Pointer) {
    node.deinitialize(count: 1)
    if let local = LocalState.current { local.pointee.waiters.give(node) } else { node.deallocate() }
  }

  /// The task is about to suspend: notes where and how to resume it.
  @usableFromInline static func prepare(_ node: Pointer, _ continuation: UnsafeContinuation<Void, Never>) {
    node.pointee.continuation = continuation
    node.pointee.home = EventLoop.current
  }

  /// By the one who took it out of `waiting`, with no lock held. The node may be gone when this returns.
  @usableFromInline static func resume(_ node: Pointer) {
    guard let continuation = node.pointee.continuation else { preconditionFailure("a waiter that never waited") }
    guard let home = node.pointee.home, !home.isCurrent else { return continuation.resume() }
    node.pointee.mail = Mail { $0.assumingMemoryBound(to: Waiter.self).pointee.continuation?.resume() }
    home.post(mail: node)
  }
}

/// Lets a node's address go into a cancellation handler. Unchecked: see the rule at the top of this file.
@usableFromInline struct WaiterReference: @unchecked Sendable {
  @usableFromInline let node: Waiter.Pointer

  @inlinable init(node: Waiter.Pointer) { self.node = node }
}

/// A FIFO of waiters, doubly linked so that a cancelled one leaves from the middle at once.
@usableFromInline struct WaitQueue: ~Copyable {
  @usableFromInline var first: Waiter.Pointer?
  @usableFromInline var last: Waiter.Pointer?

  @inlinable init() {}

  @inlinable var isEmpty: Bool { first == nil }

  @inlinable mutating func append(_ node: Waiter.Pointer) {
    node.pointee.state = .waiting
    node.pointee.next = nil
    node.pointee.previous = last
    if let last { last.pointee.next = node } else { first = node }
    last = node
  }

  @inlinable mutating func popFirst() -> Waiter.Pointer? {
    guard let node = first else { return nil }
    remove(node)
    return node
  }

  @inlinable mutating func remove(_ node: Waiter.Pointer) {
    let (next, previous) = (node.pointee.next, node.pointee.previous)
    if let next { next.pointee.previous = previous } else { last = previous }
    if let previous { previous.pointee.next = next } else { first = next }
  }
}

extension EventLoop {
  /// Moves the calling task to this loop: it goes on there, and stays there as long as it is woken there (see the top
  /// of EventLoop.swift). Returns at once on the loop itself. The main actor's tasks stay on loop 0, and tasks with an
  /// executor of their own stay on that.
  public func enter() async {
    if isCurrent { return }
    let reference = WaiterReference(node: Waiter.make())
    await withUnsafeContinuation { continuation in
      reference.node.pointee.continuation = continuation
      reference.node.pointee.home = self
      if let local = LocalState.current {
        // Not yet: were it resumed over there before it has suspended here, it would go on here.
        reference.node.pointee.next = local.pointee.leaving
        local.pointee.leaving = reference.node
      } else {
        Waiter.resume(reference.node)
      }
    }
    Waiter.free(reference.node)
  }

  /// Starts a task on this loop, from anywhere.
  @discardableResult
  public func spawn<T: Sendable>(_ body: @escaping @Sendable () async throws -> T) -> Task<T, any Error> {
    Task {
      await enter()
      return try await body()
    }
  }
}
