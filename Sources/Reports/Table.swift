// The one model of a table that every renderer shares: texts and what they mean, no layout.

import Statistics

/// One cell of a table.
struct Cell: Sendable, Hashable {
  /// The value with its sign, as `84.2` or `≥12.3`; `–` where there is none.
  var text: String
  /// The spread over rounds, as `±2%`; empty where there is none.
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

  /// Who is best at what, in words, for whoever sees no marks and no weight; nil where nobody is.
  var best: String? {
    let entries = rows.compactMap { row -> String? in
      let titles = zip(columns, row).filter(\.1.isBest).map(\.0.title)
      guard let name = row.first?.text, !titles.isEmpty else { return nil }
      return "\(name) in \(titles.joined(separator: ", "))"
    }
    return entries.isEmpty ? nil : "◆ best: \(entries.joined(separator: "; "))"
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
            spread: figure.spread.relativeReach.map(percent) ?? "", isBest: figure.isBest))
      }
    }
  }
  /// Counts of things are whole where they can be.
  private static func text(_ value: Double, _ unit: Unit) -> String {
    unit == .count && value == value.rounded()
      ? significant(value).split(separator: ".").first.map(String.init) ?? "" : significant(value)
  }
}
