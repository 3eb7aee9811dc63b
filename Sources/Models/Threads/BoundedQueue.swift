// A bounded queue between threads: a ring under a mutex, and a semaphore for each side to wait on.
//
// The textbook has two condition variables. Their waiters take the mutex again when they wake, and glibc marks a mutex
// so taken as contended: its release is then a system call that wakes nobody. A semaphore's waiters come back to the
// mutex like anybody else.
//
// A side is woken only if somebody waits there, and only if nobody is on the way already: the woken thread looks again
// and wakes the next if there is more to do. So a burst of items costs one wake-up and not one for each.

import Glibc

/// First in, first out. Sendable because everything mutable is only touched under `lock`.
final class BoundedQueue<Element: BitwiseCopyable & Sendable>: @unchecked Sendable {
  /// The threads of one side that find the queue full (empty).
  private struct Side {
    var waiting = 0
    /// One of them has been woken and has not taken the lock yet.
    var isWaking = false

    /// Whether to wake one now; it is then on its way.
    mutating func wakes(_ hasReason: Bool) -> Bool {
      guard hasReason, waiting > 0, !isWaking else { return false }
      waiting -= 1
      isWaking = true
      return true
    }
  }

  /// On the heap and not in properties: no access to them is worth a check for exclusivity, which the lock gives.
  private struct State {
    var first = 0
    var count = 0
    var putters = Side()
    var takers = Side()
    var isClosed = false
  }

  private let lock = Lock(.adaptive)
  private let state: UnsafeMutablePointer<State>
  private let ring: UnsafeMutablePointer<Element>
  private let capacity: Int
  private let hasRoom = Semaphore()
  private let hasItem = Semaphore()

  init(capacity: Int) {
    self.capacity = capacity
    ring = .allocate(capacity: capacity)
    state = .allocate(capacity: 1)
    state.initialize(to: State())
  }

  deinit {
    ring.deallocate()
    state.deallocate()
  }

  /// Puts an element behind the others, waiting for room.
  func put(_ element: Element) {
    lock.lock()
    while state.pointee.count == capacity {
      state.pointee.putters.waiting += 1
      lock.unlock()
      hasRoom.wait()
      lock.lock()
      state.pointee.putters.isWaking = false
    }
    var end = state.pointee.first + state.pointee.count
    if end >= capacity { end -= capacity }
    ring[end] = element
    state.pointee.count += 1
    unlockAndWake()
  }

  /// Takes the first element, waiting for one; nil when the queue is closed and empty.
  func take() -> Element? {
    lock.lock()
    while state.pointee.count == 0 {
      if state.pointee.isClosed {
        lock.unlock()
        return nil
      }
      state.pointee.takers.waiting += 1
      lock.unlock()
      hasItem.wait()
      lock.lock()
      state.pointee.takers.isWaking = false
    }
    let element = ring[state.pointee.first]
    state.pointee.first += 1
    if state.pointee.first == capacity { state.pointee.first = 0 }
    state.pointee.count -= 1
    unlockAndWake()
    return element
  }

  /// Lets those who wait and find the queue empty go, now and from now on. Nothing may be put any more.
  func close() {
    lock.lock()
    state.pointee.isClosed = true
    let waiting = state.pointee.takers.waiting
    state.pointee.takers.waiting = 0
    lock.unlock()
    for _ in 0..<waiting { hasItem.post() }
  }

  /// Wakes after the release: a thread woken before would only run into the lock.
  @inline(__always)
  private func unlockAndWake() {
    let wakesTaker = state.pointee.takers.wakes(state.pointee.count > 0)
    let wakesPutter = state.pointee.putters.wakes(state.pointee.count < capacity)
    lock.unlock()
    if wakesTaker { hasItem.post() }
    if wakesPutter { hasRoom.post() }
  }
}
