// Recording in the process under test: a histogram that costs a few instructions a sample, takes no lock and allocates
// nothing. The layout is HdrHistogram's (1 ns to 1 h, 3 significant digits: every value to within 0.1 %), for
// latencies span seven decades and a table by value keeps them all at one cost. It is written here once more, and not
// taken from the package that the rig records with: a model's executable then has no dependency beyond this repository,
// and its hot path is this one function. The tests compare the two slot by slot.

import Workloads

/// A histogram of nanoseconds.
///
/// Sendable because a recorder has one writer at a time, which the model chooses (a lane, a queue, a loop, a shard under
/// its lock), and ``recorded()`` is called once the writers have stopped and have been joined. Nothing here is locked or
/// atomic.
public final class Recorder: @unchecked Sendable {
  /// An hour; longer values count as this.
  @usableFromInline static let highest: UInt64 = 3_600_000_000_000
  /// 2 * 10^3 rounded up to a power of two: the values that the first bucket tells apart.
  @usableFromInline static let subBucketBits = 11
  /// 270 KB, of which the kernel provides the pages that are written.
  @usableFromInline let slots: UnsafeMutablePointer<UInt64>
  static let slotCount = slot(of: highest) | ((1 << (subBucketBits - 1)) - 1) + 1

  public init() {
    slots = .allocate(capacity: Self.slotCount)
    slots.initialize(repeating: 0, count: Self.slotCount)
  }

  deinit { slots.deallocate() }

  /// The slot of a value within the range. The first bucket has 2,048 slots of 1 ns; each later one repeats the upper
  /// 1,024 at twice the width.
  @inlinable @inline(__always)
  static func slot(of value: UInt64) -> Int {
    let bucket = 64 &- 11 &- (value | 2047).leadingZeroBitCount
    return (bucket &<< 10) &+ Int(truncatingIfNeeded: value &>> UInt64(truncatingIfNeeded: bucket))
  }

  /// The highest value that shares a slot, in nanoseconds: what HdrHistogram reports for it.
  static func highestValue(at index: Int) -> UInt64 {
    let bucket = max(0, (index >> (subBucketBits - 1)) - 1)
    return (UInt64(index - (bucket << (subBucketBits - 1))) + 1) << UInt64(bucket) - 1
  }

  /// Counts a sample of that many nanoseconds.
  @inlinable
  public func record(_ nanoseconds: UInt64) {
    slots[Self.slot(of: min(nanoseconds, 3_600_000_000_000))] &+= 1
  }

  /// What was recorded: (nanoseconds, count), ascending. Only once the writers have stopped.
  public func recorded() -> RecordedCounts { Self.merged([self]) }

  static func merged(_ recorders: [Recorder]) -> RecordedCounts {
    (0..<slotCount).compactMap { index in
      let count = recorders.reduce(0) { $0 &+ $1.slots[index] }
      return count == 0 ? nil : [highestValue(at: index), count]
    }
  }
}

/// All recorders of a trial: so many owners, each with one recorder for each latency class.
public final class Recorders: Sendable {
  /// The most recorders of a trial. At 270 KB each, more would show in the figures that they are to take.
  public static let most = 16

  /// Recorders of each class.
  public let count: Int
  public let classes: [String]
  private let recorders: [Recorder]

  /// - Parameters:
  ///   - count: owners that record; a model with more units than that gives each recorder to a shard of them.
  ///   - classes: the latency classes that the workload's contract names.
  /// - Precondition: at least one of each, and at most ``most`` recorders in all.
  public init(count: Int, classes: [String] = ["all"]) {
    precondition(count >= 1 && !classes.isEmpty, "recorders are for at least one owner and one class")
    precondition(count * classes.count <= Self.most, "\(count * classes.count) recorders: at most \(Self.most) a trial")
    self.count = count
    self.classes = classes
    recorders = (0..<count * classes.count).map { _ in Recorder() }
  }

  /// The recorder of one owner for one class (an index into ``classes``). Look it up once, not for each sample.
  public subscript(owner: Int, class index: Int = 0) -> Recorder {
    precondition(owner < count && index < classes.count, "no such recorder")
    return recorders[owner * classes.count + index]
  }

  /// Everything recorded, by class. Only once the writers have stopped.
  public func merged() -> [String: RecordedCounts] {
    Dictionary(
      uniqueKeysWithValues: classes.enumerated().map { index, name in
        (name, Recorder.merged((0..<count).map { self[$0, class: index] }))
      })
  }
}
