// The clock and the measured window of an in-process trial.

import CLinux

/// CLOCK_MONOTONIC in nanoseconds: one vDSO call, the clock of windows, edges and latencies.
@inlinable
public func monotonicNanoseconds() -> UInt64 { clinux_monotonic_ns() }

/// The measured window. Its ends are moments that are known when the work begins, so that the one clock read that ends
/// an operation also says whether the operation counts: no flag to look at, no thread to ask.
public struct Window: Sendable, Hashable {
  /// CLOCK_MONOTONIC in nanoseconds.
  public let opens: UInt64
  /// CLOCK_MONOTONIC in nanoseconds; the window ends just before it.
  public let closes: UInt64

  /// - Precondition: it does not close before it opens.
  public init(opens: UInt64, closes: UInt64) {
    precondition(opens <= closes, "a window closes after it opens")
    self.opens = opens
    self.closes = closes
  }

  @inlinable
  public func contains(_ now: UInt64) -> Bool { now >= opens && now < closes }
}
