// Callback timers on the loop's wheel, for code that has no task to suspend: protocol state machines, idle timeouts,
// periodic work. A timer is made once and armed as often as need be; arming, moving and cancelling allocate nothing and
// make no system call.
//
// A timer belongs to its loop: everything but making it happens on the loop's thread, so none of it is synchronised.
// While it is armed the wheel keeps it alive, so that the handle may be dropped and the callback comes all the same.
import CLinux

extension EventLoop {
  /// Calls a function on a loop's thread once its time has come.
  ///
  /// Unchecked: the node is touched on the loop's thread only, which every method demands, and by `deinit` when nobody
  /// else has the timer and the wheel does not hold it.
  public final class Timer: @unchecked Sendable {
    /// The loop that calls back.
    public let loop: EventLoop

    private let node: TimerNode.Pointer
    private let body: @Sendable () -> Void

    /// Makes a timer that is not armed. Any thread.
    ///
    /// - Parameter body: called on the loop's thread, outside any task. It must not block, and may arm this timer again,
    ///   cancel others, resume continuations and start tasks.
    public init(on loop: EventLoop, _ body: @escaping @Sendable () -> Void) {
      self.loop = loop
      self.body = body
      node = TimerNode.make(.callback, deadlineNanoseconds: 0)
      node.pointee.owner = Unmanaged.passUnretained(self).toOpaque()
    }

    deinit { TimerNode.free(node) }

    /// Whether it is going to call back. On its loop only.
    public var isArmed: Bool {
      precondition(loop.isCurrent, "a timer is used on its own loop")
      return TimerNode.links(node).pointee.slot >= 0
    }

    /// Lets it call back once, after at least `delay`. If it is armed already, its time is moved. On its loop only.
    public func arm(after delay: Duration) {
      arm(atNanoseconds: clinux_monotonic_ns().addingClamped(delay.clampedNanoseconds))
    }

    /// The same with a value of CLOCK_MONOTONIC in nanoseconds: one look at the clock serves many timers.
    public func arm(atNanoseconds deadline: UInt64) {
      if isArmed { TimerNode.unlink(node) } else { _ = Unmanaged.passRetained(self) }
      node.pointee.deadlineNanoseconds = deadline
      TimerNode.insert(node)
    }

    /// Takes it out. False: it was not armed, so its call has been made or is being made. On its loop only.
    @discardableResult
    public func cancel() -> Bool {
      guard isArmed else { return false }
      TimerNode.unlink(node)
      letGo()
      return true
    }

    /// By the loop, when the wheel has let go of it.
    func fire() {
      body()
      letGo()
    }

    /// Gives up the reference that the wheel held. It may be the last.
    func letGo() { Unmanaged.passUnretained(self).release() }
  }

  /// Arms a new timer that calls `body` on this loop after at least `delay`. On this loop only. The handle need not be
  /// kept.
  @discardableResult
  public func schedule(after delay: Duration, _ body: @escaping @Sendable () -> Void) -> Timer {
    let timer = Timer(on: self, body)
    timer.arm(after: delay)
    return timer
  }
}
