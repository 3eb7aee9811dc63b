// What the probed rounds counted: system calls per operation by type, instructions and cycles. A table of its own, since
// no figure of a probed trial is one of speed, and beside it what the probes cost.

import ResultFormat
import Statistics

/// The counts of one case.
struct ProbeSummary: Sendable {
  /// Those of one row: medians over the probed rounds that were ok, each per operation.
  struct Row: Sendable, Encodable {
    /// Rounds behind them.
    var rounds: Int
    /// By name; a call that a round did not see counts as 0 there.
    var systemCalls: [String: Double]?
    var systemCallsTotal: Double?
    var instructions: Double?
    var cycles: Double?
    /// CPU time per operation in the probed trials over that in the timed ones that they repeat.
    var cpuRatio: Double?
  }

  /// Those of the case's summary, in its order; nil where nothing was counted.
  let rows: [Row?]
  private let names: [String]
  private let noun: String

  /// How many types of call have a column of their own.
  private static let columns = 8

  /// Nil where the run has no counts of this case.
  init?(_ summary: CaseSummary, of run: Run) {
    rows = summary.rows.map { row in
      Row(run.probedTrials(of: row.model, on: summary.planned.name), timed: row.trials)
    }
    guard rows.contains(where: { $0 != nil }) else { return nil }
    names = summary.rows.map(\.name)
    noun = summary.noun
  }

  // MARK: - Table

  var table: Table {
    let counted = rows.compactMap { $0 }
    let calls = shownCalls
    let unit = "/\(noun)"
    var columns = [Table.Column(title: "model", isNumeric: false)]
    columns.append(Table.Column(title: "all calls", unit: unit))
    columns += calls.map { Table.Column(title: oneLine($0), unit: unit) }
    columns.append(Table.Column(title: "others", unit: unit))
    let hasInstructions = counted.contains { $0.instructions != nil }
    let hasCycles = counted.contains { $0.cycles != nil }
    if hasInstructions { columns.append(Table.Column(title: "instructions", unit: unit)) }
    if hasCycles { columns.append(Table.Column(title: "cycles", unit: unit)) }
    let cells = zip(names, rows).map { name, row -> [Cell] in
      let own = calls.map { call in row?.systemCalls.map { $0[call] ?? 0 } }
      let others = row?.systemCalls.map { all in
        all.reduce(0) { $0 + (calls.contains($1.key) ? 0 : $1.value) }
      }
      var values = [row?.systemCallsTotal] + own + [others]
      if hasInstructions { values.append(row?.instructions) }
      if hasCycles { values.append(row?.cycles) }
      return [Cell(text: oneLine(name))] + values.map { $0.map { Cell(text: significant($0)) } ?? Cell.none }
    }
    let counts = counted.map(\.rounds)
    let n = Table.roundCount(counts.min() ?? 0, counts.max() ?? 0)
    return Table(
      caption: "System calls of the model, counted in rounds of their own · medians, n = \(n) · no intervals, no test",
      columns: columns, rows: cells)
  }

  /// The most frequent types, by the row that makes most of them; ties by name, so that reports repeat.
  private var shownCalls: [String] {
    var most: [String: Double] = [:]
    for row in rows.compactMap({ $0 }) {
      for (name, count) in row.systemCalls ?? [:] { most[name] = max(most[name] ?? 0, count) }
    }
    let order = most.sorted { $0.value != $1.value ? $0.value > $1.value : $0.key < $1.key }
    return order.prefix(Self.columns).filter { $0.value >= 0.0005 }.map(\.key)
  }

  /// What counting cost in this case, as far as it shows.
  var notes: [String] {
    let ratios = zip(names, rows).compactMap { name, row in
      row?.cpuRatio.map { "\(name) \(significant($0))" }
    }
    guard !ratios.isEmpty else { return [] }
    return [
      "CPU/\(noun) in the probed trials over that in the same trials when they were timed: \(ratios.joined(separator: ", "))."
    ]
  }

  // MARK: - The run

  /// What the probes cost, and which could not be used.
  static func sentences(_ run: Run) -> [String] {
    guard let rounds = run.plan.probeRounds, let probes = run.probes else { return [] }
    var sentences: [String] = []
    if !probes.trials.isEmpty {
      sentences.append(
        "System calls were counted in \(counted(rounds, "round")) of their own, after all timed ones; no other figure comes "
          + "from these.")
    }
    for probe in probes.probes {
      if let reason = probe.unavailable {
        sentences.append("Not counted: \(words(probe.name)): \(oneLine(reason)).")
      } else if let own = probe.nanosecondsPerCall, let elsewhere = probe.nanosecondsPerCallElsewhere {
        sentences.append(
          "Counting costs the model \(significant(own)) ns a system call, and every other process \(significant(elsewhere)) ns."
        )
      }
      if probe.excludesKernel == true {
        sentences.append("Of \(words(probe.name)) only those outside the kernel could be counted.")
      }
    }
    return sentences
  }

  private static func words(_ name: ProbeState.Name) -> String {
    switch name {
    case .systemCalls: "system calls"
    case .instructions: "instructions"
    case .cycles: "cycles"
    }
  }
}

extension Run {
  /// In the order of the plan; empty where nothing was probed.
  func probedTrials(of model: PlannedModel, on name: String) -> [ProbedTrial] {
    guard let probes else { return [] }
    let probed = Dictionary(probes.trials.map { ($0.number, $0) }, uniquingKeysWith: { first, _ in first })
    return plan.trials
      .filter { $0.case == name && $0.model == model.name && $0.variant == model.variant }
      .compactMap { probed[$0.number] }
  }
}

extension ProbeCounts {
  /// Of all types; nil where they were not counted.
  var totalSystemCalls: Double? { systemCalls.map { $0.values.reduce(0, +) } }
}

extension ProbeSummary.Row {
  /// - Parameter timed: the row's trials when they were timed.
  fileprivate init?(_ probed: [ProbedTrial], timed: [Trial]) {
    let counts = probed.compactMap(\.counts)
    guard !counts.isEmpty else { return nil }
    rounds = counts.count
    let calls = counts.compactMap(\.systemCalls)
    if !calls.isEmpty {
      var medians: [String: Double] = [:]
      for name in Set(calls.flatMap(\.keys)) { medians[name] = median(calls.map { $0[name] ?? 0 }) }
      systemCalls = medians
      systemCallsTotal = median(counts.compactMap(\.totalSystemCalls))
    }
    instructions = median(counts.compactMap(\.instructions))
    cycles = median(counts.compactMap(\.cycles))
    let costs = Dictionary(
      timed.compactMap { trial in trial.figures?.cpu.map { (trial.number, $0.nanosecondsPerOperation) } },
      uniquingKeysWith: { first, _ in first })
    cpuRatio = median(
      probed.compactMap { trial in
        guard let under = trial.counts?.cpuNanoseconds, let plain = costs[trial.number], plain > 0 else { return nil }
        return under / plain
      })
  }
}
