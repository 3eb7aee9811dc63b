// The gate of gated checks: whoever stands still is let go when what others admit meanwhile has come to rest.

import Dispatch
import ModelKit

/// Looks every 5 ms, by a timer on the lane of those who wait. Sendable because it is confined to that lane.
final class Gate: @unchecked Sendable {
  private let timer: any DispatchSourceTimer
  /// When as many had been admitted as was waited for.
  private var reached: UInt64?

  /// - Parameters:
  ///   - target: opens when so many have been admitted and `still` nanoseconds more have passed,
  ///   - open: is called once, on the lane, with the number admitted.
  init(
    on lane: DispatchQueue, target: Int, still: UInt64, admitted: @escaping @Sendable () -> Int,
    open: @escaping @Sendable (Int) -> Void
  ) {
    timer = DispatchSource.makeTimerSource(queue: lane)
    timer.schedule(deadline: .now(), repeating: .milliseconds(5))
    timer.setEventHandler { [self] in
      let now = monotonicNanoseconds()
      if reached == nil && admitted() >= target { reached = now }
      guard let reached, now >= reached + still else { return }
      timer.cancel()  // lets go of this handler, and with it of the gate
      open(admitted())
    }
    timer.activate()
  }
}
