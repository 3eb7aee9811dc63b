// timer-storm: most timers are timeouts that never fire. What do arming, cancelling and firing cost, and how late do
// they fire? The schedule is in TimerStorm+Schedule.swift, the oracle in TimerStorm+Oracle.swift.

extension Workload {
  public static let timerStorm = Workload(
    name: "timer-storm",
    question: "Most timers are timeouts that never fire. What do arming, cancelling and firing cost, "
      + "and how late do they fire?",
    contract: """
      Each of `outstanding` slots has one timer armed; when it fires or is cancelled, the slot arms the next. One unit
      per slot, started by the model, waits on the slot's timer, and arms the next itself. With load=paced a pacer
      cancels the timers of seeded slots, `rate` x `cancelShare` a second, and delays are exponential with the mean that
      lets the others fire: both are memoryless, so that all slots together make `rate` operations a second from the
      first moment, and a cancel falls anywhere in a delay. With load=flat-out `workers` cancellers go round the slots
      as fast as they can, a batch at a time, and nothing fires. A timer belongs to whoever claims it first, its
      deadline or a cancel; the loser does nothing. Latency is the moment at which the unit runs again minus the
      deadline, of timers that fired.
      """,
    operation: "timer armed and then fired or cancelled",
    isServed: false,
    parameters: [
      Parameter(
        "outstanding", .integer(1...1_000_000), default: .integer(10_000), "slots, one timer outstanding in each"),
      Parameter(
        "cancelShare", .number(0...1), default: .number(0.9),
        "share of the timers that are cancelled with load=paced; with load=flat-out all are"),
      Parameter(
        "load", .choice(["paced", "flat-out"]), default: .text("paced"),
        "paced: `rate` operations a second; flat-out: timers are cancelled and armed anew as fast as it goes"),
      Parameter(
        "rate", unit: "operations/s", .number(1...10_000_000), default: .number(20_000),
        "operations of all slots together with load=paced"),
    ],
    variants: [
      Variant(
        name: "callback",
        meaning: "no unit per timer: the callback of a timer that fires, or the canceller, arms the slot's next timer")
    ],
    rules: TimerStorm.Rule.allCases.map { ($0.rawValue, $0.meaning) },
    rulesOfShares: [TimerStorm.Rule.pacer.rawValue, TimerStorm.Rule.lateness.rawValue],
    cases: [
      Case(
        name: "timer-storm/paced", changes: [:], presets: [.quick, .standard, .full],
        headlines: ["latency", "cpuPerOperation"]),
      Case(
        name: "timer-storm/flat-out", changes: ["load": .text("flat-out")], presets: [.standard, .full],
        headlines: ["throughput", "cpuPerOperation"]),
    ] + sweeps,
    checks: [
      Check(
        name: "timer-storm/check-paced",
        purpose: "as many timers fire as are cancelled, many at the same moment: each ends once, by one of the two",
        changes: ["outstanding": .integer(1_000), "cancelShare": .number(0.5), "rate": .number(10_000)],
        operations: 50, isGated: false),
      Check(
        name: "timer-storm/check-gated",
        purpose: "no timer ends before all slots have theirs: slots served one after another never get there",
        changes: ["outstanding": .integer(500), "cancelShare": .number(0.8), "rate": .number(5_000)],
        operations: 20, isGated: true),
      Check(
        name: "timer-storm/check-flat-out",
        purpose:
          "cancel and arm at once, over and over: a cancelled timer's slot that is not woken stops the canceller",
        changes: ["outstanding": .integer(300), "load": .text("flat-out")],
        operations: 600, isGated: false),  // more than each slot's first timer
    ],
    judge: { TimerStorm.judge($0) }
  )

  private static let sweeps: [Case] = ["paced", "flat-out"].flatMap { load in
    [(1_000, "1k"), (100_000, "100k"), (1_000_000, "1M")].map { outstanding, label in
      Case(
        name: "timer-storm/\(load)-\(label)",
        changes: ["load": .text(load), "outstanding": .integer(outstanding)], presets: [.full],
        headlines: [load == "paced" ? "latency" : "throughput", "cpuPerOperation"])
    }
  }
}

/// The contract of timer-storm: parameters, schedule, rules.
public enum TimerStorm {
  /// timer-storm's parameters, checked and typed.
  public struct Parameters: Sendable, Hashable {
    public enum Load: Sendable, Hashable {
      /// Operations a second of all slots together, and the share of them that end by a cancel.
      case paced(rate: Double, cancelShare: Double)
      case flatOut
    }
    public let outstanding: Int
    public let load: Load

    /// - Parameter changes: values by name; what is missing takes its default.
    /// - Throws: ``ParameterError`` for an unknown name or a value out of range.
    public init(_ changes: [String: ParameterValue]) throws(ParameterError) {
      let values = try TypedValues(.timerStorm, changes)
      outstanding = values.integer("outstanding")
      load =
        values.text("load") == "paced"
        ? .paced(rate: values.number("rate"), cancelShare: values.number("cancelShare")) : .flatOut
    }
  }

  /// With load=flat-out: how many timers a canceller cancels before it waits for their slots to have armed the next.
  public static let batch = 64
  /// With load=paced: how often the pacer wakes to make the cancels that are due.
  public static let tickNanoseconds: UInt64 = 1_000_000

  /// What a timer adds to `armedChecksum` when it is armed and to `endedChecksum` when it ends.
  @inlinable
  public static func token(slot: Int, round: Int) -> UInt64 {
    SplitMix64.mix(UInt64(truncatingIfNeeded: slot) << 32 &+ UInt64(truncatingIfNeeded: round))
  }
}
