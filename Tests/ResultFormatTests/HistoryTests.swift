// A run's course on disk: its plan beside its trials, rounds that were added, resumptions. What versions before them
// wrote stays what it was.

import FoundationEssentials
import ResultFormat
import Testing
import Workloads

private let goal = PrecisionGoal(reach: 0.02, maximumSeconds: 60)

/// Threads' cost on the first case is wider than it was to be.
private let outcome = PrecisionOutcome(
  ending: .time, figures: 7,
  unreached: [
    UnreachedFigure(
      case: "fan-out/fixed-rate", model: "threads", variant: nil, metric: "cpuPerOperation", rounds: 3, reach: 0.03,
      reason: nil)
  ])

private func adaptive() throws -> Run {
  var run = try RunFiles.readRun(from: Fixture.folder)
  run.plan.precision = goal
  run.precision = outcome
  run.resumptions = [Resumption(startedAt: "2026-01-31T12:30:00Z", finishedTrials: 7)]
  return run
}

@Test("precision and resumptions are there again after they were written, and their absence is no key")
func historyRoundTrip() throws {
  let scratch = try Scratch()
  let run = try adaptive()
  try RunFiles.writeRun(run, to: scratch.path)
  #expect(try RunFiles.readRun(from: scratch.path) == run)
  #expect(validate(runAt: scratch.path) == [])
  let plain = try RunFiles.readRun(from: Fixture.folder)
  #expect(plain.plan.precision == nil && plain.precision == nil && plain.resumptions == nil)
  try RunFiles.writeRun(plain, to: scratch.path)
  let text = String(decoding: try scratch.bytes("run.json"), as: UTF8.self)
  #expect(!text.contains("precision") && !text.contains("resumptions"))
}

@Test("a run with a precision to reach is complete only once it has ended")
func completeness() throws {
  var run = try adaptive()
  #expect(run.isComplete)
  run.precision = nil
  #expect(!run.isComplete)
  run.plan.precision = nil
  #expect(run.isComplete)
}

@Test("precision in words", arguments: [(0.02, "±2 %"), (0.005, "±0.5 %"), (1, "±100 %"), (0.0001, "±0.01 %")])
func precisionInWords(reach: Double, words: String) {
  #expect(PrecisionGoal(reach: reach, maximumSeconds: 1).words == words)
}

@Test(
  "a course that does not fit its plan is found out",
  arguments: [
    Tampering("reach", "plan.precision.reach: 0.0 is no width") { $0.plan.precision!.reach = 0 },
    Tampering("level", "plan.precision.level: 1.0 is no level") { $0.plan.precision!.level = 1 },
    Tampering("time", "plan.precision.maximumSeconds: -1.0 is no time") { $0.plan.precision!.maximumSeconds = -1 },
    Tampering("no goal", "precision: the plan has none to reach") { $0.plan.precision = nil },
    Tampering("figures", "precision.unreached: has 1 of 0 figures") { $0.precision!.figures = 0 },
    Tampering("metric", "joy of threads on fan-out/fixed-rate is no headline of the plan") {
      $0.precision!.unreached[0].metric = "joy"
    },
    Tampering("model", "cpuPerOperation of threads (gather) on fan-out/fixed-rate is no headline of the plan") {
      $0.precision!.unreached[0].variant = "gather"
    },
    Tampering("neither", "precision.unreached[0]: expected either a reach or the reason") {
      $0.precision!.unreached[0].reach = nil
    },
    Tampering("both", "precision.unreached[0]: expected either a reach or the reason") {
      $0.precision!.unreached[0].reason = "x"
    },
    Tampering("narrow", "precision.unreached[0].reach: 0.01 is within the 0.02 that was to be reached") {
      $0.precision!.unreached[0].reach = 0.01
    },
    Tampering("moment", "resumptions[0]: startedAt 'later' is no time") { $0.resumptions![0].startedAt = "later" },
    Tampering("trials", "resumptions[0]: finishedTrials is 19: the plan has 18 trials") {
      $0.resumptions![0].finishedTrials = 19
    },
  ])
func historyTampering(_ tampering: Tampering) throws {
  let scratch = try Scratch()
  var run = try adaptive()
  tampering.change(&run)
  try RunFiles.writeRun(run, to: scratch.path)
  let problems = validate(runAt: scratch.path).map(\.description)
  #expect(problems.contains { $0.contains(tampering.expected) }, "\(problems)")
}

@Test("a plan is there again after it was written, and lies among the trials without being one")
func storedPlan() throws {
  let scratch = try Scratch()
  let run = try adaptive()
  try scratch.makeFolder("trials")
  try scratch.write("abc", to: "program")
  let program = try StoredProgram(name: "program", path: "\(scratch.path)/program", isGuest: true)
  var stored = StoredPlan(
    environment: run.environment, protocolVersion: 1, plan: run.plan, programs: [program],
    resumptions: [Resumption(startedAt: "2026-01-31T12:30:00Z", finishedTrials: 7)])
  stored.spentSeconds = 12.5
  stored.precision = run.precision
  try RunFiles.writePlan(stored, to: scratch.path)
  #expect(try RunFiles.readPlan(from: scratch.path) == stored)
  #expect(try RunFiles.readTrials(from: scratch.path) == [])
}

@Test("a program is known by its bytes")
func programs() throws {
  let scratch = try Scratch()
  func program(_ text: String, name: String = "a") throws -> StoredProgram {
    try scratch.write(text, to: "program")
    return try StoredProgram(name: name, path: "\(scratch.path)/program", isGuest: false)
  }
  // The check value of CRC-32 (ISO 3309), as every catalogue of such sums has it.
  let one = try program("123456789")
  #expect(one.crc32 == 0xCBF4_3926 && one.bytes == 9)
  #expect(try program("").crc32 == 0)
  #expect(try one.isSameBuild(as: program("123456789")))
  #expect(try !one.isSameBuild(as: program("123456780")))
  #expect(try !one.isSameBuild(as: program("123456789", name: "b")))
  // More than one piece.
  let large = String(repeating: "x", count: 1 << 20)
  #expect(try program(large).bytes == 1 << 20)
  #expect(try program(large).crc32 != program(String(large.dropLast()) + "y").crc32)
  let error = #expect(throws: ResultError.self) {
    try StoredProgram(name: "a", path: "\(scratch.path)/none", isGuest: false)
  }
  #expect(error?.description.hasPrefix("cannot read \(scratch.path)/none: No such file or directory") == true)
}

@Test("what bears on the figures tells two hosts apart, and the rest does not")
func differences() throws {
  let own = try RunFiles.readRun(from: Fixture.folder).environment
  #expect(own.differences(to: own).isEmpty)
  var other = own
  other.kernel = "6.13.0"
  other.clockSource = nil
  other.label = "x"
  other.revision = nil
  let found = own.differences(to: other)
  #expect(found.map { $0.name } == ["kernel", "clock source"])
  #expect(found.map { $0.then } == ["6.12.0", "tsc"])
  #expect(found.map { $0.now } == ["6.13.0", "none"])
}
