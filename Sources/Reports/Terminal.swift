// The report for a terminal: columns padded by what a terminal shows, bold and dim where it can, and never wider than
// asked for: a table that is too wide goes on below itself, with the names of its rows again.

struct TerminalRenderer {
  let colour: Bool
  let width: Int

  /// - Parameter width: columns; nil for a file or a pipe.
  init(colour: Bool, width: Int?) {
    self.colour = colour
    // Narrower than this no table is readable; wider lines of prose are neither.
    self.width = min(max(width ?? 120, 60), 160)
  }

  func render(_ document: Document) -> String {
    var lines: [String] = [bold(document.title), ""]
    for alarm in document.alarms { lines += wrap("!! \(alarm)", hanging: 3).map(alarming) }
    if !document.alarms.isEmpty { lines.append("") }
    for notice in document.notices { lines += wrap(notice) }
    for section in [document.overview].compactMap({ $0 }) + document.sections { lines += [""] + render(section) }
    lines += ["", bold("How to read this")]
    for entry in document.legend { lines += wrap("  \(entry)", hanging: 4) }
    lines += ["", bold("Environment")]
    let label = document.environment.map(\.0.count).max() ?? 0
    for (name, value) in document.environment {
      let start = "  " + name + String(repeating: " ", count: label - name.count + 2)
      lines += wrap(start + value, hanging: start.count)
    }
    for warning in document.hostWarnings { lines += wrap("  ! \(warning)", hanging: 4) }
    return lines.joined(separator: "\n") + "\n"
  }

  private func render(_ section: Document.Section) -> [String] {
    let start = "── \(section.name) "
    var lines = [bold(start + String(repeating: "─", count: max(0, width - displayWidth(start))))]
    lines += wrap(section.question)
    lines += wrap(section.setting.joined(separator: " · "))
    for (index, table) in section.tables.enumerated() {
      for part in split(table) { lines += [""] + draw(part) }
      if let best = table.best { lines += wrap(best, hanging: 2) }
      if index == 0 && !section.idioms.isEmpty {
        lines.append("")
        let label = section.idioms.map { displayWidth($0.0) }.max() ?? 0
        for (name, idiom) in section.idioms {
          lines += wrap("  " + pad(name, to: label) + "  " + idiom, hanging: label + 4).map(dim)
        }
      }
    }
    if !section.failures.isEmpty || !section.notes.isEmpty { lines.append("") }
    for failure in section.failures { lines += wrap("  ✗ \(failure)", hanging: 4) }
    for note in section.notes { lines += wrap("  ! \(note)", hanging: 4) }
    return lines
  }

  // MARK: - Tables

  /// Parts of the table that fit the width, each with the first column.
  private func split(_ table: Table) -> [Table] {
    let widths = table.columns.indices.map { layout(table, $0).total }
    var groups: [[Int]] = [[]]
    var used = widths[0]
    for index in table.columns.indices.dropFirst() {
      if used + 2 + widths[index] > width && !groups[groups.count - 1].isEmpty {
        groups.append([])
        used = widths[0]
      }
      groups[groups.count - 1].append(index)
      used += 2 + widths[index]
    }
    return groups.enumerated().map { position, group in
      let kept = [0] + group
      return Table(
        caption: position == 0 ? table.caption : "\(table.caption), continued", columns: kept.map { table.columns[$0] },
        rows: table.rows.map { row in kept.map { row[$0] } },
        footers: table.footers.map { row in kept.map { row[$0] } })
    }
  }

  /// The widths of a column's parts: values end at one place, spreads begin at one.
  private func layout(_ table: Table, _ column: Int) -> (value: Int, spread: Int, total: Int) {
    let cells = (table.rows + table.footers).map { $0[column] }
    let value = cells.map { displayWidth($0.text) + ($0.isBest ? 1 : 0) }.max() ?? 0
    let spread = cells.map { $0.spread.isEmpty ? 0 : displayWidth($0.spread) + 1 }.max() ?? 0
    let header = max(displayWidth(table.columns[column].title), displayWidth(table.columns[column].unit))
    return (value, spread, max(value + spread, header))
  }

  private func draw(_ table: Table) -> [String] {
    let layouts = table.columns.indices.map { layout(table, $0) }
    func row(_ cells: [String]) -> String {
      let line = cells.joined(separator: "  ")
      return String(line.reversed().drop { $0 == " " }.reversed())
    }
    func header(_ text: (Table.Column) -> String) -> String {
      row(
        zip(table.columns, layouts).map { column, layout in
          pad(text(column), to: layout.total, right: column.isNumeric)
        })
    }
    var lines = wrap(table.caption, hanging: 2).map(dim) + [bold(header(\.title))]
    if table.columns.contains(where: { !$0.unit.isEmpty }) { lines.append(dim(header(\.unit))) }
    let total = layouts.reduce(0) { $0 + $1.total } + 2 * (layouts.count - 1)
    lines.append(dim(String(repeating: "─", count: total)))
    func line(_ cells: [Cell]) -> String {
      row(
        zip(zip(table.columns, layouts), cells).map { shape, cell in
          let (column, layout) = shape
          guard column.isNumeric else { return pad(cell.text, to: layout.total) }
          let value = (cell.isBest ? "•" : "") + cell.text
          let spread = cell.spread.isEmpty ? "" : " \(cell.spread)"
          let text = pad(value, to: layout.value, right: true) + pad(spread, to: layout.spread)
          let padded = pad(text, to: layout.total, right: true)
          return cell.isBest ? bold(padded) : padded
        })
    }
    lines += table.rows.map(line)
    lines += table.footers.map { dim(line($0)) }
    return lines
  }

  // MARK: - Text

  private func pad(_ text: String, to width: Int, right: Bool = false) -> String {
    let space = String(repeating: " ", count: max(0, width - displayWidth(text)))
    return right ? space + text : text + space
  }

  /// Lines of at most the width; all but the first are indented by `hanging`. A longer word keeps a line of its own.
  private func wrap(_ text: String, hanging: Int = 0) -> [String] {
    let indent = String(text.prefix { $0 == " " })
    var lines: [String] = []
    var line = indent
    var isEmpty = true
    for word in text.dropFirst(indent.count).split(separator: " ", omittingEmptySubsequences: false) {
      if !isEmpty && displayWidth(line) + 1 + displayWidth(String(word)) > width {
        lines.append(line)
        line = String(repeating: " ", count: hanging)
        isEmpty = true
      }
      line += (isEmpty ? "" : " ") + word
      isEmpty = false
    }
    return lines + [line]
  }

  private func bold(_ text: String) -> String { styled(text, "1") }
  private func dim(_ text: String) -> String { styled(text, "2") }
  private func alarming(_ text: String) -> String { styled(text, "1;31") }

  private func styled(_ text: String, _ code: String) -> String {
    colour && !text.isEmpty ? "\u{1b}[\(code)m\(text)\u{1b}[0m" : text
  }
}

/// Columns that a terminal gives a text: 2 for East Asian wide characters and emoji (Unicode TR 11), 0 for marks that
/// sit on another.
func displayWidth(_ text: String) -> Int {
  text.reduce(0) { sum, character in
    guard let scalar = character.unicodeScalars.first else { return sum }
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format, .control: return sum
    default: break
    }
    switch scalar.value {
    case 0x1100...0x115f, 0x2e80...0xa4cf, 0xac00...0xd7a3, 0xf900...0xfaff, 0xfe30...0xfe6f, 0xff00...0xff60,
      0xffe0...0xffe6, 0x1f300...0x1faff, 0x20000...0x3fffd:
      return sum + 2
    default:
      return sum + 1
    }
  }
}
