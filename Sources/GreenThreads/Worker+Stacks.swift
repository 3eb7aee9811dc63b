// A worker's own stock of stacks.

import CContextSwitch

extension UnsafeMutablePointer where Pointee == Worker {
  @inlinable @inline(__always)
  func takeStack(_ stackClass: StackClass) -> UnitPointer? {
    if stackClass == .small, let unit = pointee.freeSmall {
      pointee.freeSmall = unit.pointee.next
      return unit
    }
    return takeStackSlowly(stackClass)
  }

  @usableFromInline @inline(never)
  func takeStackSlowly(_ stackClass: StackClass) -> UnitPointer? {
    if stackClass == .large, let unit = pointee.freeLarge {
      pointee.freeLarge = unit.pointee.next
      return unit
    }
    guard let (first, _) = pointee.core.pool(stackClass).take(for: self) else { return nil }
    if stackClass == .small { pointee.freeSmall = first.pointee.next } else { pointee.freeLarge = first.pointee.next }
    return first
  }

  /// Takes back the stack of a unit that has left it for good.
  @usableFromInline @inline(__always)
  func recycle(_ unit: UnitPointer) {
    gt_context_destroy(unit.contextPointer)
    unit.pointee.live = false
    if unit.pointee.canaried { checkCanary(unit) }
    if unit.pointee.stackClass == .small {
      unit.pointee.next = pointee.freeSmall
      pointee.freeSmall = unit
      pointee.freeSmallCount += 1
      if pointee.freeSmallCount > 2 * StackPool.batch { shareStacks(.small) }
    } else {
      unit.pointee.next = pointee.freeLarge
      pointee.freeLarge = unit
      pointee.freeLargeCount += 1
      if pointee.freeLargeCount > 2 * StackPool.batch { shareStacks(.large) }
    }
  }

  /// Counts recycled stacks only, so a list may be shorter than its count says; then less is given, and the count
  /// starts anew.
  @inline(never)
  func shareStacks(_ stackClass: StackClass) {
    guard let first = stackClass == .small ? pointee.freeSmall : pointee.freeLarge else { return }
    // Keep the hot end.
    var keep = first
    for _ in 1..<StackPool.batch { keep = keep.pointee.next ?? keep }
    if let cold = keep.pointee.next {
      keep.pointee.next = nil
      var last = cold
      var count = 1
      while let next = last.pointee.next {
        last = next
        count += 1
      }
      pointee.core.pool(stackClass).give(cold, last, count: count)
    }
    if stackClass == .small {
      pointee.freeSmallCount = StackPool.batch
    } else {
      pointee.freeLargeCount = StackPool.batch
    }
  }

  @inline(never)
  func checkCanary(_ unit: UnitPointer) {
    if unit.canaryPointer.pointee != StackPool.canary {
      fatalError("\(unit.name) overflowed its stack of \(unit.pointee.stackClass.bytes) bytes, which had no guard page")
    }
  }
}
