// Histogram coding against strings that another port wrote (hdrhistogram 0.10 of PyPI), and the layout against the
// Histogram package, which records.

import FoundationEssentials
import Histogram
import ResultFormat
import Testing
import Workloads

/// 20,000 values from 100,000 in steps of 37; 300 from 50,000,000 in steps of 1,000,003; 3,600,000,000,000 once.
private let golden =
  "HISTFAAAAJ94nJNpmSzMwMC3jgECmKE0I5DpZrBjAYP9B4jA5gomFhYWJjBiwWTilhlVNKQUcbCBIBsHEsTFGVU0qmhU0TBTxMfHx8OHALjYo4pGFY0qGoaKZKRkQACTxCkxqmhUEemKBKbHMVkzWSJhVB4EyzNJM8kCsTRBmjhV5OniZ+IFQm40klL+0NTFycTMxAqHzFhY2EXpp2v9VUYmABhaukE="
private let goldenEmpty = "HISTFAAAAB14nJNpmSzMgADMUJoRyHQz2LGAwf4DRAAATjkESw=="
/// 123,456 seven times.
private let goldenSingle = "HISTFAAAACN4nJNpmSzMwMDAzAABMJoRyHQz2LGAwf4DRGBiHR8AXkMFaw=="
/// The same with a range of an hour in microseconds.
private let goldenOtherRange = "HISTFAAAACJ4nJNpmSzMwMDAzAABMJoRRFybvITB/gNEYGIdHwBhmAWn"

@Test("a histogram of another port decodes to its percentiles")
func decodesGolden() throws {
  let slots = try HistogramSlots(encoded: golden)
  #expect(slots.count == 20_301)
  #expect(slots.max == 3_601_330_077_695)
  #expect(abs(slots.mean - 180_754_951.493_621) < 1e-5)
  let percentiles = [5_000, 9_000, 9_900, 9_990, 9_999].map { slots.value(atPerTenThousand: $0) }
  #expect(percentiles == [475_647, 776_191, 147_062_783, 330_039_295, 348_127_231])

  var recorded: RecordedCounts = (0..<20_000).map { [100_000 + 37 * $0, 1] }
  recorded += (0..<300).map { [50_000_000 + 1_000_003 * $0, 1] }
  recorded.append([3_600_000_000_000, 1])
  #expect(try HistogramSlots(recorded: recorded) == slots)
}

@Test("an empty histogram and one of a single value decode")
func decodesSmall() throws {
  #expect(try HistogramSlots(encoded: goldenEmpty).recorded == [])
  #expect(try HistogramSlots(encoded: goldenSingle).recorded == [[123_519, 7]])
  let empty = try LatencySummary(recorded: [])
  #expect(empty.count == 0 && empty.max == 0 && empty.mean == 0 && empty.p50 == nil)
  #expect(try empty.slots().count == 0)
}

@Test("what is encoded decodes to the same counts")
func roundTrip() throws {
  // A count that needs the eighth bit of the ninth byte.
  #expect(try HistogramSlots(encoded: HistogramSlots(recorded: [[5, 1 << 62]]).encoded).recorded == [[5, 1 << 62]])
  var random = SplitMix64(seed: 11)
  for round in 0..<60 {
    let recorded: RecordedCounts = (0..<(round * 7)).map { _ in
      let magnitude = UInt64.random(in: 0..<43, using: &random)
      // Counts up to 2^56 take all nine bytes.
      return [random.next() >> (63 - magnitude), 1 + random.next() >> UInt64.random(in: 8..<64, using: &random)]
    }
    let slots = try HistogramSlots(recorded: recorded)
    #expect(try HistogramSlots(encoded: slots.encoded) == slots)
  }
}

@Test("the layout is the one of the Histogram package")
func sameLayout() throws {
  var random = SplitMix64(seed: 5)
  var histogram = Histogram<UInt64>(highestTrackableValue: HistogramSlots.highestTrackable)
  var recorded: RecordedCounts = []
  for _ in 0..<3_000 {
    let value = min(HistogramSlots.highestTrackable, random.next() >> UInt64.random(in: 22..<64, using: &random))
    histogram.record(value)
    recorded.append([value, 1])
    let values = HistogramSlots.values(at: HistogramSlots.index(of: value))
    #expect(values == histogram.equivalentRangeForValue(value))
  }
  let slots = try HistogramSlots(recorded: recorded)
  #expect(slots.recorded == histogram.recordedValues().map { [$0.value, $0.count] })
  for (share, percentile) in [(5_000, 50), (9_000, 90), (9_990, 99.9), (10_000, 100.0)] {
    // The package never exceeds the exact maximum, which an encoded histogram does not have.
    let expected = histogram.highestEquivalentForValue(histogram.valueAtPercentile(percentile))
    #expect(slots.value(atPerTenThousand: share) == expected)
  }
  #expect(abs(slots.mean - histogram.mean) <= 1e-9 * histogram.mean)
}

@Test("every slot holds its own values")
func slotsAreInverse() {
  #expect(HistogramSlots.slotCount == 33_792)
  var next: UInt64 = 0
  for index in 0..<HistogramSlots.slotCount {
    let values = HistogramSlots.values(at: index)
    #expect(values.lowerBound == next)
    next = values.upperBound + 1
  }
  for value in [0, 1, 2_047, 2_048, 2_049, 4_095, 4_096, 1 << 41, 3_600_000_000_000] as [UInt64] {
    #expect(HistogramSlots.values(at: HistogramSlots.index(of: value)).contains(value))
  }
  #expect(HistogramSlots.index(of: .max) == HistogramSlots.index(of: 3_600_000_000_000))
}

@Test("a percentile is stated only where 100 samples lie beyond it")
func statedPercentiles() throws {
  let short = try LatencySummary(recorded: [[1_000, 9_900], [2_000, 99]])
  #expect(short.p90 == 1_000 && short.p99 == nil)
  let enough = try LatencySummary(recorded: [[1_000, 9_900], [2_000, 100]])
  #expect(enough.p99 == 1_000 && enough.p999 == nil && enough.max == 2_000 && enough.count == 10_000)
  #expect(try LatencySummary(recorded: [[5, 199]]).p50 == nil)
  #expect(try LatencySummary(recorded: [[5, 200]]).p50 == 5)
}

@Test("what is no histogram is refused in one sentence")
func refusals() throws {
  #expect(throws: ResultError("[5] is no entry of a histogram: expected [nanoseconds, count]")) {
    try HistogramSlots(recorded: [[5]])
  }
  #expect(throws: ResultError.self) { try HistogramSlots(recorded: [[5, 1 << 62], [6, 1 << 62]]) }
  #expect(throws: ResultError.self) { try HistogramSlots(recorded: [[5, .max]]) }
  func message(_ text: String) -> String {
    do throws(ResultError) {
      _ = try HistogramSlots(encoded: text)
      return "accepted"
    } catch {
      return error.description
    }
  }
  #expect(message("") == "histogram '' ends within its header")
  #expect(message("%%%") == "histogram '%%%' is not base64")
  #expect(message("AAAAAAAAAAAA").hasSuffix("is not HdrHistogram's V2 compressed encoding"))
  #expect(message(goldenOtherRange).contains("covers 1 to 3600000000 with 3 significant digits: expected 1 to"))
  var bytes = [UInt8](try #require(Data(base64Encoded: goldenSingle)))
  #expect(message(Data(bytes.dropLast()).base64EncodedString()).contains("announces another length"))
  // Damage anywhere is found (zlib has a checksum of its own) or changes nothing; it never traps.
  for index in bytes.indices {
    let before = bytes[index]
    bytes[index] ^= 0x55
    #expect(message(Data(bytes).base64EncodedString()) != "accepted" || index == 3 || index == 9)
    bytes[index] = before
  }
}
