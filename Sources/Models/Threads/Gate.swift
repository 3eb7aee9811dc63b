// Where a known number of threads wait for each other.

/// Opens when so many threads have arrived. Sendable because everything mutable is only touched under `lock`.
final class Gate: @unchecked Sendable {
  private let lock = Lock()
  private let opened: Condition
  private let width: Int
  private var arrived = 0
  private var isGivenUp = false

  init(_ width: Int) {
    self.width = width
    opened = Condition(lock)
  }

  /// Returns whether the caller was the last.
  func arriveAndWait() -> Bool {
    lock.withLock {
      arrived += 1
      if arrived == width {
        opened.broadcast()
        return true
      }
      while arrived < width && !isGivenUp { opened.wait() }
      return false
    }
  }

  var isOpen: Bool { lock.withLock { arrived == width } }

  /// Lets everybody go, for a sibling will never come.
  func giveUp() {
    lock.withLock {
      isGivenUp = true
      opened.broadcast()
    }
  }
}
