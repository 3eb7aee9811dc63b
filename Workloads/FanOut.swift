// fan-out: a request needs answers from `width` backends before it can be answered. What does the model pay to wait
// for them all? The frames are in FanOut+Frames.swift, the oracle in FanOut+Oracle.swift.

extension Workload {
  public static let fanOut = Workload(
    name: "fan-out",
    question: "A request needs answers from `width` backends before it can be answered. "
      + "What does the model pay to wait for them all?",
    contract: """
      The model accepts the rig's connections; each carries one request at a time. One unit per request; each of its
      `width` sub-requests is a unit of its own, started and joined by the model. Sub-requests go over a shared pool
      of `backendConnections` connections, one outstanding on each; waiters for a connection are served in order, per
      sub-request, and no unit holds one connection while it waits for another. The answer carries the sum of the
      replies' checksums. Latency runs from the intended start of a request to its answer; `added` is the part that
      the model alone is answerable for.
      """,
    operation: "answered request",
    isServed: true,
    parameters: [
      Parameter("width", .integer(1...64), default: .integer(8), "sub-requests per request"),
      Parameter(
        "requestBytes", unit: "bytes", .multiple(of: 8, 24...65_536), default: .integer(64),
        "length of a request's and a sub-request's frame"),
      Parameter(
        "replyBytes", unit: "bytes", .multiple(of: 8, 24...65_536), default: .integer(512),
        "length of a sub-reply's frame"),
      Parameter(
        "serviceTime", .serviceTime, default: .text("fixed(1ms)"), "how long the backend takes over a sub-request"),
      Parameter(
        "connections", .integer(1...4_096), default: .integer(64), "client connections, one request at a time on each"),
      Parameter(
        "backendConnections", .integer(1...8_192), default: .integer(512),
        "connections from the model to the backend, one sub-request at a time on each"),
      Parameter(
        "load", .choice(["closed", "poisson", "bursts"]), default: .text("poisson"),
        "closed: a new request on each connection as soon as the last is answered; poisson, bursts: open loop at `rate`"
      ),
      Parameter(
        "rate", unit: "requests/s", .number(1...1_000_000), default: .number(2_000), "offered rate of an open loop"),
      Parameter("burst", .integer(1...4_096), default: .integer(16), "requests that are due at once with load=bursts"),
    ],
    variants: [
      Variant(name: "gather", meaning: "scatter and gather within the request's own unit: one unit per request")
    ],
    rules: FanOut.Rule.allCases.map { ($0.rawValue, $0.meaning) },
    cases: [
      Case(
        name: "fan-out/fixed-rate", changes: [:], presets: [.quick, .standard, .full],
        headlines: ["cpuPerOperation", "addedLatency"]),
      Case(
        name: "fan-out/closed",
        changes: ["load": .text("closed"), "connections": .integer(256), "backendConnections": .integer(2_048)],
        presets: [.quick, .standard, .full], headlines: ["throughput"]),
      Case(
        name: "fan-out/bursts", changes: ["load": .text("bursts")], presets: [.full],
        headlines: ["cpuPerOperation", "addedLatency"]),
      Case(
        name: "fan-out/exponential", changes: ["serviceTime": .text("exponential(1ms)")], presets: [.full],
        headlines: ["cpuPerOperation", "addedLatency"]),
      Case(
        name: "fan-out/bimodal", changes: ["serviceTime": .text("bimodal(1ms,20ms,2%)")], presets: [.full],
        headlines: ["cpuPerOperation", "addedLatency"]),
      Case(
        name: "fan-out/narrow", changes: ["width": .integer(1), "rate": .number(8_000)], presets: [.full],
        headlines: ["cpuPerOperation", "addedLatency"]),
      Case(
        name: "fan-out/wide", changes: ["width": .integer(32), "rate": .number(500)], presets: [.full],
        headlines: ["cpuPerOperation", "addedLatency"]),
    ],
    checks: [
      Check(
        name: "fan-out/check-scarce",
        purpose: "fewer backend connections than sub-requests in flight: waiters queue and every reply finds its owner",
        changes: [
          "connections": .integer(4), "backendConnections": .integer(5), "load": .text("closed"),
          "serviceTime": .text("exponential(200us)"),
        ],
        operations: 400, isGated: false),
      Check(
        name: "fan-out/check-gated",
        purpose: "no sub-request is answered before its siblings have arrived: children run one after another deadlock",
        changes: ["connections": .integer(4), "backendConnections": .integer(32), "load": .text("closed")],
        operations: 200, isGated: true),
      Check(
        name: "fan-out/check-large",
        purpose: "frames larger than a socket's buffer segment: partial reads and writes are put together",
        changes: [
          "connections": .integer(3), "backendConnections": .integer(24), "load": .text("closed"),
          "requestBytes": .integer(16_384), "replyBytes": .integer(65_536), "serviceTime": .text("none"),
        ],
        operations: 120, isGated: false),
      Check(
        name: "fan-out/check-open",
        purpose: "open loop in bursts of more requests than there are connections",
        changes: [
          "connections": .integer(8), "backendConnections": .integer(64), "load": .text("bursts"),
          "burst": .integer(24),
          "rate": .number(2_000),
        ],
        operations: 480, isGated: false),
    ],
    judge: { FanOut.judge($0) }
  )
}

/// The contract of fan-out: parameters, frames, rules.
public enum FanOut {
  /// fan-out's parameters, checked and typed.
  public struct Parameters: Sendable, Hashable {
    public enum Load: Sendable, Hashable {
      case closed
      case poisson(rate: Double)
      case bursts(rate: Double, size: Int)
    }
    public let width: Int
    public let requestBytes: Int
    public let replyBytes: Int
    public let serviceTime: ServiceTime
    public let connections: Int
    public let backendConnections: Int
    public let load: Load

    /// - Parameter changes: values by name; what is missing takes its default.
    /// - Throws: ``ParameterError`` for an unknown name or a value out of range.
    public init(_ changes: [String: ParameterValue]) throws(ParameterError) {
      let values = try Workload.fanOut.values(changes)
      func integer(_ name: String) -> Int {
        guard case .integer(let value)? = values[name] else { preconditionFailure("\(name) is an integer") }
        return value
      }
      func number(_ name: String) -> Double {
        guard case .number(let value)? = values[name] else { preconditionFailure("\(name) is a number") }
        return value
      }
      width = integer("width")
      requestBytes = integer("requestBytes")
      replyBytes = integer("replyBytes")
      serviceTime = try ServiceTime(values["serviceTime"]!.description)
      connections = integer("connections")
      backendConnections = integer("backendConnections")
      load =
        switch values["load"]!.description {
        case "closed": .closed
        case "poisson": .poisson(rate: number("rate"))
        default: .bursts(rate: number("rate"), size: integer("burst"))
        }
    }
  }
}
