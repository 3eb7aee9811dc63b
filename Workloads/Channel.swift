// channel: many producers and many consumers on one bounded queue. What does an item cost when everybody meets at one
// point? The oracle is in Channel+Oracle.swift.

extension Workload {
  public static let channel = Workload(
    name: "channel",
    question: "What does an item cost when many producers and many consumers meet at one bounded queue?",
    contract: """
      `producers` units put items into one first-in-first-out queue that holds at most `capacity` of them, and
      `consumers` units take them out, all as fast as they can. A put into a full queue waits, and so does a take from
      an empty one. Items are put and taken one at a time, and do not go round the queue. Each producer puts at least
      one item. At the drain the producers stop, the queue is closed behind the last, and the consumers take what is
      left in it.
      """,
    operation: "item put and taken",
    isServed: false,
    parameters: [
      Parameter("producers", .integer(1...1_000), default: .integer(40), "units that put"),
      Parameter("consumers", .integer(1...1_000), default: .integer(40), "units that take"),
      Parameter("capacity", unit: "items", .integer(1...65_536), default: .integer(50), "what the queue can hold"),
    ],
    variants: [],
    rules: Channel.Rule.allCases.map { ($0.rawValue, $0.meaning) },
    cases: [
      Case(
        name: "channel/40x40", changes: [:], presets: [.quick, .standard, .full],
        headlines: ["throughput", "cpuPerOperation"]),
      Case(
        name: "channel/1x1", changes: ["producers": .integer(1), "consumers": .integer(1)], presets: [.full],
        headlines: ["throughput", "cpuPerOperation"]),
      Case(
        name: "channel/40x1", changes: ["consumers": .integer(1)], presets: [.full],
        headlines: ["throughput", "cpuPerOperation"]),
      Case(
        name: "channel/1x40", changes: ["producers": .integer(1)], presets: [.full],
        headlines: ["throughput", "cpuPerOperation"]),
      Case(
        name: "channel/40x40-narrow", changes: ["capacity": .integer(1)], presets: [.full],
        headlines: ["throughput", "cpuPerOperation"]),
    ],
    checks: [
      Check(
        name: "channel/check-narrow",
        purpose: "more waiters on both sides than the queue has room: a wake-up that is lost leaves somebody waiting",
        changes: ["producers": .integer(7), "consumers": .integer(5), "capacity": .integer(1)],
        operations: 50, isGated: false),
      Check(
        name: "channel/check-gated",
        purpose: "the consumers stand still: what the producers got rid of must be what the queue holds",
        changes: [:], operations: 1, isGated: true),
    ],
    judge: { Channel.judge($0) }
  )
}

/// The contract of channel: parameters, items, rules.
public enum Channel {
  /// channel's parameters, checked and typed.
  public struct Parameters: Sendable, Hashable {
    public let producers: Int
    public let consumers: Int
    public let capacity: Int

    public var units: Int { producers + consumers }

    /// - Parameter changes: values by name; what is missing takes its default.
    /// - Throws: ``ParameterError`` for an unknown name or a value out of range.
    public init(_ changes: [String: ParameterValue]) throws(ParameterError) {
      let values = try TypedValues(.channel, changes)
      producers = values.integer("producers")
      consumers = values.integer("consumers")
      capacity = values.integer("capacity")
    }
  }

  /// The gate of a gated check: how long the consumers go on standing still after `capacity` items have been put, to
  /// see whether more are.
  public static let stillNanoseconds: UInt64 = 50_000_000

  /// The value that the producer's item of that number, from 0, carries.
  @inlinable
  public static func value(producer: Int, sequence: Int) -> UInt64 {
    SplitMix64.mix(UInt64(truncatingIfNeeded: producer) << 48 &+ UInt64(truncatingIfNeeded: sequence))
  }

  /// The name in the ledger of the items that a producer has put.
  public static func producerCount(_ producer: Int) -> String { "producer\(producer)Items" }
  /// The name in the ledger of the items that a consumer has taken.
  public static func consumerCount(_ consumer: Int) -> String { "consumer\(consumer)Items" }
}
