// One headline figure of one model on one case, in both runs.

import ResultFormat
import Statistics

/// A headline metric as the tables have it: what it is called, and which way is better.
struct Headline: Sendable {
  /// As in ``ResultFormat/ClaimFamily``.
  let name: String
  let title: String
  let unit: Unit
  let better: Better
  /// Nil where no trial of either run has such a figure.
  let metric: Metric?

  /// Where the plan's name is not the table's key.
  private static let keys = ["addedLatency": "latency.added.p99", "latency": "latency.all.p99"]

  /// - Parameter metrics: those of both runs' tables.
  /// - Returns: nil for a metric of which no value is better than another: it makes no claim.
  init?(_ name: String, among metrics: [Metric]) {
    let key = Self.keys[name] ?? name
    self.name = name
    metric = metrics.first { $0.key == key }
    title = metric?.title ?? name
    unit = metric?.unit ?? .count
    guard let metric else {
      // Measured nowhere, and claimed of nobody; but declared, so that the others are corrected for it.
      better = .lower
      return
    }
    switch (metric.better, metric.unit) {
    case (.lower, _): better = .lower
    case (.higher, _): better = .higher
    // A workload's own measure that is a rate, as goodput: the more of it the better.
    case (nil, .other(let unit)) where unit.hasSuffix("/s"): better = .higher
    case (nil, _): return nil
    }
  }
}

/// The values of one figure in one run: one for each round that was ok and has it.
struct ComparedSeries: Sendable {
  let values: [Double]
  let rounds: [Int]
  /// That of most of them, as in their own run.
  let standing: Standing
  /// Nil without a value.
  let summary: MetricSummary?

  init(_ headline: Headline, of row: RowSummary) {
    var values: [Double] = []
    var rounds: [Int] = []
    var standings: [Standing] = []
    for trial in row.trials where trial.state == .ok {
      guard let figures = trial.figures, let value = figures.value(of: headline.name), value.isFinite else { continue }
      values.append(value)
      rounds.append(trial.round)
      standings.append(headline.metric?.standing(trial, figures) ?? .claimed)
    }
    self.values = values
    self.rounds = rounds
    summary = MetricSummary(values, standings)
    standing = summary?.standing ?? .claimed
  }

  var median: Double? { summary?.spread.median }
}

struct ComparedFigure: Sendable {
  struct ID: Hashable, Sendable {
    let `case`: String
    let model: String
    let variant: String?
    let metric: String
  }

  let id: ID
  /// The model, with its variant.
  let row: String
  let headline: Headline
  let base: ComparedSeries
  let head: ComparedSeries
  /// Nil below 2 rounds of either run, and where a figure has no logarithm.
  let test: RatioTest?
  let check: RankSum
  /// Why nothing may be claimed, whatever the test says; nil where something may.
  let spoiler: String?
  /// After Holm's correction; 1 where there was nothing to test.
  private(set) var adjustedP = 1.0
  /// How many claims it was corrected for.
  private(set) var familySize = 1
  /// As the decision rule has it; nil before it was asked, and where nothing may be claimed.
  private(set) var verdict: Verdict?
  /// The smallest ratio above 1 that so many rounds with this spread find; nil below 5 rounds.
  private(set) var finds: Double?
  /// The rounds of each run that would find the rule's smallest ratio; nil if no practical number does.
  private(set) var roundsNeeded: Int?

  init(_ headline: Headline, of row: (base: RowSummary, head: RowSummary), on name: String) {
    id = ID(case: name, model: row.head.model.name, variant: row.head.model.variant, metric: headline.name)
    self.row = row.head.name
    self.headline = headline
    let base = ComparedSeries(headline, of: row.base)
    let head = ComparedSeries(headline, of: row.head)
    self.base = base
    self.head = head
    test = try? RatioTest(independentBase: base.values, head: head.values)
    check = RankSum(base: base.values, head: head.values)
    spoiler = Self.spoiler(base, head)
  }

  private static func spoiler(_ base: ComparedSeries, _ head: ComparedSeries) -> String? {
    let sides = [(series: base, name: "BASE"), (series: head, name: "HEAD")]
    let empty = sides.filter { $0.series.values.isEmpty }
    if !empty.isEmpty { return "no figure in \(empty.map { $0.name }.joined(separator: ", "))" }
    for (series, name) in sides {
      if let index = series.values.firstIndex(where: { $0 <= 0 }) {
        return "no ratio: \(significant(series.values[index])) in round \(series.rounds[index]) of \(name)"
      }
    }
    let doubtful = sides.filter { $0.series.standing != .claimed }
    guard !doubtful.isEmpty else { return nil }
    return "no claim: " + doubtful.map { "\($0.series.standing.sign) in \($0.name)" }.joined(separator: ", ")
  }

  /// Takes what the family's rule says.
  mutating func judge(_ claim: Claim<ID>, _ rule: DecisionRule) {
    adjustedP = claim.adjustedP
    familySize = claim.familySize
    roundsNeeded = claim.roundsNeeded
    if spoiler == nil { verdict = claim.verdict }
    if let test, test.rounds >= rule.fewestRounds(familySize: claim.familySize) {
      finds = PowerAnalysis(spread: test.spread, level: rule.level, familySize: claim.familySize)
        .smallestRatio(rounds: test.rounds, power: rule.power)
    }
  }

  /// Of the ratio; nil below 5 rounds.
  var interval: Interval? { test.flatMap { try? $0.interval(level: Comparison.intervalLevel).get() } }

  /// By how much head is worse, as a share; negative where it is better. Nil without a ratio.
  var worsening: Double? {
    test.map { (headline.better == .lower ? $0.ratio : 1 / $0.ratio) - 1 }
  }

  /// What a table says of it.
  var words: String {
    switch verdict {
    case nil: spoiler ?? "no claim"
    case .faster, .slower, .noClaim: verdict.map(\.description) ?? ""
    case .tooFewRounds(_, let need?): "cannot tell: needs \(grouped(need)) rounds"
    case .tooFewRounds(_, nil): "cannot tell: no number of rounds would do"
    }
  }
}
