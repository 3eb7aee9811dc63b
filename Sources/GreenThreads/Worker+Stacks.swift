// A worker's own stock of stacks.

import CContextSwitch

extension Worker {
  /// The most stacks of a class that a worker keeps. Units that come and go by the thousand never meet the pool; 6 MiB of
  /// touched pages at most. Where few units are allowed all workers together keep no more than a quarter of them, for
  /// what one keeps the others cannot have.
  static func mostStacks(_ configuration: Scheduler.Configuration) -> Int {
    Swift.max(1, Swift.min(1536, configuration.maximumUnits / (4 * configuration.workers)))
  }
  /// How many are left when it gives some away.
  var stock: Int { Swift.max(1, mostStacks / 3) }
}

extension UnsafeMutablePointer where Pointee == Worker {
  @inlinable @inline(__always)
  func takeStack(_ stackClass: StackClass) -> UnitPointer? {
    if stackClass == .small, let unit = pointee.freeSmall {
      pointee.freeSmall = unit.pointee.next
      pointee.freeSmallCount &-= 1
      gt_prefetch_fresh(UInt(bitPattern: unit.pointee.next))
      return unit
    }
    return takeStackSlowly(stackClass)
  }

  @usableFromInline @inline(never)
  func takeStackSlowly(_ stackClass: StackClass) -> UnitPointer? {
    if stackClass == .large, let unit = pointee.freeLarge {
      pointee.freeLarge = unit.pointee.next
      pointee.freeLargeCount &-= 1
      return unit
    }
    guard let (first, count) = pointee.core.pool(stackClass).take(for: self) else { return nil }
    if stackClass == .small {
      pointee.freeSmall = first.pointee.next
      pointee.freeSmallCount = count - 1
    } else {
      pointee.freeLarge = first.pointee.next
      pointee.freeLargeCount = count - 1
    }
    return first
  }

  /// Takes back the stack of a unit that has left it for good.
  @usableFromInline @inline(__always)
  func recycle(_ unit: UnitPointer) {
    if gt_sanitizer() != 0 { gt_context_retire(unit.contextPointer) }
    unit.pointee.live = false
    if unit.pointee.canaried { checkCanary(unit) }
    if unit.pointee.stackClass == .small {
      unit.pointee.next = pointee.freeSmall
      pointee.freeSmall = unit
      pointee.freeSmallCount += 1
      if pointee.freeSmallCount > pointee.mostStacks { shareStacks(.small) }
    } else {
      unit.pointee.next = pointee.freeLarge
      pointee.freeLarge = unit
      pointee.freeLargeCount += 1
      if pointee.freeLargeCount > pointee.mostStacks { shareStacks(.large) }
    }
  }

  @inline(never)
  func shareStacks(_ stackClass: StackClass) {
    guard let first = stackClass == .small ? pointee.freeSmall : pointee.freeLarge else { return }
    // Keep the hot end.
    var keep = first
    for _ in 1..<pointee.stock { keep = keep.pointee.next ?? keep }
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
      pointee.freeSmallCount = pointee.stock
    } else {
      pointee.freeLargeCount = pointee.stock
    }
  }

  @inline(never)
  func checkCanary(_ unit: UnitPointer) {
    if unit.canaryPointer.pointee != StackPool.canary {
      fatalError("\(unit.name) overflowed its stack of \(unit.pointee.stackClass.bytes) bytes, which had no guard page")
    }
  }
}
