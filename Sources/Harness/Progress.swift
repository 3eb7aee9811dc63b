// Where a run is, in one line: what runs now, done / total, time left.

import ResultFormat

/// Pure: told what happens and when, it says what to show.
public struct Progress: Sendable {
  private var plan: Plan
  /// Seconds that each planned trial takes by the plan, by number; none for what was finished before.
  private var seconds: [Int: Double] = [:]
  private var done = 0
  /// Planned seconds of what is done, and those that they took.
  private var secondsDone = 0.0
  private var startedAt: Double?
  private var current: PlannedTrial?

  /// - Parameters:
  ///   - skipped: numbers of the trials that take no time.
  ///   - finished: numbers of those that were finished before.
  public init(_ plan: Plan, skipping skipped: Set<Int> = [], finished: Set<Int> = []) {
    self.plan = plan
    done = finished.count
    expect(plan.trials, skipping: skipped.union(finished))
  }

  /// The plan has grown.
  public mutating func extend(_ plan: Plan, skipping skipped: Set<Int> = []) {
    let added = plan.trials.dropFirst(self.plan.trials.count)
    self.plan = plan
    expect(added, skipping: skipped)
  }

  private mutating func expect(_ trials: some Sequence<PlannedTrial>, skipping skipped: Set<Int>) {
    for trial in trials { seconds[trial.number] = skipped.contains(trial.number) ? 0 : plan.expectedSeconds(of: trial) }
  }

  /// - Parameter now: seconds of any clock.
  public mutating func start(_ trial: PlannedTrial, at now: Double) {
    current = trial
    if startedAt == nil { startedAt = now }
  }

  public mutating func finish() {
    done += 1
    secondsDone += current.flatMap { seconds[$0.number] } ?? 0
    current = nil
  }

  /// What runs now.
  public func line(at now: Double) -> String {
    let what = current.map { "\($0.case) · \(Self.label($0.model, $0.variant)) · round \($0.round)/\(plan.rounds)" }
    return "\(done)/\(plan.trials.count) · \(what ?? "done") · \(left(at: now)) left"
  }

  /// What has just been finished.
  public func line(_ trial: Trial, at now: Double) -> String {
    var line = "\(done)/\(plan.trials.count) · \(trial.case) · \(Self.label(trial.model, trial.variant)) · "
    line += "round \(trial.round)/\(plan.rounds) · \(trial.state.rawValue)"
    if let figures = trial.figures { line += " · \(Int(figures.operationsPerSecond.rounded())) operations/s" }
    return line + " · \(left(at: now)) left"
  }

  /// As the plan says until something was measured, then at the pace that was measured.
  private func left(at now: Double) -> String {
    let left = max(0, seconds.values.reduce(0, +) - secondsDone)
    guard secondsDone > 0, let startedAt else { return Self.words(left) }
    return Self.words((now - startedAt) / secondsDone * left)
  }

  /// `40 s`, `3 min 10 s`, `1 h 5 min`.
  public static func words(_ seconds: Double) -> String {
    let whole = Int(max(0, seconds).rounded())
    if whole < 60 { return "\(whole) s" }
    if whole < 3600 { return whole % 60 == 0 ? "\(whole / 60) min" : "\(whole / 60) min \(whole % 60) s" }
    return "\(whole / 3600) h \(whole % 3600 / 60) min"
  }

  public static func label(_ model: String, _ variant: String?) -> String { variant.map { "\(model):\($0)" } ?? model }
}
