// A lock and what it guards. Sections are a few instructions long, so a contender spins a little and then sleeps on a
// futex (Drepper, "Futexes Are Tricky", 2011, the third mutex).
//
// Why not `Synchronization.Mutex`: on Linux it is a priority-inheritance futex. Under contention the kernel itself hands
// the word over, which the thread sanitizer cannot see: it reports every contended section as a race. And each contended
// hand-over is a system call on both sides.
import CLinux
import Synchronization

package struct Guarded<Value: ~Copyable>: ~Copyable, @unchecked Sendable {
  // Unchecked: the value is reached under the lock only.
  private let value: UnsafeMutablePointer<Value>
  private let word: UnsafeMutablePointer<Atomic<UInt32>>

  private static var free: UInt32 { 0 }
  private static var held: UInt32 { 1 }
  /// Held, and somebody may sleep.
  private static var contended: UInt32 { 2 }
  private static var spins: Int { 40 }

  package init(_ initial: consuming Value) {
    value = .allocate(capacity: 1)
    value.initialize(to: initial)
    // In memory of its own, since the kernel needs its address.
    word = .allocate(capacity: 1)
    word.initialize(to: Atomic(Self.free))
  }

  deinit {
    value.deinitialize(count: 1)
    value.deallocate()
    word.deinitialize(count: 1)
    word.deallocate()
  }

  package borrowing func withLock<Result: ~Copyable, Failure: Error>(
    _ body: (inout Value) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    lock()
    defer { unlock() }
    return try body(&value.pointee)
  }

  // Acquiring on the way in, releasing on the way out: each section sees all of those before it.
  private func lock() {
    if word.pointee.compareExchange(
      expected: Self.free, desired: Self.held, successOrdering: .acquiring, failureOrdering: .relaxed
    ).exchanged {
      return
    }
    for _ in 0..<Self.spins {
      if word.pointee.load(ordering: .relaxed) == Self.free,
        word.pointee.compareExchange(
          expected: Self.free, desired: Self.held, successOrdering: .acquiring, failureOrdering: .relaxed
        ).exchanged
      {
        return
      }
    }
    // Whoever has slept takes it as contended, since it cannot know whether others sleep still.
    while word.pointee.exchange(Self.contended, ordering: .acquiring) != Self.free {
      UnsafeMutableRawPointer(word).withMemoryRebound(to: UInt32.self, capacity: 1) {
        _ = clinux_futex_wait($0, Self.contended, -1)
      }
    }
  }

  private func unlock() {
    if word.pointee.exchange(Self.free, ordering: .releasing) == Self.contended {
      UnsafeMutableRawPointer(word).withMemoryRebound(to: UInt32.self, capacity: 1) {
        _ = clinux_futex_wake($0, 1)
      }
    }
  }
}
