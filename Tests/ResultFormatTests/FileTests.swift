// Reading and writing: whole files or none, and one clear sentence for whatever is wrong with one.

import FoundationEssentials
import ResultFormat
import Testing

private func message(_ body: () throws -> Void) -> String {
  do {
    try body()
    return "no error"
  } catch {
    return "\(error)"
  }
}

@Test(
  "a run.json that is none is refused in one sentence that says where",
  arguments: [
    ("", "run.json: the file is empty"),
    ("{\"schemaVersion\": 1,\n \"plan\"", "run.json: line 2, column 8: the file ends here, cut short: expected ':'"),
    ("{\"schemaVersion\": 1,}", "run.json: line 1, column 21: expected a key in quotes"),
    ("{\"schemaVersion\": 3}", "run.json: schemaVersion is 3, and this switchyard reads 1 to 2: use the newer one"),
    ("{\"schemaVersion\": 0}", "run.json: schemaVersion is 0, and this switchyard reads 1 to 2: make the run again"),
    ("{\"schemaVersion\": \"1\"}", "run.json: schemaVersion: Expected to decode Int but found a string"),
    ("{}", "run.json: the whole of it lacks 'schemaVersion'"),
    ("[1, 2", "run.json: line 1, column 6: the file ends here, cut short: expected ',' or ']'"),
    ("{\"a\": 01}", "run.json: line 1, column 8: expected ',' or '}'"),
    ("{} {}", "run.json: line 1, column 4: there is more after the end"),
    ("{\"a\": \"x\ny\"}", "run.json: line 1, column 9: a control character within a string"),
    (String(repeating: "[", count: 100_000), "more than 512 levels of nesting"),
  ])
func refusals(text: String, expected: String) throws {
  let scratch = try Scratch()
  try scratch.write(text, to: "run.json")
  let said = message { _ = try RunFiles.readRun(from: scratch.path) }
  #expect(said.contains(expected), "\(said)")
  #expect(!said.contains("\n"))
  // The same sentence is validate's only problem, without the path twice.
  let problems = validate(runAt: scratch.path)
  #expect(problems.map(\.description) == [said])
}

@Test(
  "a wrong value within a trial is refused with its place",
  arguments: [
    ("\"pageFaults\" : 1234", "\"pageFaults\" : \"many\"", "trials[0].cpu.pageFaults: Expected to decode Int"),
    ("\"pageFaults\" : 1234", "\"pageFaults\" : 2.5", "trials[0]: a number does not fit its field"),
    (
      "\"state\" : \"ok\"", "\"state\" : \"fine\"",
      "trials[0].state: 'fine' is unknown: expected one of ok, wrong, crashed"
    ),
    ("\"state\" : \"crashed\"", "\"state\" : \"ok\"", "trials[2] lacks 'operations'"),
    (
      "\"state\" : \"ok\"", "\"state\" : \"wrong\"",
      "trials[0]: its state is 'wrong', yet it has figures (cpu, latencies,"
    ),
  ])
func misfits(old: String, new: String, expected: String) throws {
  let scratch = try Scratch()
  let text = String(decoding: try Data(contentsOf: URL(filePath: "\(Fixture.folder)/run.json")), as: UTF8.self)
  let range = try #require(text.firstRange(of: old))
  try scratch.write(text[..<range.lowerBound] + new + text[range.upperBound...], to: "run.json")
  let said = message { _ = try RunFiles.readRun(from: scratch.path) }
  #expect(said.contains(expected), "\(said)")
}

@Test("a file is replaced whole, and a failed write leaves nothing behind")
func atomicWrites() throws {
  let scratch = try Scratch()
  try scratch.write("first", to: "a.txt")
  try scratch.write("second", to: "a.txt")
  #expect(try scratch.bytes("a.txt") == Data("second".utf8))
  // A folder in the file's place: everything works but the last step.
  try scratch.makeFolder("b.txt")
  let said = message { try scratch.write("text", to: "b.txt") }
  #expect(said.hasPrefix("cannot write \(scratch.path)/b.txt: Is a directory"), "\(said)")
  #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path).sorted() == ["a.txt", "b.txt"])
  let missing = message { try RunFiles.writeText("text", to: "\(scratch.path)/no/c.txt") }
  #expect(missing.contains("No such file or directory: create its folder first"), "\(missing)")
}

@Test("trials are read by number, and one under way when the run was killed is left out")
func trialsByNumber() throws {
  let scratch = try Scratch()
  let run = try RunFiles.readRun(from: Fixture.folder)
  for index in [9, 1, 4] {
    try scratch.makeFolder("trials/\(run.trials[index].number)")
    try RunFiles.writeTrial(run.trials[index], to: "\(scratch.path)/trials/\(run.trials[index].number)")
  }
  try scratch.makeFolder("trials/17")
  try scratch.write("half a file", to: "trials/17/trial.json.123.partial")
  #expect(try RunFiles.readTrials(from: scratch.path) == [1, 4, 9].map { run.trials[$0] })
  try scratch.makeFolder("trials/3")
  try RunFiles.writeTrial(run.trials[7], to: "\(scratch.path)/trials/3")
  let said = message { _ = try RunFiles.readTrials(from: scratch.path) }
  #expect(said.contains("trials/3/trial.json: its number is 8"), "\(said)")
}

@Test("a folder that is no run's says so")
func noRun() throws {
  let scratch = try Scratch()
  #expect(
    validate(runAt: scratch.path).map(\.description)
      == [
        "\(scratch.path)/run.json: cannot read \(scratch.path)/run.json: No such file or directory: is this a run's folder?"
      ])
}
