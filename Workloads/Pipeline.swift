// pipeline: items flow through stages joined by bounded queues. What does each hop cost, and does order survive? The
// oracle is in Pipeline+Oracle.swift.

extension Workload {
  public static let pipeline = Workload(
    name: "pipeline",
    question: "Items flow through stages joined by bounded queues. What does each hop cost, and does order survive?",
    contract: """
      `lanes` pipelines run side by side and share nothing. Each is a source, `stages` stages and a sink, every one of
      them a unit of its own, joined by stages + 1 first-in-first-out queues that hold at most `capacity` items each: a
      put into a full queue waits, and so does a take from an empty one. Items are put and taken one at a time. A stage
      takes an item, does `work` microseconds of CPU work on it, changes its value, and puts it into the next queue; the
      sink checks the order and adds up the values. With load=saturated the source puts as fast as it can; with
      load=paced item n of all lanes together is due n / `rate` seconds after the start, and latency runs from that
      moment to the sink's take.
      """,
    operation: "item through all stages",
    isServed: false,
    parameters: [
      Parameter("stages", .integer(1...64), default: .integer(8), "stages between source and sink"),
      Parameter("capacity", unit: "items", .integer(1...65_536), default: .integer(64), "what each queue can hold"),
      Parameter("lanes", .integer(1...8), default: .integer(2), "independent pipelines side by side"),
      Parameter("work", unit: "us", .integer(0...1_000), default: .integer(0), "CPU work of each stage on each item"),
      Parameter(
        "load", .choice(["saturated", "paced"]), default: .text("saturated"),
        "saturated: as fast as it goes; paced: `rate` items a second"),
      Parameter(
        "rate", unit: "items/s", .number(10...10_000_000), default: .number(4_000),
        "items of all lanes together with load=paced"),
    ],
    variants: [],
    rules: Pipeline.Rule.allCases.map { ($0.rawValue, $0.meaning) },
    cases: [
      Case(
        name: "pipeline/saturated", changes: [:], presets: [.quick, .standard, .full],
        headlines: ["throughput", "cpuPerOperation"]),
      Case(
        name: "pipeline/paced", changes: ["load": .text("paced")], presets: [.standard, .full],
        headlines: ["latency", "cpuPerOperation"]),
      Case(
        name: "pipeline/one-lane", changes: ["lanes": .integer(1)], presets: [.full],
        headlines: ["throughput", "cpuPerOperation"]),
      Case(
        name: "pipeline/eight-lanes", changes: ["lanes": .integer(8)], presets: [.full],
        headlines: ["throughput", "cpuPerOperation"]),
      Case(
        name: "pipeline/work-1us", changes: ["work": .integer(1)], presets: [.full],
        headlines: ["throughput", "cpuPerOperation"]),
      Case(
        name: "pipeline/work-10us", changes: ["work": .integer(10)], presets: [.full],
        headlines: ["throughput", "cpuPerOperation"]),
      Case(
        name: "pipeline/narrow", changes: ["capacity": .integer(1)], presets: [.full],
        headlines: ["throughput", "cpuPerOperation"]),
    ],
    checks: [
      Check(
        name: "pipeline/check-narrow",
        purpose: "queues of one item: every put and take waits for its neighbour, and every lane keeps its order",
        changes: ["stages": .integer(3), "capacity": .integer(1), "lanes": .integer(3), "work": .integer(1)],
        operations: 30, isGated: false),
      Check(
        name: "pipeline/check-gated",
        purpose: "the sinks stand still: what the sources got rid of must fill the queues and may not exceed them",
        changes: ["stages": .integer(4), "capacity": .integer(5)], operations: 1, isGated: true),
      Check(
        name: "pipeline/check-paced",
        purpose: "items that come one by one find every stage asleep: each must be woken",
        changes: ["stages": .integer(3), "load": .text("paced"), "rate": .number(500)], operations: 10, isGated: false),
    ],
    judge: { Pipeline.judge($0) }
  )
}

/// The contract of pipeline: parameters, values, rules.
public enum Pipeline {
  /// pipeline's parameters, checked and typed.
  public struct Parameters: Sendable, Hashable {
    public enum Load: Sendable, Hashable {
      case saturated
      /// Items a second of all lanes together.
      case paced(rate: Double)
    }
    public let stages: Int
    public let capacity: Int
    public let lanes: Int
    public let workNanoseconds: Int
    public let load: Load

    /// Sources, stages and sinks of all lanes.
    public var units: Int { lanes * (stages + 2) }
    /// Items that the queues of one lane hold.
    public var laneCapacity: Int { (stages + 1) * capacity }

    /// - Parameter changes: values by name; what is missing takes its default.
    /// - Throws: ``ParameterError`` for an unknown name or a value out of range.
    public init(_ changes: [String: ParameterValue]) throws(ParameterError) {
      let values = try TypedValues(.pipeline, changes)
      stages = values.integer("stages")
      capacity = values.integer("capacity")
      lanes = values.integer("lanes")
      workNanoseconds = values.integer("work") * 1_000
      load = values.text("load") == "paced" ? .paced(rate: values.number("rate")) : .saturated
    }

    /// With load=paced: when the lane's item of that number, from 0, is due, in nanoseconds after the start.
    public func due(lane: Int, sequence: Int) -> UInt64 {
      guard case .paced(let rate) = load else { return 0 }
      return UInt64(Double(sequence * lanes + lane) * 1e9 / rate)
    }
  }

  /// The gate of a gated check: how long a sink goes on standing still after its lane has taken in `laneCapacity`
  /// items, to see whether it takes in more.
  public static let stillNanoseconds: UInt64 = 50_000_000

  /// The value with which the lane's item of that number, from 0, leaves the source.
  @inlinable
  public static func firstValue(lane: Int, sequence: Int) -> UInt64 {
    SplitMix64.mix(UInt64(truncatingIfNeeded: lane) << 48 &+ UInt64(truncatingIfNeeded: sequence))
  }

  /// What a stage makes of an item's value. The CPU work starts from one of 64 seeds, so that the oracle can check
  /// millions of items without doing all their work again.
  /// - Parameters:
  ///   - stage: 1 for the first behind the source.
  ///   - iterations: those of ``CPUWork`` that take `work`; 0 with work=0.
  @inlinable
  public static func apply(stage: Int, to value: UInt64, sequence: Int, iterations: Int) -> UInt64 {
    let burnt = CPUWork.burn(seed: UInt64(truncatingIfNeeded: sequence & 63), iterations: iterations)
    return SplitMix64.mix(value &+ UInt64(truncatingIfNeeded: stage) &+ burnt)
  }

  /// The name in the ledger of the items that a lane's sink has taken.
  public static func laneCount(_ lane: Int) -> String { "lane\(lane)Items" }
}
