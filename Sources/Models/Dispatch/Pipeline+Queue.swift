// The bounded queue between two units of a pipeline: a ring that belongs to the taker, and credits that belong to the
// putter.

import Dispatch

struct PipelineItem: Sendable {
  let lane: Int
  let sequence: Int
  var value: UInt64
  /// CLOCK_MONOTONIC in nanoseconds; 0 where nothing is paced.
  let due: UInt64
}

/// Neither end waits: a put without room and a take without item say so, and the other end wakes the unit when that has
/// changed. Where both units live on one lane nothing more is needed; between two lanes an item travels as a block, and so
/// does the room that it leaves. Then too no more than `capacity` items are ever between the two.
///
/// Sendable because each part is confined to the lane of its end.
final class PipelineQueue: @unchecked Sendable {
  private unowned(unsafe) var putter: Unit!
  private unowned(unsafe) var taker: Unit!
  /// Whether both live on one lane.
  private var isLocal = false
  // The putter's.
  private var room: Int
  // The taker's.
  private let items: Ring<PipelineItem>
  private var isClosed = false

  init(capacity: Int) {
    room = capacity
    items = Ring(capacity: capacity)
  }

  /// Before the first put.
  func connect(_ putter: Unit, _ taker: Unit) {
    self.putter = putter
    self.taker = taker
    isLocal = putter.lane === taker.lane
  }

  /// False if the queue is full: the putter is woken when there is room. On the putter's lane.
  func put(_ item: PipelineItem) -> Bool {
    guard room > 0 else { return false }
    room -= 1
    if isLocal {
      arrive(item)
    } else {
      taker.lane.async { [unowned(unsafe) self] in arrive(item) }
    }
    return true
  }

  private func arrive(_ item: PipelineItem) {
    items.append(item)
    if items.count == 1 { taker.wake() }
  }

  /// Nil if the queue is empty: the taker is woken when there is an item, or no more to come. On the taker's lane.
  func take() -> PipelineItem? {
    guard let item = items.popFirst() else { return nil }
    if isLocal {
      release()
    } else {
      putter.lane.async { [unowned(unsafe) self] in release() }
    }
    return item
  }

  private func release() {
    room += 1
    if room == 1 { putter.wake() }
  }

  /// Says that no item follows. On the putter's lane.
  func close() {
    taker.lane.async { [unowned(unsafe) self] in
      isClosed = true
      taker.wake()
    }
  }

  /// Whether no item is left and none follows. On the taker's lane.
  var isAtEnd: Bool { isClosed && items.isEmpty }
}
