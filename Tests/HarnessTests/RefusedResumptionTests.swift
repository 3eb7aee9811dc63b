// Whom a resumption refuses, with the value and what would be right; nothing on disk is touched by it.

import Foundation
import ResultFormat
import Testing
import Workloads

@testable import Harness

@Suite struct RefusedResumptionTests {
  @Test func `a run that is still written, or resumed by another, is refused`() async throws {
    let fake = try await FakeRun()
    try fake.writePlan()
    let first = try InterruptedRun(fake.folder)
    #expect(
      fake.refusal()
        == .usage(
          "'\(fake.folder)' is being written by a switchyard that still runs: wait for its end, or stop it and resume then"
        ))
    _ = consume first
    #expect(try InterruptedRun(fake.folder).finished.isEmpty)
  }

  @Test func `a folder that is no run is refused with what would be right`() async throws {
    let fake = try await FakeRun()
    #expect(
      fake.refusal(of: "/no/such")
        == .usage("'/no/such' does not exist: --resume takes the folder of an interrupted run"))
    #expect(
      fake.refusal(of: "/proc/version")
        == .usage("'/proc/version' is a file: --resume takes the folder of an interrupted run"))
    try fake.write("{}", to: "run.json")
    #expect(
      fake.refusal()
        == .usage(
          "'\(fake.folder)' cannot be gone on with: it has no trials/plan.json (published runs leave it out, and older "
            + "versions wrote none); make the run again in another folder"))
  }

  @Test func `a plan that cannot be read is refused with the place`() async throws {
    let fake = try await FakeRun()
    try fake.writePlan()
    let path = "\(fake.folder)/trials/plan.json"
    for (text, message) in [
      ("", "the file is empty"), ("{\"schemaVersion\": 2", "the file ends here, cut short"),
      ("{\"schemaVersion\": 2}", "lacks 'protocolVersion'"),
      (
        "{\"schemaVersion\": 1}",
        "schemaVersion is 1, and this switchyard goes on with 2 only: finish the run with the one that began it"
      ),
    ] {
      try fake.write(text, to: "trials/plan.json")
      let refusal = try #require(fake.refusal())
      #expect(refusal.kind == .usage)
      #expect(refusal.description.hasPrefix(path), "\(refusal)")
      #expect(refusal.description.contains(message), "\(refusal)")
    }
  }

  @Test func `a trial that is not the plan's, or cannot be read, is refused and kept`() async throws {
    let fake = try await FakeRun()
    try fake.writePlan()
    let remedy = "put the right file back, or remove \(fake.folder)/trials/2 to have it run again"
    try fake.writeTrial(2) { $0.seed += 1 }
    let other = try #require(fake.refusal()?.description)
    #expect(other.hasPrefix("trial 2 of '\(fake.folder)' is fan-out/fixed-rate, "), "\(other)")
    #expect(other.contains("seed \(fake.plan.trials[1].seed + 1), where its plan has"), "\(other)")
    #expect(other.hasSuffix(remedy), "\(other)")
    try fake.writeTrial(2) { $0.parameters["width"] = .integer(3) }
    #expect(fake.refusal()?.description.hasSuffix(remedy) == true)

    try fake.write("{\"number\"", to: "trials/2/trial.json")
    let torn = try #require(fake.refusal()?.description)
    #expect(torn.hasPrefix("trial 2 of '\(fake.folder)' cannot be read ("), "\(torn)")
    #expect(torn.hasSuffix(remedy), "\(torn)")
    #expect(fake.files(2) == Data("{\"number\"".utf8))

    try FileManager.default.removeItem(atPath: "\(fake.folder)/trials/2")
    #expect(try InterruptedRun(fake.folder).finished.isEmpty)
    try FileManager.default.createDirectory(
      atPath: "\(fake.folder)/trials/5", withIntermediateDirectories: true)
    #expect(
      fake.refusal()
        == .usage("\(fake.folder)/trials/5 is not of this run, whose plan has 4 trials: remove it"))
  }

  @Test func `another host, build, protocol or processors are refused with both values`() async throws {
    let fake = try await FakeRun()
    try fake.writePlan()
    func message(_ what: String, _ then: String, _ now: String) -> HarnessError {
      .usage(
        "'\(fake.folder)' was begun with \(what) '\(then)', and here it is '\(now)': go on where it was begun, "
          + "or make the run again in another folder")
    }
    let own = fake.environment
    var other = own
    other.kernel = "2.4.18"
    #expect(fake.refusal(on: other) == message("kernel", own.kernel, "2.4.18"))
    other = own
    other.build = "optimistic"
    #expect(fake.refusal(on: other) == message("build", "debug", "optimistic"))
    other = own
    other.processor = "Made-Up 9000"
    #expect(fake.refusal(on: other) == message("processor", own.processor, "Made-Up 9000"))
    other = own
    other.memoryBytes *= 2
    #expect(fake.refusal(on: other) == message("memory", "\(own.memoryBytes) bytes", "\(own.memoryBytes * 2) bytes"))
    #expect(
      fake.refusal(ProcessorSets(available: [0, 1]))
        == message(
          "processors of fan-out/fixed-rate", "[] for the rig, [] for the model", "[0] for the rig, [1] for the model"))

    // What differs from one start to the next is no other host.
    other = own
    other.startedAt = "2026-01-31T12:00:00Z"
    other.loadAverage = 7
    other.iterationsPerMillisecond = 3
    other.revision = "0123"
    other.warnings = ["hot"]
    other.memoryBytes += 4_096
    try InterruptedRun(fake.folder).check(other, fake.processors, fake.executables)

    try fake.writePlan { $0.protocolVersion = 0 }
    #expect(fake.refusal() == message("protocol", "0", "\(protocolVersion)"))
  }

  @Test func `another build of a program, or none, is refused by its path`() async throws {
    let fake = try await FakeRun()
    try fake.writePlan()
    let path = "\(fake.installation.folder)/model-other"
    // As long as before: its bytes decide.
    let text = fakeModel.replacingOccurrences(of: "pretends", with: "intends!")
    try text.write(toFile: path, atomically: false, encoding: .utf8)
    let refusal = try #require(fake.refusal()?.description)
    #expect(
      refusal.hasPrefix("'\(fake.folder)' was begun with another \(path) (\(text.utf8.count) bytes, "), "\(refusal)")
    #expect(refusal.hasSuffix("put the first one back, or make the run again in another folder"))
    try FileManager.default.removeItem(atPath: path)
    #expect(
      fake.refusal()?.description.hasPrefix("'\(fake.folder)' was begun with \(path), which cannot be read now (")
        == true)
  }
}
