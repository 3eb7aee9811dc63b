// Where stacks come from and go to.
//
// A worker keeps the stacks it frees in a last-in-first-out list of its own: the next unit gets the one whose top page
// is still in the cache. Lists that grow long give most to the scheduler's pool, and empty ones take a batch;
// the pool cuts new stacks from slabs. No system call is made for a unit that ends. Stacks that the pool did not need for
// a while are given back to the system by the monitor, in batches: see Stacks+Trimming.swift.

import CContextSwitch
import CLinux
import Glibc
import Synchronization

/// How much stack a unit gets. Untouched stack costs address space only.
public enum StackClass: UInt8, Sendable {
  /// 64 KiB: enough for anything but deep recursion and the reflection-based printing of large values (41 KiB seen).
  case small
  /// 256 KiB.
  case large

  /// Usable bytes.
  public var bytes: Int { self == .small ? 64 << 10 : 256 << 10 }

  /// The guard is wide enough that no single C frame of the usual sizes jumps over it unseen.
  static var guardBytes: UInt { 64 << 10 }

  @usableFromInline @inline(__always)
  var stride: UInt { UInt(self == .small ? gt_small_stride : gt_large_stride) }

  static var all: [StackClass] { [.small, .large] }

  /// Where the guard of this class begins: a large stack's stride has room to spare, which stays inaccessible.
  var bottomGuard: UInt { self == .small ? StackClass.guardBytes : stride - UInt(bytes) }
}

/// What keeps a stack from growing into the next one: see stacks.c.
package enum GuardKind: Int32 {
  case installed, mprotect, canary
}

/// The process's address space for stacks. Slabs that a scheduler returns serve the next one.
package enum StackRegion {
  static let slabStacks = 64

  /// Sendable because everything is touched under `lock` only. Not `Synchronization.Mutex`: the thread sanitizer does
  /// not see into its library.
  final class State: @unchecked Sendable {
    var nextSlab: [UInt] = [0, 0]
    var free: [[UInt]] = [[], []]
    var bestGuard = Int32(gt_guard_installed.rawValue)
    var warned = false
    /// Stacks that got an mprotect'ed guard; the kernel limits how many mappings a process has.
    var mprotected = 0
    /// Half of the usual limit of 65,530 mappings, two for each guard, less what the rest of the process needs.
    var mprotectLimit = 24_000
    private let lock = SpinLock()

    func withLock<T>(_ body: (State) -> T) -> T {
      lock.lock()
      defer { lock.unlock() }
      return body(self)
    }
  }
  static let state = State()

  /// For tests: goes on as on a kernel that has no better guards than these, or with another number of mappings.
  /// Slabs that were cut before keep what they have.
  package static func restrict(to guards: GuardKind, mprotectLimit: Int = 24_000) {
    state.withLock { state in
      state.bestGuard = guards.rawValue
      state.mprotectLimit = mprotectLimit
    }
  }

  static func reserve() throws(SchedulerError) {
    let error = state.withLock { _ in
      // The sanitizers keep shadow memory for every byte of it.
      let size: UInt = gt_sanitizer() != 0 || gt_running_on_valgrind() != 0 ? 4 << 30 : 512 << 30
      // The least holds four slabs of small stacks and one of large ones: little, where memory is limited, but it runs.
      return gt_region_reserve(size, 64 << 20)
    }
    if error < 0 { throw .stackSpace(errno: -error) }
  }

  /// A slab's lowest address and whether its stacks are guarded, or nil when none is left.
  static func takeSlab(_ stackClass: StackClass) -> (base: UInt, guarded: Bool)? {
    let c = Int(stackClass.rawValue)
    let stride = stackClass.stride
    let bytes = stride * UInt(slabStacks)
    return state.withLock { state -> (UInt, Bool)? in
      if let base = state.free[c].popLast() { return (base & ~1, base & 1 == 0) }
      let half = gt_region_size() / 2
      guard state.nextSlab[c] + bytes <= half else { return nil }
      let base = gt_region_base() + (c == 0 ? 0 : half) + state.nextSlab[c]
      if state.bestGuard == Int32(gt_guard_mprotect.rawValue), state.mprotected + slabStacks > state.mprotectLimit {
        state.bestGuard = Int32(gt_guard_canary.rawValue)
      }
      let kind = gt_stacks_commit(
        UnsafeMutableRawPointer(bitPattern: base), slabStacks, Int(stride), Int(stackClass.bottomGuard), state.bestGuard
      )
      guard kind >= 0 else { return nil }
      state.nextSlab[c] += bytes
      state.bestGuard = kind
      if kind == Int32(gt_guard_mprotect.rawValue) { state.mprotected += slabStacks }
      let guarded = kind != Int32(gt_guard_canary.rawValue)
      if !guarded, !state.warned {
        state.warned = true
        Diagnostics.warn(
          "no more guard pages for stacks (Linux 6.13, or a higher vm.max_map_count, would have them); "
            + "from stack \(state.mprotected + 1) on an overflow is noticed only when the unit ends")
      }
      return (base, guarded)
    }
  }

  static func returnSlab(_ stackClass: StackClass, base: UInt, guarded: Bool) {
    gt_stacks_trim(UnsafeMutableRawPointer(bitPattern: base), Int(stackClass.stride) * slabStacks)
    state.withLock { $0.free[Int(stackClass.rawValue)].append(base | (guarded ? 0 : 1)) }
  }
}

/// A scheduler's stacks of one class.
struct StackPool: ~Copyable {
  static let batch = 64
  static let canary: UInt64 = 0x5355_4e47_5541_5244

  let stackClass: StackClass
  let lock = SpinLock()
  var free: UnitPointer?
  var freeCount = 0
  /// The fewest that were free since the monitor last looked: nobody needed those.
  var leastFree = 0
  /// Lowest addresses of stacks whose memory was given back, with bit 0 set where there is no guard.
  var trimmed: [UInt] = []
  fileprivate var slabs: [(base: UInt, guarded: Bool)] = []
  fileprivate var unused: Range<UInt> = 0..<0
  fileprivate var unusedGuarded = true
  /// Stacks handed out for the first time so far, and how many there may be.
  fileprivate var created = 0
  let limit: Int
  fileprivate var valgrindIDs: [UInt] = []

  init(_ stackClass: StackClass, limit: Int) {
    self.stackClass = stackClass
    self.limit = limit
  }

  deinit {
    // A block keeps the function of its last unit, which unoptimised code gives a context on the heap. A trimmed stack
    // has no block, and is not touched: that would bring its memory back.
    let given = Set(trimmed.map { $0 & ~1 })
    var left = created
    for slab in slabs {
      for i in 0..<StackRegion.slabStacks where left > 0 {
        left -= 1
        let bottom = slab.base + UInt(i) * stackClass.stride
        if given.contains(bottom) { continue }
        Unit.owner(ofStackHolding: bottom, stride: stackClass.stride).deinitialize(count: 1)
      }
    }
    for id in valgrindIDs { gt_valgrind_deregister_stack(id) }
    for slab in slabs { StackRegion.returnSlab(stackClass, base: slab.base, guarded: slab.guarded) }
  }
}

extension UnsafeMutablePointer where Pointee == StackPool {
  /// Once there are no more: what the sleeping workers keep, and from now on what any worker frees, belongs to all. Nil: none
  /// is free but what running workers hold, who share it when their next unit ends.
  func take(for worker: WorkerPointer, from core: CorePointer) -> (first: UnitPointer, count: Int)? {
    for i in 0..<core.pointee.workerCount { (core.pointee.workers + i).pointee.keeps.store(0, ordering: .relaxed) }
    // Who is on this list touches no stacks before it has held the lock again.
    core.pointee.idleLock.lock()
    var rover = core.pointee.sleepers
    while let sleeper = rover {
      sleeper.surrenderStacks(pointee.stackClass)
      rover = sleeper.pointee.nextSleeper
    }
    core.pointee.idleLock.unlock()
    return take(for: worker)
  }

  /// Up to a batch of stacks, linked through `next`, or nil when none can be had.
  func take(for worker: WorkerPointer) -> (first: UnitPointer, count: Int)? {
    pointee.lock.lock()
    defer { pointee.lock.unlock() }
    if let first = pointee.free {
      var last = first
      var count = 1
      let most = worker.pointee.keeps.load(ordering: .relaxed) == 0 ? 1 : StackPool.batch
      while count < most, let next = last.pointee.next {
        last = next
        count += 1
      }
      pointee.free = last.pointee.next
      last.pointee.next = nil
      pointee.freeCount -= count
      pointee.leastFree = Swift.min(pointee.leastFree, pointee.freeCount)
      return (first, count)
    }
    // The others one at a time: a batch of them would touch pages that may never be used.
    if let bottom = pointee.trimmed.popLast() {
      return (prepare(bottom & ~1, isGuarded: bottom & 1 == 0, for: worker), 1)
    }
    guard pointee.created < pointee.limit else { return nil }
    let stackClass = pointee.stackClass
    if pointee.unused.isEmpty {
      guard let slab = StackRegion.takeSlab(stackClass) else { return nil }
      pointee.slabs.append(slab)
      pointee.unused = slab.base..<slab.base + stackClass.stride * UInt(StackRegion.slabStacks)
      pointee.unusedGuarded = slab.guarded
    }
    let bottom = pointee.unused.lowerBound
    pointee.unused = bottom + stackClass.stride..<pointee.unused.upperBound
    pointee.created += 1
    let unit = prepare(bottom, isGuarded: pointee.unusedGuarded, for: worker)
    if gt_running_on_valgrind() != 0 {
      pointee.valgrindIDs.append(UInt(gt_valgrind_register_stack(unit.stackBottom, UnsafeRawPointer(unit))))
    }
    return (unit, 1)
  }

  /// Writes the block of a stack whose memory is all zeros.
  private func prepare(_ bottom: UInt, isGuarded: Bool, for worker: WorkerPointer) -> UnitPointer {
    let unit = Unit.owner(ofStackHolding: bottom, stride: pointee.stackClass.stride)
    unit.initialize(to: Unit(label: gt_label(id: 0, name: nil), worker: worker, stackClass: pointee.stackClass))
    if !isGuarded {
      unit.pointee.canaried = true
      unit.canaryPointer.pointee = StackPool.canary
    }
    return unit
  }

  /// Takes back stacks that are linked through `next`.
  func give(_ first: UnitPointer) {
    var last = first
    var count = 1
    while let next = last.pointee.next {
      last = next
      count += 1
    }
    pointee.lock.lock()
    last.pointee.next = pointee.free
    pointee.free = first
    pointee.freeCount += count
    pointee.lock.unlock()
  }

  /// Every block that was ever handed out, in use or not.
  func visitAll(_ visit: (UnitPointer) -> Void) {
    var left = pointee.created
    let stackClass = pointee.stackClass
    for slab in pointee.slabs {
      for i in 0..<StackRegion.slabStacks where left > 0 {
        left -= 1
        visit(Unit.owner(ofStackHolding: slab.base + UInt(i) * stackClass.stride, stride: stackClass.stride))
      }
    }
  }
}

extension UnsafeMutablePointer where Pointee == Unit {
  /// The lowest word of a stack, which an overflow reaches first.
  var canaryPointer: UnsafeMutablePointer<UInt64> {
    UnsafeMutableRawPointer(stackBottom).assumingMemoryBound(to: UInt64.self)
  }
}
