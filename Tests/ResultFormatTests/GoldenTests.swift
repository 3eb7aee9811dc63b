// The schema against a file: what a run looks like on disk, to the byte, in the version written and in those before.

import FoundationEssentials
import Glibc
import ResultFormat
import Testing

@Suite(.serialized)
struct SchemaTests {
  @Test("the golden run decodes and encodes to the same bytes")
  func sameBytes() throws {
    if Fixture.isUpdating { try RunFiles.writeRun(Fixture.run(), to: Fixture.folder) }
    let run = try RunFiles.readRun(from: Fixture.folder)
    let copy = try Scratch()
    try RunFiles.writeRun(run, to: copy.path)
    #expect(try copy.bytes("run.json") == Data(contentsOf: URL(filePath: "\(Fixture.folder)/run.json")))
  }

  @Test("the golden run has no problem")
  func valid() {
    #expect(validate(runAt: Fixture.folder) == [])
    #expect(validate(runAt: "\(Fixture.folder)/run.json") == [])
  }

  @Test("a run of version 1 is read, has no problem, and keeps its bytes")
  func versionOne() throws {
    let folder = "\(Fixture.folder)/version-1"
    #expect(validate(runAt: folder) == [])
    let old = try RunFiles.readRun(from: folder)
    #expect(old.schemaVersion == 1)
    #expect(old.plan.cases.allSatisfy { $0.windowSeconds == nil && old.plan.windowSeconds(of: $0) == 6 })
    let new = try RunFiles.readRun(from: Fixture.folder)
    #expect(new.plan.cases.allSatisfy { new.plan.windowSeconds(of: $0) == 6 })
    #expect(old.trials == new.trials)
    let copy = try Scratch()
    try RunFiles.writeRun(old, to: copy.path)
    #expect(try copy.bytes("run.json") == Data(contentsOf: URL(filePath: "\(folder)/run.json")))
  }

  @Test("the golden run is the fixture")
  func isFixture() throws {
    // Through JSON, which has one kind of number, and with decoded histograms: compressed bytes are zlib's affair.
    let made = try Fixture.run()
    let read = try RunFiles.readRun(from: Fixture.folder)
    #expect(made.plan.trials == read.plan.trials)
    #expect(made.environment == read.environment)
    #expect(read.plan.seed == UInt64.max - 1)
    #expect(made.trials.map(\.state) == read.trials.map(\.state))
    for (a, b) in zip(made.trials, read.trials) {
      #expect(a.ledger == b.ledger && a.rigLedger == b.rigLedger && a.seed == b.seed && a.reason == b.reason)
      #expect(a.figures?.cpu == b.figures?.cpu && a.figures?.memory == b.figures?.memory)
      for (name, summary) in a.figures?.latencies ?? [:] {
        let other = try #require(b.figures?.latencies[name])
        #expect(try summary.slots() == other.slots())
      }
    }
  }
}

/// A folder of a test's own, removed with it.
final class Scratch {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.appending(path: "switchyard-test-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
  }
  deinit { try? FileManager.default.removeItem(atPath: path) }

  func bytes(_ name: String) throws -> Data { try Data(contentsOf: URL(filePath: "\(path)/\(name)")) }
  func write(_ text: String, to name: String) throws { try RunFiles.writeText(text, to: "\(path)/\(name)") }
  func makeFolder(_ name: String) throws {
    try FileManager.default.createDirectory(atPath: "\(path)/\(name)", withIntermediateDirectories: true)
  }
}
