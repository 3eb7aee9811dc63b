// What a report says, in order, before any layout: the renderers for people only differ in how they show it.

import ResultFormat
import Statistics
import Workloads

struct Document: Sendable {
  struct Section: Sendable {
    var name: String
    var question: String
    /// What was set, for how many workers, how many rounds.
    var setting: [String]
    var tables: [Table]
    /// (row, its idiom); empty in all sections but the first.
    var idioms: [(String, String)]
    var failures: [String]
    var notes: [String]
  }
  var title: String
  /// What nobody may overlook, before everything else.
  var alarms: [String]
  /// What kind of run this is, in sentences.
  var notices: [String]
  var sections: [Section]
  var legend: [String]
  /// (what, value) of the host and the build.
  var environment: [(String, String)]
  var hostWarnings: [String]
}

extension Document {
  init(_ run: Run) {
    let plan = run.plan
    let summaries = plan.cases.map { CaseSummary($0, of: run) }
    title =
      "Switchyard: \(plan.preset) run of \(run.environment.startedAt.prefix(10))"
      + (plan.claims ? "" : " (indicative)")
    alarms = []
    if run.environment.build != "release" {
      alarms.append(
        "\(run.environment.build.uppercased()) BUILD: these figures mean nothing. Build with -c release and run again.")
    }
    if !run.isComplete {
      let isProbeMissing = run.trials.count == plan.trials.count && plan.probeRounds != nil
      alarms.append(
        isProbeMissing
          ? "INTERRUPTED: all trials were run, but those that count system calls."
          : "INTERRUPTED: \(grouped(run.trials.count)) of \(grouped(plan.trials.count)) trials were run.")
    }
    notices = [Self.notice(plan)] + Self.history(run) + ProbeSummary.sentences(run)
    let failed = run.trials.count { $0.state != .ok && $0.state != .unsupported }
    if failed > 0 {
      notices.append(
        "\(counted(failed, "trial")) did not end well and gave no number: the reasons stand below each table.")
    }
    sections = summaries.map { Section($0, plan: plan) }
    for (index, summary) in summaries.enumerated() {
      guard let probes = ProbeSummary(summary, of: run) else { continue }
      sections[index].tables.append(probes.table)
      sections[index].notes += probes.notes
    }
    // Once is enough: the rows are the same models in every case.
    for index in sections.indices.dropFirst() { sections[index].idioms = [] }
    for marginal in MarginalMemory.all(of: run) {
      let last = summaries.lastIndex { $0.planned.workload == marginal.workload } ?? summaries.count - 1
      let added = sections.count - summaries.count
      sections.insert(Section(marginal, plan: plan), at: last + added + 1)
    }
    legend = Self.legend(summaries)
    environment = Self.facts(run.environment, plan)
    hostWarnings = run.environment.warnings.map(oneLine)
  }

  private static func notice(_ plan: Plan) -> String {
    let windows = plan.cases.map(plan.windowSeconds(of:))
    let shortest = trimmed(windows.min() ?? 0)
    let longest = trimmed(windows.max() ?? 0)
    let length = shortest == longest ? longest : "\(shortest) to \(longest)"
    let rounds = "\(counted(plan.rounds, "round")) of \(length) s per model and case"
    if plan.claims {
      return "\(rounds). A difference counts as one only where a test says so; marks and spreads are no test."
    }
    return "Indicative: \(rounds) claim nothing. Differences within the spreads are noise, others may be."
  }

  /// Only what the tables use.
  private static func legend(_ summaries: [CaseSummary]) -> [String] {
    let figures = summaries.flatMap(\.rows).flatMap { $0.metrics.values }
    var legend = ["Values are medians over the rounds that were ok."]
    let reaches = Set(figures.filter { $0.spread.relativeReach != nil }.map(\.spread.hasInterval))
    let range = "half of the range from the lowest round to the highest"
    let interval = "half of the 95 % interval (Student's t on logarithms)"
    if reaches == [true] { legend.append("±: \(interval).") }
    if reaches == [false] { legend.append("±: \(range).") }
    if reaches.count == 2 {
      legend.append("±: \(interval); below \(Spread.roundsForInterval) rounds, or where a round is 0, \(range).")
    }
    if figures.contains(where: \.isBest) {
      legend.append("◆ best median of its column, among rows without failures that follow the contract.")
    }
    if figures.contains(where: { $0.standing == .lowerBound }) { legend.append("≥ lower bound.") }
    if figures.contains(where: { $0.standing == .noClaim }) {
      legend.append(
        "~ carries no claim: closed-loop latency, a percentile below the rig's own lateness, or what a note says.")
    }
    if summaries.contains(where: { summary in summary.rows.contains { $0.metrics["latency.added.p50"] != nil } }) {
      legend.append("added: latency that the model alone is answerable for, the backend's service time excluded.")
    }
    if summaries.contains(where: { summary in summary.rows.contains { $0.metrics["threadsSampled"] != nil } }) {
      legend.append(
        "PSS after the window, above idle: less that before the load; kernel: page tables and thread stacks; "
          + "threads: the most that a sampler saw.")
    }
    if summaries.contains(where: { summary in summary.rows.contains { $0.metrics["kernelGrowth"] != nil } }) {
      legend.append(
        "kernel grown: stacks, page tables and slab of the whole host at the window's end, less those before the work.")
    }
    if summaries.contains(where: { $0.planned.workload == "timer-storm" && $0.drive == .paced }) {
      legend.append("timer-storm's latency is lateness: the moment at which a timer fires, less its deadline.")
    }
    return legend
  }

  private static func facts(_ environment: RunEnvironment, _ plan: Plan) -> [(String, String)] {
    let memory = Unit.bytes.scale(for: [Double(environment.memoryBytes)])
    let facts: [(String, String?)] = [
      ("processor", "\(environment.processor), \(counted(environment.processors, "processor")) online"),
      ("memory", "\(trimmed(Double(environment.memoryBytes) / memory.size)) \(memory.symbol)"),
      ("system", "\(environment.operatingSystem), kernel \(environment.kernel), \(environment.architecture)"),
      ("virtualization", environment.virtualization), ("clock source", environment.clockSource),
      ("load average", environment.loadAverage.map { "\(trimmed($0)) before the first trial" }),
      ("compiler", environment.compiler), ("build", environment.build),
      ("revision", environment.revision ?? "unknown"), ("started", environment.startedAt),
      ("seed", "\(plan.seed)"),
    ]
    return facts.compactMap { name, value in value.map { (name, oneLine($0)) } }
  }
}

extension Document.Section {
  init(_ summary: CaseSummary, plan: Plan) {
    let planned = summary.planned
    name = planned.name
    question = summary.workload?.question ?? "A workload that this version does not know: \(planned.workload)."
    setting = ["for \(counted(planned.workers, "worker"))", counted(plan.rounds, "round")]
    setting.append(
      summary.changes.isEmpty ? "all parameters at their defaults" : summary.changes.joined(separator: ", "))
    let load = summary.drive.words + (summary.offered.map { ", \($0) offered" } ?? "")
    tables = [
      Table(summary, .speed, caption: "Speed and cost, \(load)"), Table(summary, .memory, caption: "Memory and system"),
    ].compactMap { $0 }
    idioms = summary.rows.map { row in
      let facts = [row.model.isGuest ? "guest" : nil, row.model.allocator].compactMap { $0 }
      return (row.name, oneLine(row.model.idiom + (facts.isEmpty ? "" : " (\(facts.joined(separator: ", ")))")))
    }
    failures = summary.failures
    notes = summary.warnings + [summary.rigLateness, summary.hostNoise].compactMap { $0 }
  }
}

extension Spread {
  var hasInterval: Bool { (try? interval.get()) != nil }

  /// What stands after ±: half of the interval where there is one, else half of the range; relative to the median.
  /// Nil for a single round.
  var relativeReach: Double? {
    guard count > 1 else { return nil }
    guard let interval = try? interval.get(), median != 0 else { return relativeHalfRange }
    return (interval.high - interval.low) / 2 / abs(median)
  }
}
