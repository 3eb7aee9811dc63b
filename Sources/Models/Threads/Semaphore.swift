// A POSIX semaphore: a counter that a thread can wait on without holding anything.

import CLinux
import Glibc

/// Sendable because semaphores are made to be shared; the pointer itself never changes.
final class Semaphore: @unchecked Sendable {
  /// On the heap: POSIX forbids moving a semaphore, and a stored property has no address of its own.
  private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

  init() {
    semaphore.initialize(to: sem_t())
    sem_init(semaphore, 0, 0)
  }

  deinit {
    sem_destroy(semaphore)
    semaphore.deallocate()
  }

  /// Lets one ``wait()`` pass, now or later. What came before is visible to who passes.
  func post() { sem_post(semaphore) }

  func wait() { while sem_wait(semaphore) != 0 {} }
}
