// What a further unit takes: the slope of memory over cases that differ only in how many units there are. One case says
// little, since the runtime's own memory is in it; the slope leaves it out. It is a figure of the run: a slope for each
// round, and over the rounds an interval like any other figure's.

import ResultFormat
import Statistics
import Workloads

struct MarginalMemory: Sendable {
  /// Bytes a unit.
  struct Slope: Sendable {
    /// A round without figures at two counts has none.
    let byRound: [Int: Double]
    /// In the order of the rounds.
    let values: [Double]
    let median: Double
    let interval: Result<Interval, NoInterval>

    init?(_ byRound: [Int: Double]) {
      let values = byRound.sorted { $0.key < $1.key }.map(\.value)
      guard let middle = Statistics.median(values) else { return nil }
      self.byRound = byRound
      self.values = values
      median = middle
      interval = meanInterval(values)
    }
  }
  struct Row: Sendable {
    let model: PlannedModel
    /// What the process had grown by (PSS), and the kernel with it.
    let user: Slope?
    let kernel: Slope?
    let total: Slope?

    var name: String { model.variant.map { "\(model.name) (\($0))" } ?? model.name }
  }

  let workload: String
  /// What the cases have in common, as `liveState=1024`.
  let changes: [String]
  /// The cases that all rows reached, by units.
  let cases: [(name: String, units: Int)]
  let rows: [Row]
  /// The rows that are compared, and what a claim of the workload is corrected for.
  let pairs: [ClaimPair]
  let familySize: Int

  /// One for each family of cases whose headline is memory and that differ in `units` only; none where fewer than two
  /// counts were reached by all rows that reached any.
  static func all(of run: Run) -> [MarginalMemory] {
    var families: [(key: [String: ParameterValue], cases: [PlannedCase])] = []
    for planned in run.plan.cases where isOfMemory(planned, of: run.plan) && units(of: planned) != nil {
      var key = planned.parameters
      key["units"] = nil
      if let index = families.firstIndex(where: { $0.key == key && $0.cases[0].workload == planned.workload }) {
        families[index].cases.append(planned)
      } else {
        families.append((key, [planned]))
      }
    }
    return families.compactMap { MarginalMemory($0.cases, of: run) }
  }

  private static func isOfMemory(_ planned: PlannedCase, of plan: Plan) -> Bool {
    plan.families.contains { $0.case == planned.name && $0.metric == "aboveIdlePSS" }
  }

  private static func units(of planned: PlannedCase) -> Int? {
    guard case .integer(let units)? = planned.parameters["units"] else { return nil }
    return units
  }

  private init?(_ cases: [PlannedCase], of run: Run) {
    let names = Set(cases.map(\.name))
    let good = run.trials.filter { names.contains($0.case) && $0.state == .ok }
    let models = run.plan.models.filter { model in good.contains { model.isOf($0) } }
    let common = cases.filter { planned in
      models.allSatisfy { model in good.contains { $0.case == planned.name && model.isOf($0) } }
    }
    let counts = common.compactMap { planned in Self.units(of: planned).map { (name: planned.name, units: $0) } }
      .sorted { $0.units < $1.units }
    guard let first = common.first, Set(counts.map(\.units)).count >= 2 else { return nil }
    workload = first.workload
    changes = CaseSummary(first, of: run).changes.filter { !$0.hasPrefix("units=") }
    self.cases = counts
    pairs = run.plan.declaredPairs
    familySize = run.declaredClaims(of: first.workload).count
    rows = models.map { model in
      let own = good.filter { model.isOf($0) }
      func slope(_ bytes: (MemoryFigures) -> Int?) -> Slope? {
        var byRound: [Int: Double] = [:]
        for round in Set(own.map(\.round)) {
          byRound[round] = theilSenSlope(
            counts.flatMap { name, units in
              own.filter { $0.case == name && $0.round == round }.compactMap { trial in
                trial.figures?.memory.flatMap(bytes).map { (x: Double(units), y: Double($0)) }
              }
            })
        }
        return Slope(byRound)
      }
      return Row(
        model: model, user: slope(\.grownBytes), kernel: slope(\.kernelGrowthBytes),
        total: slope { memory in memory.grownBytes.flatMap { own in memory.kernelGrowthBytes.map { own + $0 } } })
    }
  }
}

extension PlannedModel {
  fileprivate func isOf(_ trial: Trial) -> Bool { trial.model == name && trial.variant == variant }
}

// MARK: - Showing it

extension Document.Section {
  init(_ marginal: MarginalMemory, plan: Plan) {
    name = "\(marginal.workload): marginal memory"
    question = "What does one more unit take, the runtime's own memory left out?"
    setting = [
      "slope over \(marginal.cases.map { grouped($0.units) }.joined(separator: ", ")) units",
      counted(plan.rounds, "round"),
    ]
    setting.append(
      marginal.changes.isEmpty ? "other parameters at their defaults" : marginal.changes.joined(separator: ", "))
    tables = [Table(marginal)]
    idioms = []
    failures = []
    let intervals = marginal.rows.compactMap(\.total).compactMap { try? $0.interval.get() }
    notes = [
      "Median over the rounds of the Theil-Sen slope; ± half of "
        + (intervals.isEmpty ? "the range over the rounds." : "the 95 % interval of the mean (Student's t)."),
      "own: what the process had grown by (PSS); kernel: what stacks, page tables and slab of the whole host had.",
    ]
  }
}

extension Table {
  fileprivate init(_ marginal: MarginalMemory) {
    let counts = marginal.rows.compactMap(\.total).map(\.values.count)
    let hasIntervals = marginal.rows.compactMap(\.total).contains { (try? $0.interval.get()) != nil }
    caption =
      "Memory per unit · n = \(Self.roundCount(counts.min() ?? 0, counts.max() ?? 0)) · "
      + (hasIntervals ? "95 % intervals" : "lowest to highest")
    columns = [Column(title: "model", isNumeric: false)]
    rows = marginal.rows.map { [Cell(text: oneLine($0.name))] }
    let parts: [(String, (MarginalMemory.Row) -> MarginalMemory.Slope?)] = [
      ("own", { $0.user }), ("kernel", { $0.kernel }), ("together", { $0.total }),
    ]
    for (title, part) in parts where marginal.rows.contains(where: { part($0) != nil }) {
      columns.append(Column(title: title, unit: "B/unit"))
      let best = marginal.rows.filter { $0.model.variant == nil }.compactMap { part($0)?.median }.min()
      for (index, row) in marginal.rows.enumerated() {
        guard let slope = part(row) else {
          rows[index].append(.none)
          continue
        }
        rows[index].append(
          Cell(
            text: significant(slope.median), spread: slope.reach.map { "±\(significant($0))" } ?? "",
            isBest: marginal.rows.count > 1 && row.model.variant == nil && slope.median == best))
      }
    }
    let resolved = parts.filter { part in marginal.rows.contains { part.1($0) != nil } }
      .map { marginal.smallestRatio($0.1) }
    if resolved.contains(where: { $0 != nil }) {
      footers = [[Cell(text: "resolves")] + resolved.map { $0.map { Cell(text: "×\(significant($0))") } ?? Cell.none }]
    }
  }
}

extension MarginalMemory {
  /// As ``CaseResolution/own``, for slopes; nil where one is not positive.
  fileprivate func smallestRatio(_ part: (Row) -> Slope?) -> Double? {
    func slope(_ name: RowName) -> [Int: Double]? {
      rows.first { RowName($0.model) == name }.flatMap(part)?.byRound
    }
    let comparisons = pairs.compactMap { pair -> LogRatios? in
      guard let base = slope(pair.base), let head = slope(pair.head) else { return nil }
      return try? LogRatios(base: base, head: head)
    }
    guard let rounds = comparisons.map(\.count).max() else { return nil }
    return Resolution(sameAgainstSame: comparisons)?.smallestRatio(rounds: rounds, familySize: familySize)
  }
}

extension MarginalMemory.Slope {
  /// Half of the interval where there is one, else half of the range, in bytes a unit: a slope may be nearly 0, of which
  /// nothing is a percentage.
  fileprivate var reach: Double? {
    if let interval = try? interval.get() { return (interval.high - interval.low) / 2 }
    guard values.count > 1, let low = values.min(), let high = values.max() else { return nil }
    return (high - low) / 2
  }
}
