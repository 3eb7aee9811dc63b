// The renderers against golden files, made with SWITCHYARD_UPDATE_GOLDEN=1 and read by a person before they are kept.

import FoundationEssentials
import Glibc
import Reports
import ResultFormat
import Testing

private let folder = URL(filePath: #filePath).deletingLastPathComponent()

/// The run of the format's own tests: one of everything that can happen to a trial.
func fixture() throws -> Run {
  try RunFiles.readRun(from: folder.deletingLastPathComponent().appending(path: "ResultFormatTests/Golden").path)
}

@Test(
  "every format renders the fixture as its golden file has it",
  arguments: [
    (ReportFormat.terminal, "terminal.txt"), (.markdown, "report.md"), (.json, "report.json"),
  ])
func golden(format: ReportFormat, name: String) throws {
  let text = render(try fixture(), as: format, colour: false, width: 100)
  let path = folder.appending(path: "Golden/\(name)").path
  if getenv("SWITCHYARD_UPDATE_GOLDEN") != nil { try RunFiles.writeText(text, to: path) }
  let expected = String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
  // Line by line, so that a failure shows the line.
  let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
  let expectedLines = expected.split(separator: "\n", omittingEmptySubsequences: false)
  for (line, expectedLine) in zip(lines, expectedLines) { #expect(line == expectedLine) }
  #expect(lines.count == expectedLines.count)
}
