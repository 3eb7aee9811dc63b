// The layout of an HdrHistogram of 1 ns to 1 h with 3 significant digits, as a sparse list of the slots in use: a
// trial's distribution fills some hundred of 33,792, and encoding, decoding and percentiles all want just those.
// Recording stays with the Histogram package; its layout and this one are compared in the tests.

/// How often each slot of the histogram was hit, ascending, no slot without a hit.
public struct HistogramSlots: Sendable, Hashable {
  public struct Slot: Sendable, Hashable {
    public let index: Int
    public let count: Int
  }

  /// Nanoseconds, as it stands in the encoded header.
  public static let lowestTrackable: UInt64 = 1
  public static let highestTrackable: UInt64 = 3_600_000_000_000
  public static let significantDigits = 3
  /// 2 * 10^3 rounded up to a power of two: the values that the first bucket tells apart.
  private static let subBucketBits = 11
  private static let halfBits = subBucketBits - 1
  /// The number of slots: those of every value below the first power of two that is out of range.
  public static let slotCount = slot(of: highestTrackable) | ((1 << halfBits) - 1) + 1

  public let slots: [Slot]
  /// All hits together.
  public let count: Int

  /// - Precondition: slots ascend, counts are positive, and their sum fits an Int.
  init(_ slots: [Slot]) {
    self.slots = slots
    count = slots.reduce(0) { $0 + $1.count }
  }

  /// - Parameter recorded: pairs (nanoseconds, count) in any order; values beyond 1 h land in the last slot.
  /// - Throws: ``ResultError`` for an entry that is no pair, or counts whose sum overflows.
  public init(recorded: [[UInt64]]) throws(ResultError) {
    var counts: [Int: Int] = [:]
    var total = 0
    for pair in recorded {
      guard pair.count == 2, let hits = Int(exactly: pair[1]) else {
        throw ResultError("\(pair) is no entry of a histogram: expected [nanoseconds, count]")
      }
      if hits == 0 { continue }
      let (sum, overflows) = total.addingReportingOverflow(hits)
      guard !overflows else { throw ResultError("a histogram's counts add up to more than \(Int.max)") }
      total = sum
      counts[Self.index(of: pair[0]), default: 0] += hits
    }
    slots = counts.sorted { $0.key < $1.key }.map { Slot(index: $0.key, count: $0.value) }
    count = total
  }

  /// The slot of a value in nanoseconds; beyond the range, that of its end.
  public static func index(of value: UInt64) -> Int { slot(of: min(value, highestTrackable)) }

  private static func slot(of value: UInt64) -> Int {
    let bucket = 64 - subBucketBits - (value | ((1 << subBucketBits) - 1)).leadingZeroBitCount
    // The first bucket has 2048 slots, each later one only the upper 1024: its lower half repeats the one before.
    return (bucket << halfBits) + Int(value >> UInt64(bucket))
  }

  /// The values that share a slot, in nanoseconds.
  public static func values(at index: Int) -> ClosedRange<UInt64> {
    let bucket = Swift.max(0, (index >> halfBits) - 1)
    let lowest = UInt64(index - (bucket << halfBits)) << UInt64(bucket)
    return lowest...(lowest + (1 << UInt64(bucket)) - 1)
  }

  /// Pairs (highest value of the slot in nanoseconds, count), ascending.
  public var recorded: [[UInt64]] { slots.map { [Self.values(at: $0.index).upperBound, UInt64($0.count)] } }

  /// The highest value that is equivalent to the sample of rank ⌈n · perTenThousand / 10,000⌉, in nanoseconds; nil
  /// where there is no sample. Exact integers: the floating-point rule of other ports may pick the next rank.
  public func value(atPerTenThousand share: Int) -> UInt64? {
    guard count > 0 else { return nil }
    let rank = Swift.max(1, Self.rank(share, of: count))
    var seen = 0
    for slot in slots {
      seen += slot.count
      if seen >= rank { return Self.values(at: slot.index).upperBound }
    }
    return nil
  }

  /// Samples beyond that percentile.
  public func samples(beyondPerTenThousand share: Int) -> Int { count - Self.rank(share, of: count) }

  private static func rank(_ share: Int, of count: Int) -> Int {
    let product = count.multipliedFullWidth(by: share)
    let (quotient, remainder) = 10_000.dividingFullWidth(product)
    return quotient + (remainder > 0 ? 1 : 0)
  }

  /// The mean of the slots' middle values, in nanoseconds; 0 where there is no sample.
  public var mean: Double {
    guard count > 0 else { return 0 }
    let sum = slots.reduce(0.0) { sum, slot in
      let values = Self.values(at: slot.index)
      return sum + Double(values.lowerBound + (values.upperBound - values.lowerBound + 1) / 2) * Double(slot.count)
    }
    return sum / Double(count)
  }

  /// The highest value of the last slot in use, in nanoseconds; 0 where there is no sample.
  public var max: UInt64 { slots.last.map { Self.values(at: $0.index).upperBound } ?? 0 }
}
