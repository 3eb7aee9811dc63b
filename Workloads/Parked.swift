// parked: units that wait on a timer, each with live state of its own. What does a waiting unit cost in memory? The
// oracle is in Parked+Oracle.swift.

extension Workload {
  public static let parked = Workload(
    name: "parked",
    question: "What does a waiting unit cost in memory, and what does its live state add?",
    contract: """
      `units` units. Each fills `liveState` bytes of its own, arms a timer of its own of one hour, and waits on it. The
      window opens before the first unit is created and closes when all of them wait; then the memory is read from
      outside. At the drain the model wakes them all, and each checks every word of its state. Gated: the timers are of
      100 ms, nobody wakes the units but they, and none may wake early.
      """,
    operation: "unit created and parked",
    isServed: false,
    parameters: [
      Parameter("units", .integer(1...1_000_000), default: .integer(1_000), "units parked at once"),
      Parameter(
        "liveState", unit: "bytes", .multiple(of: 8, 0...65_536), default: .integer(0),
        "memory of its own that each unit has written and will read again"),
    ],
    variants: [],
    rules: Parked.Rule.allCases.map { ($0.rawValue, $0.meaning) },
    cases: plainCases + stateCases,
    checks: [
      Check(
        name: "parked/check-plain", purpose: "units wait until they are woken, and every one of them is",
        changes: ["units": .integer(500)], operations: 500, isGated: false),
      Check(
        name: "parked/check-state",
        purpose: "16 KiB a unit are there while it waits, as seen from outside, and unharmed when it wakes",
        changes: ["units": .integer(500), "liveState": .integer(16_384)], operations: 500, isGated: false),
      Check(
        name: "parked/check-gated", purpose: "the timers are real: they wake the units, and not before their time",
        changes: ["units": .integer(200), "liveState": .integer(1_024)], operations: 200, isGated: true),
    ],
    judge: { Parked.judge($0) }
  )

  /// Without state: the slope of memory over these is the price of a unit.
  private static let plainCases: [Case] = [
    ("100", 100, [.full]), ("1k", 1_000, [.standard, .full]), ("4k", 4_000, [.full]),
    ("16k", 16_000, [.quick, .standard, .full]), ("100k", 100_000, [.full]), ("1M", 1_000_000, [.full]),
  ].map { (name: String, units: Int, presets: Set<Preset>) in
    Case(
      name: "parked/\(name)", changes: ["units": .integer(units)], presets: presets,
      headlines: ["aboveIdlePSS", "kernelMemory"])
  }

  /// With state: two counts for each size, so that each has a slope of its own.
  private static let stateCases: [Case] = [1, 4, 16].flatMap { kibibytes in
    [("1k", 1_000), ("16k", 16_000)].map { (name: String, units: Int) in
      Case(
        name: "parked/\(name)-\(kibibytes)KiB",
        changes: ["units": .integer(units), "liveState": .integer(kibibytes * 1_024)], presets: [.full],
        headlines: ["aboveIdlePSS", "kernelMemory"])
    }
  }
}

/// The contract of parked: parameters, the live state, rules.
public enum Parked {
  /// How long a unit's timer runs from the moment at which it is armed.
  public static func delayNanoseconds(isGated: Bool) -> UInt64 { isGated ? 100_000_000 : 3_600_000_000_000 }

  /// parked's parameters, checked and typed.
  public struct Parameters: Sendable, Hashable {
    public let units: Int
    /// Bytes, a multiple of 8.
    public let liveState: Int

    public var liveStateWords: Int { liveState / 8 }

    /// - Parameter changes: values by name; what is missing takes its default.
    /// - Throws: ``ParameterError`` for an unknown name or a value out of range.
    public init(_ changes: [String: ParameterValue]) throws(ParameterError) {
      let values = try TypedValues(.parked, changes)
      units = values.integer("units")
      liveState = values.integer("liveState")
    }

    /// What all units' states add up to modulo 2^64.
    public var checksum: UInt64 {
      let words = UInt64(liveStateWords)
      if words == 0 { return 0 }
      var sum = UInt64(units) &* (words * (words - 1) / 2 &* Parked.stride)
      for unit in 0..<units { sum &+= words &* SplitMix64.mix(UInt64(unit)) }
      return sum
    }
  }

  /// From one word of a state to the next: 2^64 divided by the golden ratio, SplitMix64's own step.
  static let stride: UInt64 = 0x9E37_79B9_7F4A_7C15

  /// Writes a unit's state: word i is mix(unit) + i * 0x9E3779B97F4A7C15 modulo 2^64.
  ///
  /// Not inlined, as ``sum(_:unit:)`` is not: a compiler that saw both would keep the state in no memory at all.
  @inline(never)
  public static func fill(_ state: UnsafeMutableBufferPointer<UInt64>, unit: Int) {
    var word = SplitMix64.mix(UInt64(unit))
    for index in state.indices {
      state[index] = word
      word &+= stride
    }
  }

  /// Reads a unit's state.
  /// - Returns: the sum of its words modulo 2^64, and whether each is what ``fill(_:unit:)`` wrote.
  @inline(never)
  public static func sum(_ state: UnsafeBufferPointer<UInt64>, unit: Int) -> (sum: UInt64, isIntact: Bool) {
    var expected = SplitMix64.mix(UInt64(unit))
    var sum: UInt64 = 0
    var difference: UInt64 = 0
    for word in state {
      sum &+= word
      difference |= word ^ expected
      expected &+= stride
    }
    return (sum, difference == 0)
  }
}
