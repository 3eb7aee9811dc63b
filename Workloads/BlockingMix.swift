// blocking-mix: some requests burn CPU for long, or call something that blocks. What happens to the others? The frames are
// in BlockingMix+Frames.swift, the oracle in BlockingMix+Oracle.swift.

extension Workload {
  public static let blockingMix = Workload(
    name: "blocking-mix",
    question: "Some requests burn CPU for long, or call something that blocks. What happens to the others?",
    contract: """
      The model accepts the rig's connections; each carries one request at a time. An interactive request burns 20 us of
      CPU and is answered with what came out. `hogShare` of the requests are hogs: they burn `hogTime` of CPU, or block
      their thread for it in a C function that knows nothing of the model. With mitigation=offload the model moves hogs
      to where its users would move them; with none they run where any request does. The rate follows from
      `offeredLoad`: the share of the workers that the burning alone keeps busy, hogs included; blocking calls burn
      nothing and do not count. At most `hogsAtOnce` blocking hogs a worker are under way, and on at most half of the
      connections: one more is sent as an interactive request in its stead. Latency runs from the intended start,
      interactive requests and hogs apart; goodput counts the requests answered within `goodLatency` of it.
      """,
    operation: "answered request",
    isServed: true,
    parameters: [
      Parameter(
        "offeredLoad", unit: "of the workers", .number(0.001...10), default: .number(0.6),
        "CPU time that the requests burn, per second and worker"),
      Parameter("hogShare", unit: "%", .number(0...50), default: .number(1), "requests that are hogs"),
      Parameter(
        "hogKind", .choice(["cpu", "blocking-call"]), default: .text("cpu"),
        "cpu: a hog burns CPU; blocking-call: it blocks its thread"),
      Parameter("hogTime", unit: "ms", .number(0.1...1_000), default: .number(10), "how long a hog takes"),
      Parameter(
        "mitigation", .choice(["none", "offload"]), default: .text("none"),
        "none: hogs run where all requests do; offload: where the model's users would move them"),
      Parameter(
        "hogsAtOnce", .integer(1...256), default: .integer(8),
        "blocking hogs under way at once, per worker; with mitigation=offload the model makes room for so many"),
      Parameter(
        "connections", .integer(2...4_096), default: .integer(64), "client connections, one request at a time on each"),
      Parameter(
        "goodLatency", unit: "ms", .number(0.1...10_000), default: .number(100),
        "an answer that comes later is no goodput"),
    ],
    variants: [],
    rules: BlockingMix.Rule.allCases.map { ($0.rawValue, $0.meaning) },
    rulesOfShares: [BlockingMix.Rule.offload.rawValue],
    cases: [
      Case(
        name: "blocking-mix/cpu", changes: [:], presets: [.quick, .standard, .full],
        headlines: ["latency.interactive.p99"]),
      Case(
        name: "blocking-mix/cpu-offload", changes: ["mitigation": .text("offload")], presets: [.standard, .full],
        headlines: ["latency.interactive.p99"]),
      // Few hogs, and half the load: with mitigation=none a model of one worker must get through all of it, blocked as it
      // is for 15 % of the time. At 1 % it would be blocked for three times as long as there is.
      Case(
        name: "blocking-mix/call",
        changes: ["hogKind": .text("blocking-call"), "hogShare": .number(0.1), "offeredLoad": .number(0.3)],
        presets: [.full], headlines: ["latency.interactive.p99"]),
      Case(
        name: "blocking-mix/call-offload",
        changes: [
          "hogKind": .text("blocking-call"), "hogShare": .number(0.1), "offeredLoad": .number(0.3),
          "mitigation": .text("offload"),
        ], presets: [.full], headlines: ["latency.interactive.p99"]),
      Case(
        name: "blocking-mix/call-1-percent-offload",
        changes: ["hogKind": .text("blocking-call"), "offeredLoad": .number(0.3), "mitigation": .text("offload")],
        presets: [.full], headlines: ["latency.interactive.p99"]),
      // At 0.6 the sockets of 30,000 requests a second would keep a worker busy for the rest of its time.
      Case(
        name: "blocking-mix/no-hogs", changes: ["hogShare": .number(0), "offeredLoad": .number(0.3)], presets: [.full],
        headlines: ["latency.interactive.p99", "cpuPerOperation"]),
      // So many hogs leave room for so few requests that a window has no p99.
      Case(
        name: "blocking-mix/cpu-5-percent", changes: ["hogShare": .number(5)], presets: [.full],
        headlines: ["latency.interactive.p50"]),
      Case(
        name: "blocking-mix/cpu-5-percent-offload",
        changes: ["hogShare": .number(5), "mitigation": .text("offload")], presets: [.full],
        headlines: ["latency.interactive.p50"]),
      Case(
        name: "blocking-mix/cpu-20-percent", changes: ["hogShare": .number(20)], presets: [.full],
        headlines: ["latency.interactive.p50"]),
      Case(
        name: "blocking-mix/cpu-20-percent-offload",
        changes: ["hogShare": .number(20), "mitigation": .text("offload")], presets: [.full],
        headlines: ["latency.interactive.p50"]),
      Case(
        name: "blocking-mix/overload", changes: ["offeredLoad": .number(1.2)], presets: [.full], headlines: ["goodput"]),
      Case(
        name: "blocking-mix/overload-offload",
        changes: ["offeredLoad": .number(1.2), "mitigation": .text("offload")], presets: [.full],
        headlines: ["goodput"]),
    ],
    checks: [
      Check(
        name: "blocking-mix/check-cpu", purpose: "what requests and hogs burn comes out right",
        changes: ["hogShare": .number(5), "hogTime": .number(2)], operations: 600, isGated: false),
      Check(
        name: "blocking-mix/check-cpu-offload",
        purpose: "the same with hogs moved away, and each answer finds its owner",
        changes: ["hogShare": .number(20), "hogTime": .number(2), "mitigation": .text("offload")],
        operations: 600, isGated: false),
      Check(
        name: "blocking-mix/check-call", purpose: "a blocking call takes its time, and nothing is lost behind it",
        changes: [
          "hogKind": .text("blocking-call"), "hogShare": .number(5), "hogTime": .number(5),
          "offeredLoad": .number(0.05),
          "hogsAtOnce": .integer(2),
        ],
        operations: 600, isGated: false),
      Check(
        name: "blocking-mix/check-gated",
        purpose: "while as many hogs block as there are workers, interactive requests are answered: offloading is real",
        changes: [
          "hogKind": .text("blocking-call"), "hogShare": .number(20), "hogTime": .number(100),
          "offeredLoad": .number(0.01), "hogsAtOnce": .integer(1), "mitigation": .text("offload"),
        ],
        operations: 600, isGated: true,
        changesInPatience: ["hogTime": .number(1_000), "offeredLoad": .number(0.001)]),
    ],
    judge: { BlockingMix.judge($0) }
  )
}

/// The contract of blocking-mix: parameters, frames, rules.
public enum BlockingMix {
  /// CPU time of an interactive request.
  public static let interactiveNanoseconds = 20_000

  /// blocking-mix's parameters, checked and typed.
  public struct Parameters: Sendable, Hashable {
    public enum HogKind: String, Sendable {
      case cpu
      case blockingCall = "blocking-call"
    }
    public enum Mitigation: String, Sendable { case none, offload }
    /// CPU seconds burnt per second and worker.
    public let offeredLoad: Double
    /// 0 to 0.5.
    public let hogShare: Double
    public let hogKind: HogKind
    public let hogNanoseconds: Int
    public let mitigation: Mitigation
    /// Per worker.
    public let hogsAtOnce: Int
    public let connections: Int
    public let goodLatencyNanoseconds: UInt64

    /// - Parameter changes: values by name; what is missing takes its default.
    /// - Throws: ``ParameterError`` for an unknown name or a value out of range.
    public init(_ changes: [String: ParameterValue]) throws(ParameterError) {
      let values = try TypedValues(.blockingMix, changes)
      offeredLoad = values.number("offeredLoad")
      hogShare = values.number("hogShare") / 100
      hogKind = values.text("hogKind") == "cpu" ? .cpu : .blockingCall
      hogNanoseconds = Int((values.number("hogTime") * 1e6).rounded())
      mitigation = values.text("mitigation") == "none" ? .none : .offload
      hogsAtOnce = values.integer("hogsAtOnce")
      connections = values.integer("connections")
      goodLatencyNanoseconds = UInt64((values.number("goodLatency") * 1e6).rounded())
    }

    /// Requests per second that burn `offeredLoad` of that many workers.
    public func rate(workers: Int) -> Double {
      let hogBurn = hogKind == .cpu ? hogShare * Double(hogNanoseconds) : 0
      let meanNanoseconds = (1 - hogShare) * Double(interactiveNanoseconds) + hogBurn
      return offeredLoad * Double(workers) * 1e9 / meanNanoseconds
    }

    /// How many blocking hogs may be under way at once: with mitigation=offload so many threads are enough for all.
    public func blockingHogs(workers: Int) -> Int { max(1, min(hogsAtOnce * workers, connections / 2)) }
  }
}
