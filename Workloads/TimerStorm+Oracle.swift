// timer-storm's oracle: every timer that was armed ended exactly once, none of them before its time.

extension TimerStorm {
  /// The rules, in the order in which they are reported.
  public enum Rule: String, Sendable, CaseIterable {
    case accounted
    case checksum
    case early
    case afterCancel = "after-cancel"
    case outstanding
    case pacer
    case lateness
    case units
    case window
    case balance

    public var meaning: String {
      switch self {
      case .accounted:
        "timers armed = fired + cancelled + left when the work was stopped, at most one left in each slot"
      case .checksum: "the timers that ended are the timers that were armed, each once"
      case .early: "no timer fires before its deadline"
      case .afterCancel: "no timer fires after a cancel has claimed it"
      case .outstanding:
        "every slot has armed its first timer before the first cancel; gated: none of them ends by itself"
      case .pacer: "cancels tried = cancelled + missed; most find their timer, and timers fire in their share"
      case .lateness: "paced: one sample for each timer that fires in the window; flat-out: none"
      case .units: "units started = units finished = outstanding; none in the variant callback"
      case .window: "the window holds at least one operation, and no more than the trial"
      case .balance: "the model's ledger has every count"
      }
    }
  }

  /// Names of the counts in the model's ledger.
  public enum ModelCount: String, Sendable, CaseIterable {
    /// Units that wait on slots; pacers and cancellers are not counted.
    case unitsStarted, unitsFinished
    /// Slots that had armed their first timer when the first cancel was tried; without any, when the work was stopped.
    case slotsArmedAtStart
    /// Counted by whoever arms; by the unit that goes on because of its deadline; by whoever cancels, when the timer
    /// was still armed; by whoever stops the work, when the timer was still armed.
    case timersArmed, timersFired, timersCancelled, timersLeft
    /// Timers that fired before their deadline, and timers that fired although a cancel had claimed them.
    case firedEarly, firedAfterCancel
    /// Cancels of the pacer or of the cancellers: all, and those whose timer had ended before.
    case cancelsTried, cancelsMissed
    /// Sums of ``TimerStorm/token(slot:round:)`` modulo 2^64: over the timers armed, added by whoever arms, and over
    /// the timers that fired, were cancelled or left, added by whoever goes on when the timer has ended.
    case armedChecksum, endedChecksum
  }

  static func judge(_ evidence: Evidence) -> [Finding] {
    var judgement = Judgement<Rule, ModelCount>(evidence)
    guard let parameters = try? Parameters(evidence.parameters) else {
      return [Finding(Rule.balance.rawValue, "the trial's parameters are not timer-storm's")]
    }
    let sums: Set = [ModelCount.armedChecksum.rawValue, ModelCount.endedChecksum.rawValue]
    guard judgement.hasAllCounts(.balance, signed: sums) else { return judgement.findings }
    let fired = judgement.count(.timersFired)
    let cancelled = judgement.count(.timersCancelled)
    let left = judgement.count(.timersLeft)
    judgement.expect(.accounted, .timersArmed, fired &+ cancelled &+ left)
    if left > parameters.outstanding {
      judgement.report(.accounted, "\(left) timers left, of \(parameters.outstanding) slots")
    }
    judgement.expect(
      .checksum, checksum: .endedChecksum, UInt64(bitPattern: Int64(judgement.count(.armedChecksum))))
    judgement.expect(.early, .firedEarly, 0)
    judgement.expect(.afterCancel, .firedAfterCancel, 0)
    judgeOutstanding(parameters, &judgement)
    judgeCancels(parameters, &judgement)
    judgeSamples(parameters, &judgement)
    let units = evidence.variant == "callback" ? 0 : parameters.outstanding
    judgement.expect(.units, .unitsStarted, units)
    judgement.expect(.units, .unitsFinished, units)
    judgement.expectOperations(.window, atMost: fired &+ cancelled)
    return judgement.findings
  }

  private static func judgeOutstanding(_ parameters: Parameters, _ judgement: inout Judgement<Rule, ModelCount>) {
    let armed = judgement.count(.slotsArmedAtStart)
    if armed != parameters.outstanding {
      judgement.report(
        .outstanding,
        "\(armed) slots had a timer when the first was cancelled, expected \(parameters.outstanding)"
          + (judgement.evidence.isGated ? "; the slots do not wait side by side" : ""))
    }
  }

  /// Chance decides how many cancels miss and how many timers fire, and a machine that stalls shifts both: so the
  /// bounds are wide, and hold only where there is enough to count; not in a gated check, where few timers fire at first.
  private static func judgeCancels(_ parameters: Parameters, _ judgement: inout Judgement<Rule, ModelCount>) {
    let tried = judgement.count(.cancelsTried)
    let cancelled = judgement.count(.timersCancelled)
    judgement.expect(.pacer, .cancelsTried, cancelled &+ judgement.count(.cancelsMissed))
    if tried >= 400, cancelled < tried / 4 {
      judgement.report(.pacer, "\(cancelled) of \(tried) cancels found a timer, expected at least a quarter")
    }
    guard case .paced(_, let cancelShare) = parameters.load, cancelShare > 0, !judgement.evidence.isGated else {
      return
    }
    let expected = Double(cancelled) * (1 - cancelShare) / cancelShare
    let fired = Double(judgement.count(.timersFired))
    if expected >= 100, fired < expected / 4 {
      judgement.report(
        .pacer, "\(Int(fired)) timers fired besides \(cancelled) cancelled, expected about \(Int(min(expected, 1e15)))")
    }
  }

  private static func judgeSamples(_ parameters: Parameters, _ judgement: inout Judgement<Rule, ModelCount>) {
    guard let operations = judgement.evidence.operations else { return }  // `window` says so
    let samples = judgement.evidence.samples["all"] ?? 0
    guard case .paced(_, let cancelShare) = parameters.load else {
      if samples > 0 { judgement.report(.lateness, "recorded \(samples) samples, expected 0 with load=flat-out") }
      return
    }
    let fired = judgement.count(.timersFired)
    if samples > fired { judgement.report(.lateness, "recorded \(samples) samples, but only \(fired) timers fired") }
    let expected = judgement.evidence.isGated ? 0 : Double(operations) * (1 - cancelShare)
    if expected >= 100, Double(samples) < expected / 4 {
      judgement.report(
        .lateness, "recorded \(samples) samples in \(operations) operations, expected about \(Int(expected))")
    }
  }
}
