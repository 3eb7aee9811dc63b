// What two runs differ in besides their figures. Some of it makes a comparison meaningless: then the two did not do the
// same work, or did not measure it in the same way. The rest leaves a comparison with more than one possible cause, and
// is said before every table.

import ResultFormat
import Workloads

/// Something that the two runs do not have in common.
struct Difference: Sendable, Hashable, Encodable, CustomStringConvertible {
  let what: String
  let base: String
  let head: String

  var description: String { "\(what): \(base) in BASE, \(head) in HEAD" }

  init?(_ what: String, _ base: String?, _ head: String?) {
    let (base, head) = (base ?? "none", head ?? "none")
    guard base != head else { return nil }
    self.what = oneLine(what)
    self.base = oneLine(base)
    self.head = oneLine(head)
  }

  private init(what: String, base: String, head: String) {
    self.what = what
    self.base = base
    self.head = head
  }

  // MARK: - Meaningless

  /// What no comparison of the figures can make up for.
  static func obstacles(_ base: Comparison.Side, _ head: Comparison.Side) -> [Difference] {
    var found = [
      Difference("schema version", "\(base.run.schemaVersion)", "\(head.run.schemaVersion)"),
      Difference("method", method(of: base.run), method(of: head.run)),
      Difference(
        "warm-up", "\(trimmed(base.run.plan.warmUpSeconds)) s", "\(trimmed(head.run.plan.warmUpSeconds)) s"),
    ].compactMap { $0 }
    if base.run == head.run {
      let start = "the one of \(base.run.environment.startedAt)"
      found.append(Difference(what: "a copy of one run", base: start, head: "\(start) again"))
    }
    for planned in head.run.plan.cases {
      guard let other = base.run.plan.cases.first(where: { $0.name == planned.name }) else { continue }
      found += obstacles(other, planned, windows: (base.run.plan, head.run.plan))
    }
    return found
  }

  /// Of runs that do not say, only those of one revision are known to have been measured alike.
  private static func method(of run: Run) -> String {
    run.methodVersion.map { "version \($0)" } ?? "that of revision \(run.environment.revision ?? "unknown")"
  }

  private static func obstacles(_ base: PlannedCase, _ head: PlannedCase, windows: (base: Plan, head: Plan))
    -> [Difference]
  {
    // Of another workload every parameter is another.
    if let other = Difference("workload of \(head.name)", base.workload, head.workload) { return [other] }
    let parameters = (base: canonical(base), head: canonical(head))
    let names = Set(parameters.base.keys).union(parameters.head.keys).sorted()
    let differences: [Difference?] =
      [
        Difference(
          "window of \(head.name)", "\(trimmed(windows.base.windowSeconds(of: base))) s",
          "\(trimmed(windows.head.windowSeconds(of: head))) s"),
        Difference("workers of \(head.name)", "\(base.workers)", "\(head.workers)"),
      ]
      + names.map { name in
        Difference(
          "\(name) of \(head.name)", parameters.base[name]?.description, parameters.head[name]?.description)
      }
    return differences.compactMap { $0 }
  }

  /// The parameters in the contract's own form: JSON does not tell 2000 from 2000.0.
  private static func canonical(_ planned: PlannedCase) -> [String: ParameterValue] {
    guard let workload = try? Workload.named(planned.workload) else { return planned.parameters }
    return Dictionary(
      uniqueKeysWithValues: planned.parameters.map { name, value in
        (name, (try? workload.parameter(name).validate(value)) ?? value)
      })
  }

  // MARK: - More than one cause

  /// More than this share of difference in the calibrated CPU work is more than its readings scatter by.
  private static let toleratedSpeed = 0.01

  /// What bears on the figures besides the programs, and what the programs were built from.
  static func unlike(_ base: Comparison.Side, _ head: Comparison.Side) -> [Difference] {
    let (b, h) = (base.run.environment, head.run.environment)
    var found = b.differences(to: h).map { Difference(what: $0.name, base: oneLine($0.then), head: oneLine($0.now)) }
    if let speed = b.iterationsPerMillisecond, let other = h.iterationsPerMillisecond,
      Double(abs(speed - other)) > toleratedSpeed * Double(max(speed, other))
    {
      found.append(
        Difference(
          what: "iterations in a millisecond of CPU work", base: grouped(speed), head: grouped(other)))
    }
    for planned in head.run.plan.cases {
      guard let other = base.run.plan.cases.first(where: { $0.name == planned.name }) else { continue }
      found += [
        Difference("the rig's processors on \(planned.name)", list(other.rigProcessors), list(planned.rigProcessors)),
        Difference(
          "the model's processors on \(planned.name)", list(other.modelProcessors), list(planned.modelProcessors)),
      ].compactMap { $0 }
    }
    for model in head.run.plan.models {
      guard
        let other = base.run.plan.models.first(where: { $0.name == model.name && $0.variant == model.variant })
      else { continue }
      let name = model.variant.map { "\(model.name) (\($0))" } ?? model.name
      found += [
        Difference("the allocator of \(name)", other.allocator, model.allocator),
        Difference("the origin of \(name)", origin(other), origin(model)),
      ].compactMap { $0 }
    }
    return found
  }

  private static func list(_ processors: [Int]) -> String {
    processors.isEmpty ? "any" : processors.map(String.init).joined(separator: ", ")
  }

  private static func origin(_ model: PlannedModel) -> String { model.isGuest ? "a guest" : "this package" }
}

extension Comparison {
  /// What nobody may overlook.
  var alarms: [String] {
    var alarms: [String] = []
    for difference in obstacles { alarms.append("NOT THE SAME MEASUREMENT, compared anyway: \(difference).") }
    for side in [base, head] {
      let run = side.run
      if run.environment.build != "release" {
        alarms.append(
          "\(side.name) IS A \(run.environment.build.uppercased()) BUILD: its figures mean nothing. Build with "
            + "-c release and run again.")
      }
      if !run.isComplete {
        alarms.append(
          "\(side.name) WAS INTERRUPTED: \(grouped(run.trials.count)) of \(grouped(run.plan.trials.count)) trials were "
            + "run.")
      }
      let busy = run.trials.count { $0.state == .ok && $0.warnings.contains(.hostBusy) }
      if busy > 0 {
        alarms.append(
          "\(side.name) WAS MEASURED ON A BUSY HOST: \(counted(busy, "trial")) of \(grouped(run.trials.count)) lost "
            + "time to others.")
      }
    }
    for difference in unlike { alarms.append("UNLIKE: \(difference).") }
    return alarms
  }
}
