// What the poller knows of a descriptor: its two directions, and the gate that lets `close` be called at any time.
//
// THE GATE. A number that has been closed may at once be another file, so no thread may be inside a system call on it
// then. `gate` counts the calls under way and has a bit for "closed": a call that finds the bit does not start; `close`
// sets it, and the descriptor is closed by whoever leaves last, which mostly is `close` itself.
//
// LIFE. The kernel holds the registration's address, unretained. The stream that owns it gives it up when it is
// deinitialised: it closes it, and hands the last reference to the loop, which drops it between two polls, when no event
// for it can be under way.
import CLinux
import Glibc
import Synchronization

final class Registration: Sendable {
  private static let closedBit: UInt32 = 1 << 31

  let descriptor: Int32
  let isSocket: Bool
  let loop: EventLoop
  let reading = Direction()
  let writing = Direction()
  private let gate = Atomic<UInt32>(0)
  /// False: the poller does not know it; a file, which never blocks. Relaxed: written before anybody else has it.
  private let polled = Atomic<Bool>(false)
  /// The other end has finished: a short read does not mean that nothing follows. Relaxed: it is set before the event
  /// is signalled, whose word orders it.
  private let hangup = Atomic<Bool>(false)

  /// Takes over a non-blocking descriptor, and closes it if it cannot be registered.
  init(_ descriptor: Int32, on loop: EventLoop) throws(LoopError) {
    self.descriptor = descriptor
    self.loop = loop
    let kind = clinux_is_socket(descriptor)
    isSocket = kind == 1
    if kind < 0 { throw .system(call: "fstat", errno: -kind) }
    do {
      let token = UInt64(UInt(bitPattern: Unmanaged.passUnretained(self).toOpaque()))
      polled.store(try loop.poller.add(descriptor, token: token), ordering: .relaxed)
    } catch {
      _ = clinux_close(descriptor)
      throw error
    }
  }

  /// By the owner, which does not use it any more.
  func giveUp() {
    close()
    // On the loop itself no delivery can be under way.
    if !loop.isCurrent { loop.execute { withExtendedLifetime(self) {} } }
  }

  /// On the loop's thread.
  func deliver(_ events: ReadyEvents) {
    if events.hangup { hangup.store(true, ordering: .relaxed) }
    if events.readable { reading.signal() }
    if events.writable { writing.signal() }
  }

  /// Whether a short read proves that nothing is left, and an event will tell of what comes.
  var shortReadDrains: Bool { isPolled && !hangup.load(ordering: .relaxed) }

  var isPolled: Bool { polled.load(ordering: .relaxed) }

  /// Makes a system call on the descriptor unless it is closed; repeats it when a signal interrupts it.
  /// Returns its result, or a negative errno.
  func call<Result: SignedInteger>(_ body: (Int32) -> Result) throws(LoopError) -> Result {
    try enter()
    var result = body(descriptor)
    while result == -Result(EINTR) { result = body(descriptor) }
    leave()
    if let local = LocalState.current {
      local.pointee.loop?.live.systemCalls.add()
    }
    return result
  }

  /// Counts the caller in, never once the bit is set: so the count reaches nothing under the bit exactly once.
  private func enter() throws(LoopError) {
    var seen = gate.load(ordering: .relaxed)
    while true {
      if seen & Self.closedBit != 0 { throw .closed }
      let (done, current) = gate.weakCompareExchange(expected: seen, desired: seen + 1, ordering: .acquiring)
      if done { return }
      seen = current
    }
  }

  /// Acquiring and releasing: all that the calls did happens before the close by whoever leaves last.
  private func leave() {
    let left = gate.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue
    if left == Self.closedBit { finish() }
  }

  /// Any thread; again has no effect. Wakes who waits, with `LoopError.closed`.
  func close() {
    // The closer itself counts as a call under way, so that exactly one of all leavers finds the gate empty.
    var seen = gate.load(ordering: .relaxed)
    while true {
      if seen & Self.closedBit != 0 { return }
      let (done, current) = gate.compareExchange(
        expected: seen, desired: (seen + 1) | Self.closedBit, ordering: .acquiringAndReleasing)
      if done { break }
      seen = current
    }
    reading.close()
    writing.close()
    leave()
  }

  private func finish() {
    if polled.load(ordering: .relaxed) { loop.poller.remove(descriptor) }
    _ = clinux_close(descriptor)
  }
}
