// A lock for critical sections of a few dozen instructions that never park.
//
// With one worker nobody else can be inside: units are not preempted, and threads that carry no worker never touch what
// these locks guard. The lock is then skipped, which is worth 5 ns for each of the two atomic operations saved.

import CContextSwitch
import Glibc
import Synchronization

@usableFromInline
struct SpinLock: ~Copyable {
  @usableFromInline let word = Atomic<UInt32>(0)

  @inlinable init() {}

  /// Acquire pairs with the release in `unlock`: what the last holder wrote is seen.
  @inlinable @inline(__always)
  borrowing func lock(solo: Bool = false) {
    if solo { return }
    if !word.compareExchange(expected: 0, desired: 1, ordering: .acquiring).exchanged { contend() }
  }

  @inlinable @inline(__always)
  borrowing func unlock(solo: Bool = false) {
    if solo { return }
    word.store(0, ordering: .releasing)
  }

  /// The holder may have lost its processor: after a while give ours away rather than burn it.
  @usableFromInline @inline(never)
  borrowing func contend() {
    var spins = 0
    while true {
      if word.load(ordering: .relaxed) == 0,
        word.compareExchange(expected: 0, desired: 1, ordering: .acquiring).exchanged
      {
        return
      }
      spins += 1
      if spins < 100 { gt_pause() } else { sched_yield() }
    }
  }
}
