// Joining a known number of work items.

/// Opens when a given number of work items have arrived, and adds up what they bring. Sendable because `state` is only
/// touched under `lock`.
final class Latch: @unchecked Sendable {
  private let lock = Lock()
  private let opened: Condition
  private var remaining: Int
  /// nil once a part of it is known to be missing.
  private var sum: UInt64? = 0

  init(_ count: Int) {
    remaining = count
    opened = Condition(lock)
  }

  /// - Parameter part: what to add to the sum (modulo 2^64); nil leaves the latch without one.
  func arrive(_ part: UInt64?) {
    let isLast = lock.withLock {
      if let part { sum? &+= part } else { sum = nil }
      remaining -= 1
      return remaining == 0
    }
    if isLast { opened.broadcast() }
  }

  /// Waits until all have arrived. Returns their sum, or nil if one of them had none.
  @discardableResult
  func wait() -> UInt64? {
    lock.withLock {
      while remaining > 0 { opened.wait() }
      return sum
    }
  }
}
