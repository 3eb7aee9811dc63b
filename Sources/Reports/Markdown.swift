// The report as GitHub's Markdown: the best value is bold and marked, tables are aligned in the source as well.

struct MarkdownRenderer {
  func render(_ document: Document) -> String {
    var blocks = ["# \(escaped(document.title))"]
    blocks += document.alarms.map { "> [!CAUTION]\n> **\(escaped($0))**" }
    blocks.append(document.notices.map(escaped).joined(separator: "\n"))
    blocks += ([document.overview].compactMap { $0 } + document.sections).flatMap(blocks(of:))
    blocks += ["## How to read this", list(document.legend)]
    blocks += [
      "## Environment", table(["", ""], document.environment.map { [$0.0, escaped($0.1)] }, numeric: [false, false]),
    ]
    if !document.hostWarnings.isEmpty { blocks += ["What to know about this host:", list(document.hostWarnings)] }
    return blocks.joined(separator: "\n\n") + "\n"
  }

  private func blocks(of section: Document.Section) -> [String] {
    var blocks = ["## \(escaped(section.name))", section.question]
    blocks.append("_\(section.setting.map(escaped).joined(separator: " · "))_")
    for (index, table) in section.tables.enumerated() {
      blocks += ["**\(escaped(table.caption))**", markdown(table)]
      if let best = table.best { blocks.append(escaped(best)) }
      if index == 0 && !section.idioms.isEmpty {
        blocks.append(section.idioms.map { "- **\(escaped($0.0))**: \(escaped($0.1))" }.joined(separator: "\n"))
      }
    }
    if !section.failures.isEmpty { blocks += ["Trials without a number:", list(section.failures)] }
    if !section.notes.isEmpty { blocks += ["Notes:", list(section.notes)] }
    return blocks
  }

  private func markdown(_ content: Table) -> String {
    let titles = content.columns.map {
      $0.unit.isEmpty ? escaped($0.title) : "\(escaped($0.title)) (\(escaped($0.unit)))"
    }
    let rows = content.rows.map { row in
      row.map { cell in
        let value = cell.isBest ? "• **\(escaped(cell.text))**" : escaped(cell.text)
        return cell.spread.isEmpty ? value : "\(value) \(cell.spread)"
      }
    }
    let footers = content.footers.map { row in row.map { $0.text.isEmpty ? "" : "_\(escaped($0.text))_" } }
    return table(titles, rows + footers, numeric: content.columns.map(\.isNumeric))
  }

  private func table(_ titles: [String], _ rows: [[String]], numeric: [Bool]) -> String {
    let widths = titles.indices.map { column in
      max(3, displayWidth(titles[column]), rows.map { displayWidth($0[column]) }.max() ?? 0)
    }
    func line(_ cells: [String]) -> String {
      let padded = cells.enumerated().map { column, text in
        let space = String(repeating: " ", count: widths[column] - displayWidth(text))
        return numeric[column] ? space + text : text + space
      }
      return "| \(padded.joined(separator: " | ")) |"
    }
    let rule = widths.enumerated().map { column, width in
      numeric[column] ? String(repeating: "-", count: width - 1) + ":" : String(repeating: "-", count: width)
    }
    return ([line(titles), "| \(rule.joined(separator: " | ")) |"] + rows.map(line)).joined(separator: "\n")
  }

  private func list(_ entries: [String]) -> String { entries.map { "- \(escaped($0))" }.joined(separator: "\n") }

  /// Texts come from models and hosts: none may become markup, or end a table's cell. What cannot is left as it is,
  /// since the source is read too: an underscore within a word, a tilde without a partner.
  private func escaped(_ text: String) -> String {
    let characters = Array(text)
    let strikes = characters.count { $0 == "~" } > 1
    func isWord(_ index: Int) -> Bool {
      characters.indices.contains(index) && (characters[index].isLetter || characters[index].isNumber)
    }
    var result = ""
    for (index, character) in characters.enumerated() {
      switch character {
      case "\\", "`", "*", "|", "<", ">", "[": result.append("\\")
      case "_" where !(isWord(index - 1) && isWord(index + 1)): result.append("\\")
      case "~" where strikes: result.append("\\")
      default: break
      }
      result.append(character)
    }
    return result
  }
}
