// contention: many units want the same lock. What does a critical section cost, and does everybody get a turn? The
// oracle is in Contention+Oracle.swift.

extension Workload {
  public static let contention = Workload(
    name: "contention",
    question: "Many units want the same lock. What does a critical section cost, and does everybody get a turn?",
    contract: """
      `units` units run critical sections as fast as they can, under the model's own mutual exclusion, on `locks`
      counters that are ordinary memory, each guarded by a lock of its own. Unit u's section n, both from 0, is on
      counter (u + n) modulo `locks`: it reads the counter, does `hold` microseconds of CPU work, adds what came out of
      it to the counter's checksum, and writes the counter back, one higher. Units that are not preempted give way at
      least every 64 sections. Each unit runs at least one section. The spread of sections per unit in the window is
      part of the result.
      """,
    operation: "critical section",
    isServed: false,
    parameters: [
      Parameter("units", .integer(1...10_000), default: .integer(64), "units that want the locks"),
      Parameter("locks", .integer(1...64), default: .integer(1), "counters, each under a lock of its own"),
      Parameter("hold", unit: "us", .integer(0...1_000), default: .integer(0), "CPU work within a section"),
    ],
    variants: [],
    rules: Contention.Rule.allCases.map { ($0.rawValue, $0.meaning) },
    cases: [
      Case(
        name: "contention/one-lock", changes: [:], presets: [.quick, .standard, .full],
        headlines: ["throughput", "cpuPerOperation"]),
      Case(
        name: "contention/held", changes: ["hold": .integer(1)], presets: [.full],
        headlines: ["throughput", "cpuPerOperation"]),
      Case(
        name: "contention/many-locks", changes: ["locks": .integer(64)], presets: [.full],
        headlines: ["throughput", "cpuPerOperation"]),
      Case(
        name: "contention/crowd", changes: ["units": .integer(1_000)], presets: [.full],
        headlines: ["throughput", "cpuPerOperation"]),
      Case(
        name: "contention/alone", changes: ["units": .integer(1)], presets: [.full],
        headlines: ["throughput", "cpuPerOperation"]),
    ],
    checks: [
      Check(
        name: "contention/check-locks",
        purpose: "more units than locks, more locks than one: sections on different counters run side by side",
        changes: ["units": .integer(20), "locks": .integer(3), "hold": .integer(1)], operations: 50, isGated: false),
      Check(
        name: "contention/check-gated",
        purpose: "a unit gives way between reading the counter and writing it back: who does not exclude loses counts",
        changes: ["units": .integer(20)], operations: 20, isGated: true),
    ],
    judge: { Contention.judge($0) }
  )
}

/// The contract of contention: parameters, work, rules.
public enum Contention {
  /// contention's parameters, checked and typed.
  public struct Parameters: Sendable, Hashable {
    public let units: Int
    public let locks: Int
    public let holdNanoseconds: Int

    /// - Parameter changes: values by name; what is missing takes its default.
    /// - Throws: ``ParameterError`` for an unknown name or a value out of range.
    public init(_ changes: [String: ParameterValue]) throws(ParameterError) {
      let values = try TypedValues(.contention, changes)
      units = values.integer("units")
      locks = values.integer("locks")
      holdNanoseconds = values.integer("hold") * 1_000
    }
  }

  /// Sections after which a unit that is not preempted gives way at the latest.
  public static let turn = 64
  /// How long a thread sleeps in a gated section where the model's mutual exclusion cannot be held over a suspension.
  public static let gateNanoseconds: UInt64 = 10_000

  /// The seed of the CPU work of the section that found `counter` in its counter.
  @inlinable
  public static func seed(counter: Int) -> UInt64 { UInt64(truncatingIfNeeded: counter & 63) }

  /// What a section adds to its counter's checksum.
  /// - Parameter iterations: those of ``CPUWork`` that take `hold`; 0 with hold=0.
  @inlinable
  public static func work(counter: Int, iterations: Int) -> UInt64 {
    CPUWork.burn(seed: seed(counter: counter), iterations: iterations)
  }

  /// The name in the ledger of a counter's value.
  public static func lockCount(_ lock: Int) -> String { "lock\(lock)Sections" }

  /// The spread of sections per unit: the least and the most that a unit ran, and the coefficient of variation (the
  /// standard deviation over all units divided by the mean; 0 where there were none).
  public static func spread(_ sectionsByUnit: [Int]) -> [Measure] {
    let sections = sectionsByUnit.map(Double.init)
    let mean = sections.reduce(0, +) / Double(max(1, sections.count))
    let variance = sections.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(max(1, sections.count))
    return [
      Measure("sectionsPerUnitLeast", unit: "sections", sections.min() ?? 0),
      Measure("sectionsPerUnitMost", unit: "sections", sections.max() ?? 0),
      Measure("sectionsPerUnitVariation", unit: "ratio", mean > 0 ? variance.squareRoot() / mean : 0),
    ]
  }
}
