// A thread's place to wait with a deadline on the monotonic clock: park and unpark, as in Java's LockSupport.
//
// glibc's own sem_clockwait is out of Swift's reach (it needs _GNU_SOURCE), sem_timedwait knows the wall clock only, and
// pthread_cond_clockwait takes its mutex again on waking, which costs a system call more: hence the futex itself.

import CLinux
import ModelKit
import Synchronization

/// A permit that one thread waits for. Sendable because the word is atomic and its address never changes.
final class Parker: @unchecked Sendable {
  private static let empty: UInt32 = 0
  private static let permit: UInt32 = 1
  private static let waiting: UInt32 = 2

  private let word: UnsafeMutablePointer<Atomic<UInt32>>

  init() {
    word = .allocate(capacity: 1)
    word.initialize(to: Atomic(Self.empty))
  }

  deinit {
    word.deinitialize(count: 1)
    word.deallocate()
  }

  /// Gives the permit: lets one ``park()`` pass, now or later. Releasing, and ``park()`` acquires: what came before is
  /// visible to who passes. A system call only if the thread waits.
  func unpark() {
    guard word.pointee.exchange(Self.permit, ordering: .acquiringAndReleasing) == Self.waiting else { return }
    clinux_futex_wake(UnsafeRawPointer(word).assumingMemoryBound(to: UInt32.self), 1)
  }

  /// Waits for the permit and takes it. Only ever one thread at a time.
  func park() { _ = park(until: nil) }

  /// Waits for the permit until that moment of the monotonic clock at the latest.
  /// - Returns: whether it got the permit; if not, the moment has passed.
  @discardableResult
  func park(until deadline: UInt64?) -> Bool {
    while true {
      // Fails where the permit is there already; a spurious wake-up finds `waiting`, and waits on.
      let found = word.pointee.compareExchange(
        expected: Self.empty, desired: Self.waiting, ordering: .acquiringAndReleasing
      ).original
      if found == Self.permit {
        // Not a mere store: of two permits that fall together the second one's past must be visible too.
        _ = word.pointee.exchange(Self.empty, ordering: .acquiring)
        return true
      }
      var timeout: Int64 = -1
      if let deadline {
        let now = monotonicNanoseconds()
        guard now < deadline else { return withdraw() }
        timeout = Int64(clamping: deadline - now)
      }
      clinux_futex_wait(UnsafeRawPointer(word).assumingMemoryBound(to: UInt32.self), Self.waiting, timeout)
    }
  }

  /// Stops waiting, unless the permit has come in the last moment.
  private func withdraw() -> Bool {
    word.pointee.exchange(Self.empty, ordering: .acquiringAndReleasing) == Self.permit
  }
}
