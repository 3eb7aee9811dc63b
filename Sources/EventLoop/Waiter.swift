// A task that waits for another task: in a semaphore, a channel, or for its turn on another loop. The node is in raw
// memory from the loop's pool, links into a FIFO of its primitive, and says where to resume: on the loop where the task
// waited, so that a channel between loops does not draw its two ends onto one.
//
// `state`, the links and the payload are guarded by the lock of the primitive that the node waits in; the one who takes
// it out of `waiting` (a peer, a canceller, a closer) resumes it, after the lock is released. The waiting task frees
// the node when it goes on: it is the last to use it, for the reasons given in TimerNode.swift.
import Synchronization

struct Waiter: ~Copyable {
  enum State: UInt8 {
    /// Made, not yet in a queue.
    case new
    case waiting
    /// Has got what it waited for.
    case granted
    case cancelled
    /// The primitive was closed.
    case closed
  }

  typealias Pointer = UnsafeMutablePointer<Waiter>
  typealias InlinePayload = (UInt64, UInt64, UInt64, UInt64)

  /// First, so that its address is the node's.
  var mail: Mail
  var next: Pointer?
  var previous: Pointer?
  var state = State.new
  var continuation: UnsafeContinuation<Void, Never>?
  unowned(unsafe) var home: EventLoop?
  /// What is handed over, for payloads that fit.
  var inline: InlinePayload = (0, 0, 0, 0)

  private init() {
    mail = Mail { _ in }
  }

  static func make() -> Pointer {
    let node: Pointer = LocalState.current?.pointee.waiters.take() ?? .allocate(capacity: 1)
    node.initialize(to: Waiter())
    return node
  }

  static func free(_ node: Pointer) {
    node.deinitialize(count: 1)
    if let local = LocalState.current { local.pointee.waiters.give(node) } else { node.deallocate() }
  }

  /// The task is about to suspend: notes where and how to resume it.
  static func prepare(_ node: Pointer, _ continuation: UnsafeContinuation<Void, Never>) {
    node.pointee.continuation = continuation
    node.pointee.home = EventLoop.current
  }

  /// By the one who took it out of `waiting`, with no lock held. The node may be gone when this returns.
  static func resume(_ node: Pointer) {
    guard let continuation = node.pointee.continuation else { preconditionFailure("a waiter that never waited") }
    guard let home = node.pointee.home, !home.isCurrent else { return continuation.resume() }
    node.pointee.mail = Mail { $0.assumingMemoryBound(to: Waiter.self).pointee.continuation?.resume() }
    home.post(mail: node)
  }
}

/// Lets a node's address go into a cancellation handler. Unchecked: see the rule at the top of this file.
struct WaiterReference: @unchecked Sendable {
  let node: Waiter.Pointer
}

/// A FIFO of waiters, doubly linked so that a cancelled one leaves from the middle at once.
struct WaitQueue: ~Copyable {
  private var first: Waiter.Pointer?
  private var last: Waiter.Pointer?

  var isEmpty: Bool { first == nil }

  mutating func append(_ node: Waiter.Pointer) {
    node.pointee.state = .waiting
    node.pointee.next = nil
    node.pointee.previous = last
    if let last { last.pointee.next = node } else { first = node }
    last = node
  }

  mutating func popFirst() -> Waiter.Pointer? {
    guard let node = first else { return nil }
    remove(node)
    return node
  }

  mutating func remove(_ node: Waiter.Pointer) {
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
