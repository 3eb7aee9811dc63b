// brigade: a ring of units passes a token round. What does a hop cost when each one wakes another unit, and what when it
// goes through the kernel? The oracle is in Brigade+Oracle.swift.

extension Workload {
  public static let brigade = Workload(
    name: "brigade",
    question: "What does a hop to the next unit cost, over the model's own channels and over real pipes?",
    contract: """
      `length` units that live for the whole trial form a ring. Each has an inlet, a channel of the model's or a pipe(2),
      and waits there until a token comes, checks that it is its turn, adds 1 to it, and puts it into the next unit's
      inlet. `tokens` tokens go round, spread evenly at first; each inlet has room for all of them. All units wait before the first token is put in. Over pipes a hop is
      a write of 8 bytes and a read of 8 bytes. At the drain whoever has a token keeps it, and all units are joined.
      """,
    operation: "hop",
    isServed: false,
    parameters: [
      Parameter("length", .integer(2...10_000), default: .integer(500), "units in the ring"),
      Parameter(
        "medium", .choice(["channels", "pipes"]), default: .text("channels"),
        "what the inlets are: channels of the model's own, or pipe file descriptors"),
      // With 500 tokens of 8 bytes a pipe of one page has room for all: so small are those of a user with many.
      Parameter("tokens", .integer(1...500), default: .integer(1), "tokens that go round"),
    ],
    variants: [],
    rules: Brigade.Rule.allCases.map { ($0.rawValue, $0.meaning) },
    cases: [
      Case(
        name: "brigade/pipes", changes: ["medium": .text("pipes")], presets: [.quick, .standard, .full],
        headlines: ["throughput", "cpuPerOperation"]),
      Case(
        name: "brigade/channels", changes: [:], presets: [.full], headlines: ["throughput", "cpuPerOperation"]),
      Case(
        name: "brigade/channels-50", changes: ["tokens": .integer(50)], presets: [.full],
        headlines: ["throughput", "cpuPerOperation"]),
      Case(
        name: "brigade/pipes-50", changes: ["medium": .text("pipes"), "tokens": .integer(50)], presets: [.full],
        headlines: ["throughput", "cpuPerOperation"]),
    ],
    checks: [
      Check(
        name: "brigade/check-channels", purpose: "one token passes every unit in turn, and all units wait for it",
        changes: ["length": .integer(50)], operations: 100, isGated: false),
      Check(
        name: "brigade/check-pipes", purpose: "the same over pipes, and every pipe is closed in the end",
        changes: ["length": .integer(50), "medium": .text("pipes")], operations: 100, isGated: false),
      Check(
        name: "brigade/check-crowded",
        purpose: "more tokens than units: none is lost, and no unit waits for room",
        changes: ["length": .integer(7), "tokens": .integer(40)], operations: 280, isGated: false),
    ],
    judge: { Brigade.judge($0) }
  )
}

/// The contract of brigade: parameters, tokens, rules.
public enum Brigade {
  /// brigade's parameters, checked and typed.
  public struct Parameters: Sendable, Hashable {
    public enum Medium: String, Sendable { case channels, pipes }
    public let length: Int
    public let medium: Medium
    public let tokens: Int

    /// - Parameter changes: values by name; what is missing takes its default.
    /// - Throws: ``ParameterError`` for an unknown name or a value out of range.
    public init(_ changes: [String: ParameterValue]) throws(ParameterError) {
      let values = try TypedValues(.brigade, changes)
      length = values.integer("length")
      medium = values.text("medium") == "pipes" ? .pipes : .channels
      tokens = values.integer("tokens")
    }

    /// The unit into whose inlet token number `token` is put at first.
    public func firstUnit(of token: Int) -> Int { token * length / tokens }

    /// Token number `token` before its first hop: the lower 48 bits count hops from unit 0, the upper 16 are its number.
    public func firstToken(_ token: Int) -> UInt64 { UInt64(token) << 48 | UInt64(firstUnit(of: token)) }

    /// Whether it is the turn of `unit` to have that token.
    @inlinable
    public func isTurn(of unit: Int, _ token: UInt64) -> Bool {
      (token & 0xFFFF_FFFF_FFFF) % UInt64(length) == UInt64(unit)
    }
  }
}
