// From one unit to the next.

import CContextSwitch
import Synchronization

extension UnsafeMutablePointer where Pointee == Worker {
  /// The first act after each switch, by whoever was switched to: the registers of the context that was left are saved,
  /// so its unit may run elsewhere, and its stack be reused. Release pairs with the acquire of whoever waits for it.
  @inlinable @inline(__always)
  func arrive() {
    let left = pointee.departed
    if left & 1 == 0 {
      if let unit = UnitPointer(bitPattern: left) { unit.pointee.onProcessor.store(0, ordering: .releasing) }
    } else {
      let unit = UnitPointer(bitPattern: left & ~1).unsafelyUnwrapped
      unit.pointee.onProcessor.store(0, ordering: .releasing)
      recycle(unit)
    }
  }

  @inlinable @inline(__always)
  func prepare(_ unit: UnitPointer) {
    unit.pointee.worker = self
    unit.pointee.onProcessor.store(1, ordering: .relaxed)
    pointee.running.store(UInt(bitPattern: unit), ordering: .relaxed)
    pointee.counters.switches.add()
  }

  /// Leaves `unit`, which somebody will make ready or already has, for the next one. Returns when it runs again, then
  /// perhaps on another worker: nothing about this one may be used afterwards.
  @inlinable @inline(__always)
  func leave(_ unit: UnitPointer) {
    if let next = pick() {
      if next == unit { return pointee.counters.turnsKept.add() }
      // Acquire: see `arrive`.
      if pointee.solo || next.pointee.onProcessor.load(ordering: .acquiring) == 0 {
        pointee.departed = UInt(bitPattern: unit)
        prepare(next)
        let handsOver = pointee.handsOverAccesses
        if handsOver { unit.leaveAccesses() }
        gt_switch(unit.contextPointer, next.contextPointer)
        unit.pointee.worker.arrive()
        if handsOver { unit.returnAccesses() }
        return
      }
      pointee.handed = next
    }
    leaveForLoop(unit)
  }

  @usableFromInline @inline(never)
  func leaveForLoop(_ unit: UnitPointer) {
    pointee.departed = UInt(bitPattern: unit)
    pointee.running.store(0, ordering: .relaxed)
    if pointee.handsOverAccesses { unit.leaveAccesses() }
    gt_switch_jump(unit.contextPointer, pointee.carrier.contextPointer)
    let worker = unit.pointee.worker
    worker.arrive()
    if worker.pointee.handsOverAccesses { unit.returnAccesses() }
  }

  /// The last departure of a unit: the context to go on with, once the unit's frames have returned.
  func leaveForGood(_ unit: UnitPointer, detached: Bool) -> UnsafeMutablePointer<gt_context> {
    pointee.departed = UInt(bitPattern: unit) | (detached ? 1 : 0)
    if let next = pick() {
      if pointee.solo || next.pointee.onProcessor.load(ordering: .acquiring) == 0 {
        prepare(next)
        return next.contextPointer
      }
      pointee.handed = next
    }
    pointee.running.store(0, ordering: .relaxed)
    return pointee.carrier.contextPointer
  }

  /// Runs `unit` from the worker's own loop until some unit leaves for the loop.
  func enter(_ unit: UnitPointer) {
    let carrier = pointee.carrier
    pointee.departed = 0
    prepare(unit)
    gt_switch_jump(carrier.contextPointer, unit.contextPointer)
  }

  /// Puts the unit behind all others that are ready.
  @inlinable @inline(__always)
  func yieldUnit(_ unit: UnitPointer) {
    pushReady(unit)
    leave(unit)
  }
}

extension UnsafeMutablePointer where Pointee == Unit {
  @usableFromInline @inline(never)
  func announceContext() { gt_context_announce(contextPointer, stackBottom, self) }

  @inlinable @inline(__always)
  var contextPointer: UnsafeMutablePointer<gt_context> {
    UnsafeMutableRawPointer(self).advanced(by: MemoryLayout<gt_label>.size).assumingMemoryBound(to: gt_context.self)
  }

  @inlinable @inline(__always)
  func leaveAccesses() {
    withUnsafeMutablePointer(to: &pointee.accesses) {
      gt_accesses_leave(UnsafeMutableRawPointer($0).assumingMemoryBound(to: UInt.self))
    }
  }

  @inlinable @inline(__always)
  func returnAccesses() {
    withUnsafeMutablePointer(to: &pointee.accesses) {
      gt_accesses_return(UnsafeMutableRawPointer($0).assumingMemoryBound(to: UInt.self))
    }
  }
}
