// Memory of stacks that nobody needs goes back to the system.
//
// A program that had a million units parked keeps a page or more for each of their stacks. Giving a stack back when its
// unit ends would cost a system call, and a page fault for the next unit; so the pool only notes how few of its stacks
// were free at the worst moment since the last look (the low-water mark that general allocators use, too). So many were
// not needed in all that time, and the monitor gives them back, the blocks on their top pages included. Stacks in use,
// and the up to 1,536 that each worker keeps at hand (6 MiB of touched pages), stay as they are.

import CContextSwitch

extension UnsafeMutablePointer where Pointee == Core {
  /// The time between two looks; also the least time for which a stack is kept.
  static var trimInterval: UInt64 { 100_000_000 }

  /// Whether the pools hold anything to give back, now or at the next look.
  var hasIdleStacks: Bool { StackClass.all.contains { pool($0).hasIdle } }

  func trimStacks() { for stackClass in StackClass.all { pool(stackClass).trim() } }
}

extension UnsafeMutablePointer where Pointee == StackPool {
  fileprivate var hasIdle: Bool {
    pointee.lock.lock()
    defer { pointee.lock.unlock() }
    return pointee.freeCount > 0
  }

  fileprivate func trim() {
    pointee.lock.lock()
    let surplus = pointee.leastFree
    pointee.leastFree = pointee.freeCount - surplus
    pointee.lock.unlock()
    var left = surplus
    while left > 0, case let done = trimBatch(atMost: left), done > 0 { left -= done }
  }

  /// The lock is held over the system calls, tens of microseconds: a worker that finds the pool empty meanwhile must
  /// wait, and not believe that there are no more stacks. Any of the free ones will do: none is hotter than what the
  /// workers keep.
  private func trimBatch(atMost count: Int) -> Int {
    var batch: [UInt] = []
    pointee.lock.lock()
    defer { pointee.lock.unlock() }
    while batch.count < Swift.min(count, StackPool.batch), let unit = pointee.free {
      pointee.free = unit.pointee.next
      batch.append(UInt(bitPattern: unit) & ~(pointee.stackClass.stride - 1) | (unit.pointee.canaried ? 1 : 0))
    }
    pointee.freeCount -= batch.count
    pointee.leastFree = Swift.min(pointee.leastFree, pointee.freeCount)
    giveBack(batch)
    pointee.trimmed.append(contentsOf: batch)
    return batch.count
  }

  /// Neighbours go in one call; guards stay.
  private func giveBack(_ batch: [UInt]) {
    let stride = pointee.stackClass.stride
    var run: Range<UInt> = 0..<0
    for bottom in batch.lazy.map({ $0 & ~1 }).sorted() {
      Unit.owner(ofStackHolding: bottom, stride: stride).deinitialize(count: 1)
      if bottom == run.upperBound {
        run = run.lowerBound..<bottom + stride
      } else {
        trim(run)
        run = bottom..<bottom + stride
      }
    }
    trim(run)
  }

  private func trim(_ run: Range<UInt>) {
    if !run.isEmpty { gt_stacks_trim(UnsafeMutableRawPointer(bitPattern: run.lowerBound), run.count) }
  }
}
