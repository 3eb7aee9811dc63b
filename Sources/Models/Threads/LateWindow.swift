// A measured window that is known only when the units are at work already.

import ModelKit
import Synchronization

/// Until the window is fixed no moment lies in it. Sendable because both ends are atomic; relaxed, for nothing else
/// depends on them: a unit that sees one end and not yet the other sees no window.
final class LateWindow: Sendable {
  private let opens = Atomic(UInt64.max)
  private let closes = Atomic(UInt64.min)

  func fix(_ window: Window) {
    closes.store(window.closes, ordering: .relaxed)
    opens.store(window.opens, ordering: .relaxed)
  }

  func contains(_ now: UInt64) -> Bool {
    now >= opens.load(ordering: .relaxed) && now < closes.load(ordering: .relaxed)
  }
}
