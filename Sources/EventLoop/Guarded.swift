// A lock and what it guards. Sections are a few instructions long, so a contender spins a little and then sleeps on a
// futex (Drepper, "Futexes Are Tricky", 2011, the third mutex).
//
// Why not `Synchronization.Mutex`: on Linux it is a priority-inheritance futex. Under contention the kernel itself hands
// the word over, which the thread sanitizer cannot see: it reports every contended section as a race. And each contended
// hand-over is a system call on both sides.
import CLinux
import Synchronization

@usableFromInline package struct Guarded<Value: ~Copyable>: ~Copyable, @unchecked Sendable {
  // Unchecked: the value is reached under the lock only.
  @usableFromInline let value: UnsafeMutablePointer<Value>
  @usableFromInline let word: UnsafeMutablePointer<Atomic<UInt32>>

  @inlinable package init(_ initial: consuming Value) {
    value = .allocate(capacity: 1)
    value.initialize(to: initial)
    // In memory of its own, since the kernel needs its address.
    word = .allocate(capacity: 1)
    word.initialize(to: Atomic(FutexWord.free))
  }

  @inlinable deinit {
    value.deinitialize(count: 1)
    value.deallocate()
    word.deinitialize(count: 1)
    word.deallocate()
  }

  @inlinable package borrowing func withLock<Result: ~Copyable, Failure: Error>(
    _ body: (inout Value) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    lock()
    defer { unlock() }
    return try body(&value.pointee)
  }

  // Acquiring on the way in, releasing on the way out: each section sees all of those before it.
  @inlinable @inline(__always)
  func lock() {
    if !word.pointee.compareExchange(
      expected: FutexWord.free, desired: FutexWord.held, successOrdering: .acquiring, failureOrdering: .relaxed
    ).exchanged {
      FutexWord.wait(word)
    }
  }

  @inlinable @inline(__always)
  func unlock() {
    if word.pointee.exchange(FutexWord.free, ordering: .releasing) == FutexWord.contended { FutexWord.wake(word) }
  }
}

/// The slow ways into the lock and out of it, which do not depend on what it guards.
@usableFromInline enum FutexWord {
  @inlinable static var free: UInt32 { 0 }
  @inlinable static var held: UInt32 { 1 }
  /// Held, and somebody may sleep.
  @inlinable static var contended: UInt32 { 2 }
  private static var spins: Int { 40 }

  /// Returns when the caller holds the lock.
  @usableFromInline static func wait(_ word: UnsafeMutablePointer<Atomic<UInt32>>) {
    for _ in 0..<spins {
      if word.pointee.load(ordering: .relaxed) == free,
        word.pointee.compareExchange(
          expected: free, desired: held, successOrdering: .acquiring, failureOrdering: .relaxed
        ).exchanged
      {
        return
      }
    }
    // Whoever has slept takes it as contended, since it cannot know whether others sleep still.
    while word.pointee.exchange(contended, ordering: .acquiring) != free {
      UnsafeMutableRawPointer(word).withMemoryRebound(to: UInt32.self, capacity: 1) {
        _ = clinux_futex_wait($0, contended, -1)
      }
    }
  }

  @usableFromInline static func wake(_ word: UnsafeMutablePointer<Atomic<UInt32>>) {
    UnsafeMutableRawPointer(word).withMemoryRebound(to: UInt32.self, capacity: 1) { _ = clinux_futex_wake($0, 1) }
  }
}
