// A worker's own stock of stacks.

import CContextSwitch
import Synchronization

extension Worker {
  /// The most free stacks of a class that a worker keeps, as long as none was ever refused. Units that come and go by the
  /// thousand never meet the pool; 6 MiB of touched pages at most.
  static var mostStacks: Int { 1536 }
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
    let pool = pointee.core.pool(stackClass)
    guard let (first, count) = pool.take(for: self) ?? pool.take(for: self, from: pointee.core) else { return nil }
    setFree(stackClass, first.pointee.next, count - 1)
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
      if pointee.freeSmallCount > pointee.keeps.load(ordering: .relaxed) { shareStacks(.small) }
    } else {
      unit.pointee.next = pointee.freeLarge
      pointee.freeLarge = unit
      pointee.freeLargeCount += 1
      if pointee.freeLargeCount > pointee.keeps.load(ordering: .relaxed) { shareStacks(.large) }
    }
  }

  /// Gives all but a third of what this worker may keep to the pool: the cold end.
  @inline(never)
  func shareStacks(_ stackClass: StackClass) {
    let stock = pointee.keeps.load(ordering: .relaxed) / 3
    let free = stackClass == .small ? pointee.freeSmall : pointee.freeLarge
    var last: UnitPointer?
    var cold = free
    for _ in 0..<stock {
      last = cold
      cold = cold?.pointee.next
    }
    last?.pointee.next = nil
    if last == nil { setFree(stackClass, nil, 0) } else { setFree(stackClass, free, stock) }
    if let cold { pointee.core.pool(stackClass).give(cold) }
  }

  /// Gives everything to the pool. For this worker's own thread, or for others while it is among the sleepers.
  func surrenderStacks(_ stackClass: StackClass) {
    guard let free = stackClass == .small ? pointee.freeSmall : pointee.freeLarge else { return }
    setFree(stackClass, nil, 0)
    pointee.core.pool(stackClass).give(free)
  }

  private func setFree(_ stackClass: StackClass, _ first: UnitPointer?, _ count: Int) {
    if stackClass == .small {
      pointee.freeSmall = first
      pointee.freeSmallCount = count
    } else {
      pointee.freeLarge = first
      pointee.freeLargeCount = count
    }
  }

  @inline(never)
  func checkCanary(_ unit: UnitPointer) {
    if unit.canaryPointer.pointee != StackPool.canary {
      fatalError("\(unit.name) overflowed its stack of \(unit.pointee.stackClass.bytes) bytes, which had no guard page")
    }
  }
}
