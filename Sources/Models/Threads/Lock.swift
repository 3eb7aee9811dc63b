// A mutex and the condition variables that go with it. Synchronization.Mutex has no condition variable, and the thread
// sanitizer, which does not see into its library, takes everything that it protects for a race.

import Glibc

/// A POSIX mutex. Sendable because POSIX mutexes are made to be shared; the pointer itself never changes.
final class Lock: @unchecked Sendable {
  enum Kind {
    /// Who finds it taken sleeps at once.
    case plain
    /// Who finds it taken spins for a moment before sleeping (PTHREAD_MUTEX_ADAPTIVE_NP): for sections so short that
    /// the holder is likely to be out before a system call would be over.
    case adaptive
  }

  /// On the heap: POSIX forbids moving a mutex, and a stored property has no address of its own. On a cache line of its
  /// own: two locks on one line would be contended although nobody wants both.
  fileprivate let mutex = UnsafeMutableRawPointer.allocate(byteCount: 64, alignment: 64)
    .bindMemory(to: pthread_mutex_t.self, capacity: 1)

  init(_ kind: Kind = .plain) {
    mutex.initialize(to: pthread_mutex_t())
    var attributes = pthread_mutexattr_t()
    pthread_mutexattr_init(&attributes)
    if kind == .adaptive { pthread_mutexattr_settype(&attributes, Int32(PTHREAD_MUTEX_ADAPTIVE_NP)) }
    pthread_mutex_init(mutex, &attributes)
    pthread_mutexattr_destroy(&attributes)
  }

  deinit {
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  @inline(__always) func lock() { pthread_mutex_lock(mutex) }
  @inline(__always) func unlock() { pthread_mutex_unlock(mutex) }

  @inline(__always)
  func withLock<Result>(_ body: () throws -> Result) rethrows -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return try body()
  }
}

/// A POSIX condition variable, for waiters that hold one given lock. Sendable for the same reasons as ``Lock``.
final class Condition: @unchecked Sendable {
  private let lock: Lock
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  init(_ lock: Lock) {
    self.lock = lock
    condition.initialize(to: pthread_cond_t())
    pthread_cond_init(condition, nil)
  }

  deinit {
    pthread_cond_destroy(condition)
    condition.deallocate()
  }

  /// Gives the lock up and waits; holds it again on return. May return without a signal: wait in a loop.
  func wait() { pthread_cond_wait(condition, lock.mutex) }

  /// Wakes one waiter. Best called after the lock has been released: a thread woken before could not go on.
  func signal() { pthread_cond_signal(condition) }
  func broadcast() { pthread_cond_broadcast(condition) }
}
