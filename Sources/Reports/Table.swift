// The one model of a table that every renderer shares: texts and what they mean, no layout.

import Statistics

/// One cell of a table.
struct Cell: Sendable, Hashable {
  /// The value with its sign, as `84.2` or `≥12.3`; `–` where there is none.
  var text: String
  /// How far its rounds reach, as `±2%` or `−2/+5%`; empty where there is none.
  var spread = ""
  var isBest = false

  static let none = Cell(text: "–")
}

struct Table: Sendable {
  struct Column: Sendable {
    var title: String
    var unit = ""
    var isNumeric = true
  }
  var caption: String
  /// The first names the row.
  var columns: [Column]
  var rows: [[Cell]]
  /// What the columns themselves are like, below the rows.
  var footers: [[Cell]] = []

  /// Who is best at what, in words, for whoever sees no marks and no weight; nil where nobody is.
  var best: String? {
    let entries = rows.compactMap { row -> String? in
      let titles = zip(columns, row).filter(\.1.isBest).map(\.0.title)
      guard let name = row.first?.text, !titles.isEmpty else { return nil }
      return "\(name) in \(titles.joined(separator: ", "))"
    }
    return entries.isEmpty ? nil : "• best median: \(entries.joined(separator: "; "))"
  }
}

extension Table {
  /// The metrics of one group that at least one row has; nil where there is none.
  init?(_ summary: CaseSummary, _ group: Metric.Group, caption: String) {
    let metrics = summary.metrics.filter { metric in
      metric.group == group && summary.rows.contains { $0.metrics[metric.key] != nil }
    }
    let showsState = group == .speed
    guard showsState || !metrics.isEmpty else { return nil }
    self.caption = caption
    columns = [Column(title: "model", isNumeric: false)]
    rows = summary.rows.map { [Cell(text: oneLine($0.name))] }
    if showsState {
      columns.append(Column(title: "trials", isNumeric: false))
      for (index, row) in summary.rows.enumerated() { rows[index].append(Cell(text: row.state)) }
    }
    let blank = columns.count
    for metric in metrics {
      let scale = metric.unit.scale(for: summary.rows.compactMap { $0.metrics[metric.key]?.spread.median })
      columns.append(Column(title: metric.title, unit: scale.symbol))
      for (index, row) in summary.rows.enumerated() {
        guard let figure = row.metrics[metric.key] else {
          rows[index].append(.none)
          continue
        }
        rows[index].append(
          Cell(
            text: figure.standing.sign + Self.text(figure.spread.median / scale.size, metric.unit),
            spread: figure.range.map { offsets($0.low, $0.high, around: figure.spread.median) } ?? "",
            isBest: figure.isBest))
      }
    }
    let shown = summary.rows.flatMap { row in metrics.compactMap { row.metrics[$0.key] } }
    self.caption = ([caption] + Self.basis(shown, summary.resolution)).joined(separator: " · ")
    for (name, ratios) in [("resolves", summary.resolution.own), ("resolves, A/A", summary.resolution.calibrated)]
    where metrics.contains(where: { ratios[$0.key] != nil }) {
      footers.append(
        [Cell(text: name)] + Array(repeating: Cell(text: ""), count: blank - 1)
          + metrics.map { ratios[$0.key].map { Cell(text: "×\(significant($0))") } ?? .none })
    }
  }

  /// What the figures of a table rest on: the rounds, what stands beside the medians, and what is too little to tell
  /// rows apart by.
  private static func basis(_ figures: [MetricSummary], _ resolution: CaseResolution) -> [String] {
    let counts = figures.map(\.spread.count)
    guard let least = counts.min(), let most = counts.max() else { return [] }
    var basis = ["n = \(roundCount(least, most))"]
    if figures.contains(where: \.hasInterval) { basis.append("95 % intervals") }
    if figures.contains(where: { !$0.hasInterval && $0.range != nil }) {
      basis.append("lowest to highest" + (most < Spread.roundsForInterval ? "" : " below \(Spread.roundsForInterval)"))
    }
    if resolution.own.isEmpty, let fewest = resolution.fewestRounds {
      basis.append("resolves nothing below \(fewest) rounds")
    }
    return basis
  }

  /// `12 rounds`, `1 to 3 rounds`.
  static func roundCount(_ least: Int, _ most: Int) -> String {
    least == most ? counted(most, "round") : "\(least) to \(counted(most, "round"))"
  }

  /// Counts of things are whole where they can be.
  private static func text(_ value: Double, _ unit: Unit) -> String {
    unit == .count && value == value.rounded()
      ? significant(value).split(separator: ".").first.map(String.init) ?? "" : significant(value)
  }
}
