// ping-pong: pairs of units hand a token back and forth. What does it cost to wake one unit and put another to sleep?
// The oracle is in PingPong+Oracle.swift.

extension Workload {
  public static let pingPong = Workload(
    name: "ping-pong",
    question: "What does it cost to hand something to another unit and wait for the answer?",
    contract: """
      Each of `pairs` pairs is two units that live for the whole trial, ping and pong, each with a mailbox of its own. A
      unit waits for the token in its mailbox, parked as the model parks whoever waits, adds 1 to it, and puts it into
      its partner's. All units wait before the first token is put into a ping's mailbox. With workers=one no two units
      run at the same time. At the drain whoever has the token keeps it, and both units of a pair are joined.
      """,
    operation: "hand-over",
    isServed: false,
    parameters: [
      Parameter("pairs", .integer(1...10_000), default: .integer(1), "pairs of units, one token in each"),
      Parameter(
        "workers", .choice(["one", "all"]), default: .text("one"),
        "one: all units share one processor, no two run at once; all: the request's workers"),
    ],
    variants: [],
    rules: PingPong.Rule.allCases.map { ($0.rawValue, $0.meaning) },
    cases: [
      Case(
        name: "ping-pong/one-worker", changes: [:], presets: [.quick, .standard, .full],
        headlines: ["throughput", "cpuPerOperation"]),
      Case(
        name: "ping-pong/one-worker-1k", changes: ["pairs": .integer(1_000)], presets: [.full],
        headlines: ["throughput", "cpuPerOperation"]),
      Case(
        name: "ping-pong/all-workers", changes: ["workers": .text("all")], presets: [.full],
        headlines: ["throughput", "cpuPerOperation"]),
      Case(
        name: "ping-pong/all-workers-1k", changes: ["workers": .text("all"), "pairs": .integer(1_000)],
        presets: [.full], headlines: ["throughput", "cpuPerOperation"]),
    ],
    checks: [
      Check(
        name: "ping-pong/check-one-worker",
        purpose: "a few pairs take turns on one worker: a token must not end up in another pair",
        changes: ["pairs": .integer(3)], operations: 100, isGated: false),
      Check(
        name: "ping-pong/check-crowd",
        purpose: "more units than any pool has threads, all of which wait before the first token moves",
        changes: ["pairs": .integer(300), "workers": .text("all")], operations: 600, isGated: false),
    ],
    judge: { PingPong.judge($0) }
  )
}

/// The contract of ping-pong: parameters, tokens, rules.
public enum PingPong {
  /// ping-pong's parameters, checked and typed.
  public struct Parameters: Sendable, Hashable {
    public enum Workers: String, Sendable { case one, all }
    public let pairs: Int
    public let workers: Workers

    /// Two a pair.
    public var units: Int { 2 * pairs }

    /// - Parameter changes: values by name; what is missing takes its default.
    /// - Throws: ``ParameterError`` for an unknown name or a value out of range.
    public init(_ changes: [String: ParameterValue]) throws(ParameterError) {
      let values = try TypedValues(.pingPong, changes)
      pairs = values.integer("pairs")
      workers = values.text("workers") == "one" ? .one : .all
    }
  }

  /// The token that a pair begins with. Pairs begin far apart, so that a token that strays is noticed by whoever gets it.
  @inlinable
  public static func firstToken(pair: Int) -> UInt64 { SplitMix64.mix(UInt64(pair)) }
}
