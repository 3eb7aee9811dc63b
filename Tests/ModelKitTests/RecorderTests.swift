// The recorder against the Histogram package, which the rig records with, and against the files' own coding.

import Histogram
import ResultFormat
import Testing
import Workloads

@testable import ModelKit

@Suite struct RecorderTests {
  static let hour: UInt64 = 3_600_000_000_000

  /// Every power of two with its neighbours, both ends of many slots, and random values of every magnitude.
  static let values: [UInt64] = {
    var random = SplitMix64(seed: 3)
    var values: [UInt64] = [0, 1, 2047, 2048, 2049, hour - 1, hour]
    for bit in 1..<42 {
      let power = UInt64(1) << bit
      values += [power - 1, power, power + 1, power + power / 2]
      values += (0..<200).map { _ in power + random.next() % power }
    }
    return values.filter { $0 <= hour }
  }()

  @Test func `every value lands where the Histogram package puts it`() {
    let histogram = Histogram<UInt64>(highestTrackableValue: Self.hour, numberOfSignificantValueDigits: .three)
    for value in Self.values {
      let highest = Recorder.highestValue(at: Recorder.slot(of: value))
      #expect(highest == histogram.highestEquivalentForValue(value), "\(value)")
    }
  }

  @Test func `many samples add up to the Histogram package's counts`() {
    let recorder = Recorder()
    var histogram = Histogram<UInt64>(highestTrackableValue: Self.hour, numberOfSignificantValueDigits: .three)
    for value in Self.values + Self.values.reversed() {
      recorder.record(value)
      histogram.record(value)
    }
    #expect(recorder.recorded() == histogram.recordedValues().map { [$0.value, $0.count] })
  }

  @Test func `what it recorded passes through a result's histogram unchanged`() throws {
    let recorder = Recorder()
    for value in Self.values { recorder.record(value) }
    let slots = try HistogramSlots(recorded: recorder.recorded())
    #expect(slots.count == Self.values.count)
    #expect(slots.recorded == recorder.recorded())
    #expect(try HistogramSlots(encoded: slots.encoded).recorded == recorder.recorded())
    #expect(Recorder.slotCount == HistogramSlots.slotCount)
  }

  @Test func `more than an hour counts as an hour`() {
    let recorder = Recorder()
    recorder.record(Self.hour)
    recorder.record(Self.hour + 1)
    recorder.record(.max)
    #expect(recorder.recorded().map(\.[1]) == [3])
  }

  @Test func `recorders are merged by class`() {
    let recorders = Recorders(count: 3, classes: ["fired", "cancelled"])
    for owner in 0..<3 {
      recorders[owner].record(5)
      recorders[owner, class: 1].record(UInt64(10 + owner))
    }
    #expect(recorders.merged() == ["fired": [[5, 3]], "cancelled": [[10, 1], [11, 1], [12, 1]]])
    #expect(Recorders(count: 16).merged() == ["all": []])
  }
}

@Suite struct WindowTests {
  @Test func `a window has its first nanosecond and not the one after its last`() {
    let window = Window(opens: 10, closes: 12)
    #expect([9, 10, 11, 12].map { window.contains($0) } == [false, true, true, false])
    #expect(!Window(opens: 10, closes: 10).contains(10))
  }
}
