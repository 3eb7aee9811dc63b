// The copies of a calibration on disk: a slowed one is known by its parameters, and passes for no model.

import FoundationEssentials
import ResultFormat
import Testing
import Workloads

/// async-loop is a copy of threads; snake is one as well, with a larger fan-out on the first case, and runs no other.
private func calibratedRun() throws -> Run {
  var run = try RunFiles.readRun(from: Fixture.folder)
  run.plan.copies = [
    ModelCopy(name: "async-loop", model: "threads"),
    ModelCopy(
      name: "snake", model: "threads",
      slowdown: Slowdown(case: "fan-out/fixed-rate", factor: 1.25, changes: ["rate": .integer(1_600)])),
  ]
  let stray = Set(run.plan.trials.filter { $0.model == "snake" && $0.case != "fan-out/fixed-rate" }.map(\.number))
  run.plan.trials.removeAll { stray.contains($0.number) }
  run.trials.removeAll { stray.contains($0.number) }
  for index in run.trials.indices where run.trials[index].model == "snake" {
    run.trials[index].parameters["rate"] = .integer(1_600)
  }
  return run
}

@Test("a calibration is there again after it was written, and valid")
func copiesRoundTrip() throws {
  let scratch = try Scratch()
  let run = try calibratedRun()
  try RunFiles.writeRun(run, to: scratch.path)
  #expect(try RunFiles.readRun(from: scratch.path).plan.copies == run.plan.copies)
  #expect(validate(runAt: scratch.path).map(\.description) == [])
  #expect(run.plan.isCalibration)
  #expect(run.plan.originals.map(\.name) == ["threads"])
  #expect(run.plan.copy(of: run.plan.originals[0], isSlowed: true)?.name == "snake")
  // A run of anything else has no such key.
  let plain = try RunFiles.readRun(from: Fixture.folder)
  #expect(!plain.plan.isCalibration && plain.plan.originals == plain.plan.models)
  try RunFiles.writeRun(plain, to: scratch.path)
  #expect(!String(decoding: try scratch.bytes("run.json"), as: UTF8.self).contains("copies"))
}

@Test(
  "copies that are not what they are called are found out",
  arguments: [
    Tampering("no calibration", "parameters.rate: '1600': in the case it is '2000'") { $0.plan.copies = nil },
    Tampering("another slowdown", "parameters.rate: '1600': in the case it is '1500'") {
      $0.plan.copies![1].slowdown!.changes = ["rate": .integer(1_500)]
    },
    Tampering("a model's trial", "parameters.rate: '1600': in the case it is '2000'") {
      $0.trials[0].parameters["rate"] = .integer(1_600)
    },
    Tampering("claims", "plan.claims: is true: a calibration compares equal things") { $0.plan.claims = true },
    Tampering("row", "plan.copies[0]: its row 'nobody' is not one of the plan's") {
      $0.plan.copies![0].name = "nobody"
    },
    Tampering("twice", "plan.copies[1]: the copy 'async-loop' is there twice") {
      $0.plan.copies![1].name = "async-loop"
    },
    Tampering("chain", "plan.copies[1]: 'async-loop', which it is to be, is no model of the plan, or a copy itself") {
      $0.plan.copies![1].model = "async-loop"
    },
    Tampering("factor", "plan.copies[1].slowdown.factor: 1.0 slows nothing") {
      $0.plan.copies![1].slowdown!.factor = 1
    },
    Tampering("changes", "plan.copies[1].slowdown.changes: has none") { $0.plan.copies![1].slowdown!.changes = [:] },
    Tampering("case", "plan.copies[1].slowdown: its case 'fan-out/none' is not one of the plan's") {
      $0.plan.copies![1].slowdown!.case = "fan-out/none"
    },
    Tampering("elsewhere", "has 'snake' on fan-out/fixed-rate, where it is not slowed") {
      $0.plan.copies![1].slowdown!.case = "fan-out/closed"
    },
    Tampering("value", "plan.copies[1].slowdown.changes: '99' is not a value of width") {
      $0.plan.copies![1].slowdown!.changes["width"] = .integer(99)
    },
  ])
func copyTampering(_ tampering: Tampering) throws {
  let scratch = try Scratch()
  var run = try calibratedRun()
  tampering.change(&run)
  try RunFiles.writeRun(run, to: scratch.path)
  let problems = validate(runAt: scratch.path).map(\.description)
  #expect(problems.contains { $0.contains(tampering.expected) }, "\(problems)")
}
