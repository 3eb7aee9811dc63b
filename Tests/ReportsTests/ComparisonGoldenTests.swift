// The comparison of the made-up pair against golden files, made with SWITCHYARD_UPDATE_GOLDEN=1 and read by a person
// before they are kept.

import FoundationEssentials
import Glibc
import Reports
import ResultFormat
import Testing

private let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Golden")

@Test(
  "every format renders the comparison as its golden file has it",
  arguments: [
    (ReportFormat.terminal, "comparison.txt"), (.markdown, "comparison.md"), (.json, "comparison.json"),
  ])
func comparisonGolden(format: ReportFormat, name: String) throws {
  let (base, head) = try MadeUp.pair()
  let comparison = Comparison(base: base, at: "before", head: head, at: "after", threshold: 0.05)
  let text = render(comparison, as: format, colour: false, width: 120)
  let path = folder.appending(path: name).path
  if getenv("SWITCHYARD_UPDATE_GOLDEN") != nil { try RunFiles.writeText(text, to: path) }
  let expected = String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
  let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
  let expectedLines = expected.split(separator: "\n", omittingEmptySubsequences: false)
  for (line, expectedLine) in zip(lines, expectedLines) { #expect(line == expectedLine) }
  #expect(lines.count == expectedLines.count)
}

@Test("a comparison keeps to the width, and every column is there", arguments: [60, 100, 120])
func comparisonWidths(width: Int) throws {
  let (base, head) = try MadeUp.pair()
  let text = render(
    Comparison(base: base, at: "before", head: head, at: "after"), as: .terminal, colour: false, width: width)
  for line in text.split(separator: "\n") { #expect(line.count <= width, "\(line)") }
  for title in ["verdict", "ratio", "95 % interval", "BASE", "HEAD", "finds", "p, Holm", "p, ranks", "allocations"] {
    #expect(text.contains(title), "\(title)")
  }
}
