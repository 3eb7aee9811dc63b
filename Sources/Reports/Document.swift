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
  /// Who leads where, before all cases; nil where nothing is claimed.
  var overview: Section?
  var sections: [Section]
  var legend: [String]
  /// (what, value) of the host and the build.
  var environment: [(String, String)]
  var hostWarnings: [String]
}

extension Document {
  /// - Parameter calibration: of the run's host, if there is one.
  init(_ run: Run, calibration: HostResolution? = nil) {
    let plan = run.plan
    let summaries = plan.cases.map { CaseSummary($0, of: run, calibration: calibration) }
    let families = WorkloadClaims.all(of: run, summaries)
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
    notices =
      [Self.notice(plan)] + [Self.claimSummary(run, families)].compactMap { $0 } + Self.history(run)
      + ProbeSummary.sentences(run)
    let failed = run.trials.count { $0.state != .ok && $0.state != .unsupported }
    if failed > 0 {
      notices.append(
        "\(counted(failed, "trial")) did not end well and gave no number: the reasons stand below each table.")
    }
    overview = Section(leadersOf: families, among: plan.models)
    let marginals = MarginalMemory.all(of: run)
    sections = []
    for (index, summary) in summaries.enumerated() {
      var section = Section(summary, of: run)
      if let probes = ProbeSummary(summary, of: run) {
        section.tables.append(probes.table)
        section.notes += probes.notes
      }
      sections.append(section)
      let workload = summary.planned.workload
      guard summaries.lastIndex(where: { $0.planned.workload == workload }) == index else { continue }
      sections += marginals.filter { $0.workload == workload }.map { Section($0, plan: plan) }
      sections += families.filter { $0.workload == workload }.map { Section($0) }
    }
    // Once is enough: the rows are the same models in every case.
    for index in sections.indices.dropFirst() { sections[index].idioms = [] }
    let isCalibrated = summaries.contains { !$0.resolution.calibrated.isEmpty }
    legend = Self.legend(summaries, claims: families, isCalibrated ? calibration : nil)
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
      return "\(rounds). A difference counts as one only where a test says so: • and spreads are none."
    }
    return "Indicative: \(rounds) claim nothing. Differences within the spreads are noise, others may be."
  }

  /// Only what the tables use.
  private static func legend(
    _ summaries: [CaseSummary], claims: [WorkloadClaims], _ calibration: HostResolution?
  ) -> [String] {
    let figures = summaries.flatMap(\.rows).flatMap { $0.metrics.values }
    var legend = ["Values are medians over the rounds that were ok; n: how many those are."]
    let range = "how far the lowest round and the highest lie from it"
    let interval = "how far the ends of its 95 % interval lie from it (BCa bootstrap of the median)"
    let spread = figures.filter { $0.range != nil }
    if spread.contains(where: \.hasInterval) {
      let few = spread.allSatisfy(\.hasInterval) ? "" : "; below \(Spread.roundsForInterval) rounds \(range)"
      legend.append("± or −/+ after a median: \(interval)\(few).")
    } else if !spread.isEmpty {
      legend.append("± or −/+ after a median: \(range).")
    }
    if summaries.contains(where: { !$0.resolution.own.isEmpty }) { legend += resolutions(claims, calibration) }
    legend += Self.claims(claims)
    if figures.contains(where: \.isBest) {
      legend.append(
        "• best median of its column, among rows without failures that follow the contract, where every trial carries a "
          + "claim: no test was made.")
    }
    if figures.contains(where: { $0.standing == .lowerBound }) {
      legend.append("≥ lower bound, in at least half of the trials.")
    }
    if figures.contains(where: { $0.standing == .noClaim }) {
      legend.append(
        "~ carries no claim: closed-loop latency, a percentile below the rig's own lateness, or what a note says of at "
          + "least half of its trials.")
    }
    if summaries.contains(where: { summary in summary.rows.contains { $0.metrics["latency.added.p50"] != nil } }) {
      legend.append("added: latency that the model alone is answerable for, the backend's service time excluded.")
    }
    if summaries.contains(where: { summary in summary.rows.contains { $0.metrics["rigBusyPerOperation"] != nil } }) {
      legend.append("rig busy: how long the rig's loop was at work, by the wall clock, for each operation.")
    }
    if summaries.contains(where: { summary in summary.rows.contains { $0.metrics["switchesPerOperation"] != nil } }) {
      legend.append("switches: of threads, by the kernel; voluntary and involuntary together.")
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

  static func facts(_ environment: RunEnvironment, _ plan: Plan) -> [(String, String)] {
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
  init(_ summary: CaseSummary, of run: Run) {
    let plan = run.plan
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
    notes = summary.notes(headlines: plan.headlines(of: planned.name))
  }
}
