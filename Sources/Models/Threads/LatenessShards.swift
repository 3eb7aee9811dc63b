// Where ten thousand threads record how late their timers fired.

import ModelKit
import Workloads

/// Lateness of the timers that fire within the window. Slots share sixteen recorders, each under
/// a lock of its own.
final class LatenessShards: Sendable {
  let window = LateWindow()
  private let recorders = Recorders(count: Recorders.most)
  private let locks = (0..<Recorders.most).map { _ in Lock() }

  func record(_ now: UInt64, _ deadline: UInt64, slot: Int) {
    guard window.contains(now) else { return }
    let shard = slot % Recorders.most
    locks[shard].withLock { recorders[shard].record(now - deadline) }
  }

  func merged() -> [String: RecordedCounts] { recorders.merged() }
}
