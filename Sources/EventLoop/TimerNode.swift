// A timer: what the wheel links, and what is to happen when it fires. Four kinds share it: a job of the runtime
// (`Task.sleep`), a task of ours that sleeps, a deadline, and a callback.
//
// CANCELLATION. A sleeping task's timer may be fired by its loop and cancelled by any thread at the same moment. `state`
// decides: whoever moves it out of `armed` resumes the task, exactly once. A canceller on another thread must not touch
// the wheel; having won, it posts the node to the loop, which unlinks it and resumes. The node is freed by the task
// when it leaves its sleep, which is after the resume, hence after every use of the node: the loop's (it resumed), and
// the canceller's (leaving `withTaskCancellationHandler` waits for a handler that is running).
import CLinux
import Synchronization

struct TimerNode: ~Copyable {
  enum State: UInt8, AtomicRepresentable {
    case idle, armed, fired, cancelled
  }

  enum Kind { case job, task, deadline, callback }

  // The inbox knows a node by the address of its mail, the wheel by that of its links: hence first and second. The two
  // may be used at one moment, by a canceller and by the loop that links a neighbour, so each is reached by its own
  // address, never through the node. All else is constant once the node is armed.
  var mail: Mail
  var links = TimerLinks()
  let state = Atomic<State>(.idle)
  let kind: Kind
  var job: JobAddress?
  var continuation: UnsafeContinuation<Void, any Error>?
  /// Set before the node is armed and constant from then on.
  unowned(unsafe) var home: EventLoop?
  var deadlineNanoseconds: UInt64
  /// The `Deadline` or `EventLoop.Timer` that owns this node. It does not go while the wheel holds the node.
  var owner: UnsafeMutableRawPointer?

  private init(_ kind: Kind, deadlineNanoseconds: UInt64) {
    self.kind = kind
    self.deadlineNanoseconds = deadlineNanoseconds
    mail = Mail { _ in preconditionFailure("a timer was posted before it was armed") }
  }

  typealias Pointer = UnsafeMutablePointer<TimerNode>

  static func make(_ kind: Kind, deadlineNanoseconds: UInt64) -> Pointer {
    let node: Pointer = LocalState.current?.pointee.timers.take() ?? .allocate(capacity: 1)
    node.initialize(to: TimerNode(kind, deadlineNanoseconds: deadlineNanoseconds))
    return node
  }

  static func free(_ node: Pointer) {
    node.deinitialize(count: 1)
    if let local = LocalState.current { local.pointee.timers.give(node) } else { node.deallocate() }
  }

  static func of(_ links: TimingWheel.Node) -> Pointer {
    (UnsafeMutableRawPointer(links) - MemoryLayout<Mail>.size).assumingMemoryBound(to: TimerNode.self)
  }

  static func links(_ node: Pointer) -> TimingWheel.Node {
    (UnsafeMutableRawPointer(node) + MemoryLayout<Mail>.size).assumingMemoryBound(to: TimerLinks.self)
  }

  static func of(mail: UnsafeMutableRawPointer) -> Pointer {
    mail.assumingMemoryBound(to: TimerNode.self)
  }

  /// Traps if the compiler lays the node out otherwise than `of` and `links` say.
  static func checkLayout() {
    let node = make(.job, deadlineNanoseconds: 0)
    node.pointee.links.tick = 7
    precondition(links(node).pointee.tick == 7, "a timer's links must follow its mail")
    free(node)
  }

  /// On the node's loop: puts it into the wheel.
  static func insert(_ node: Pointer) {
    guard let local = LocalState.current else { preconditionFailure("timers are armed on a loop") }
    local.pointee.loop?.live.timersArmed.add()
    local.pointee.wheel.insert(links(node), deadlineNanoseconds: node.pointee.deadlineNanoseconds)
  }

  /// On the node's loop, if it is still in the wheel.
  static func unlink(_ node: Pointer) {
    guard let local = LocalState.current else { preconditionFailure("timers are cancelled on their loop") }
    if links(node).pointee.slot >= 0 {
      local.pointee.loop?.live.timersCancelled.add()
      local.pointee.wheel.remove(links(node))
    }
  }

  /// Called by the loop when the wheel has let go of it.
  static func fire(_ timer: TimingWheel.Node) {
    let node = of(timer)
    switch node.pointee.kind {
    case .job:
      if let job = node.pointee.job { LocalState.current?.pointee.ready.append(job) }
      free(node)
    case .task:
      // Lost: a canceller on another thread has won and its mail is on its way.
      guard claim(node, as: .fired) else { return }
      node.pointee.continuation?.resume()
    case .deadline:
      if let owner = node.pointee.owner {
        Unmanaged<Deadline>.fromOpaque(owner)._withUnsafeGuaranteedRef { $0.expire() }
      }
    case .callback:
      if let owner = node.pointee.owner {
        Unmanaged<EventLoop.Timer>.fromOpaque(owner)._withUnsafeGuaranteedRef { $0.fire() }
      }
    }
  }

  /// At the loop's end: what still waits is not resumed any more, nor called. Deadlines and tasks own their nodes.
  static func abandon(_ timer: TimingWheel.Node) {
    let node = of(timer)
    switch node.pointee.kind {
    case .job: free(node)
    case .task, .deadline: break
    case .callback:
      if let owner = node.pointee.owner {
        Unmanaged<EventLoop.Timer>.fromOpaque(owner)._withUnsafeGuaranteedRef { $0.letGo() }
      }
    }
  }

  /// Whether the caller is the one that ends the timer. Acquiring: the loop's `armed` was stored with release after
  /// everything that the winner reads.
  static func claim(_ node: Pointer, as state: State) -> Bool {
    node.pointee.state.compareExchange(expected: .armed, desired: state, ordering: .acquiring).exchanged
  }

  // MARK: Task.sleep

  /// Makes the runtime's job ready after `delay`. A job cannot be cancelled: `Task.sleep` resumes its task at once when
  /// it is cancelled, and leaves the job here until its time; it then does nothing.
  static func arm(job: JobAddress, after delay: UInt64) {
    let node = make(.job, deadlineNanoseconds: clinux_monotonic_ns().addingClamped(delay))
    node.pointee.job = job
    if LocalState.current != nil {
      insert(node)
    } else if let loop = EventLoops.current?.next() {
      node.pointee.mail = Mail { TimerNode.insert(TimerNode.of(mail: $0)) }
      loop.post(mail: node)
    } else {
      free(node)
    }
  }
}

extension Duration {
  /// Whole nanoseconds, rounded up; 0 for a negative duration, and at most 292 years.
  var clampedNanoseconds: UInt64 {
    let (seconds, attoseconds) = components
    if seconds < 0 || attoseconds < 0 { return 0 }
    if seconds >= Int64.max / 1_000_000_000 { return UInt64(Int64.max) }
    return UInt64(seconds) * 1_000_000_000 + UInt64((attoseconds + 999_999_999) / 1_000_000_000)
  }
}

extension UInt64 {
  func addingClamped(_ other: UInt64) -> UInt64 {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }
}
