// What a host resolves, on disk: written, read, found beside a run, and refused where it cannot be meant.

import FoundationEssentials
import ResultFormat
import Testing

private func resolution(_ measuredAt: String = "2026-02-01T08:00:00Z", kernel: String = "6.12.0") -> HostResolution {
  HostResolution(
    host: HostIdentity(processor: "Made-Up 9000", processors: 2, kernel: kernel), measuredAt: measuredAt,
    revision: "0123456789ab", models: ["threads"], level: 0.05, power: 0.95, rounds: 14,
    figures: [
      ResolvedFigure(
        workload: "fan-out", case: "fan-out/closed", metric: "throughput", windowSeconds: 2, spread: 0.041,
        degreesOfFreedom: 52, familySize: 18, smallestRatio: 1.07),
      ResolvedFigure(
        workload: "fan-out", case: "fan-out/fixed-rate", metric: "cpuPerOperation", windowSeconds: 2, spread: 0,
        degreesOfFreedom: 13, familySize: 18, smallestRatio: nil),
    ])
}

@Test("a calibration is read as it was written, from its folder or by its own path")
func calibrationRoundTrip() throws {
  let scratch = try Scratch()
  try RunFiles.writeCalibration(resolution(), to: scratch.path)
  #expect(try RunFiles.readCalibration(from: scratch.path) == resolution())
  #expect(try RunFiles.readCalibration(from: "\(scratch.path)/calibration.json") == resolution())
  let found = resolution().figure(workload: "fan-out", case: "fan-out/closed", metric: "throughput")
  #expect(found?.spread == 0.041)
  #expect(resolution().figure(workload: "fan-out", case: "fan-out/closed", metric: "latency") == nil)
}

@Test(
  "a calibration of another version, or with a spread that is none, is refused with what to do",
  arguments: [
    ("\"schemaVersion\" : 1", "\"schemaVersion\" : 9", "schemaVersion is 9, and this switchyard reads 1"),
    ("\"spread\" : 0.041", "\"spread\" : -1", "figures[0]: a spread of -1.0"),
    ("\"degreesOfFreedom\" : 13", "\"degreesOfFreedom\" : 0", "figures[1]: a spread of 0.0 with 0 degrees of freedom"),
    ("\"rounds\" : 14", "\"laps\" : 14", "lacks 'rounds'"),
  ])
func badCalibration(text: String, replacement: String, expected: String) throws {
  let scratch = try Scratch()
  try RunFiles.writeCalibration(resolution(), to: scratch.path)
  let written = String(decoding: try scratch.bytes("calibration.json"), as: UTF8.self)
  #expect(written.contains(text))
  try scratch.write(written.replacing(text, with: replacement), to: "calibration.json")
  let error = #expect(throws: ResultError.self) { try RunFiles.readCalibration(from: scratch.path) }
  #expect(error?.description.contains("\(scratch.path)/calibration.json") == true)
  #expect(error?.description.contains(expected) == true, "\(error?.description ?? "")")
}

@Test("the newest calibration of the same host is found in the run's folder or beside it, and no other")
func nearest() throws {
  let scratch = try Scratch()
  for name in ["run", "old", "new", "other-host", "broken"] { try scratch.makeFolder(name) }
  let environment = try Fixture.run().environment
  func found() -> String? { RunFiles.calibration(near: "\(scratch.path)/run", of: environment)?.measuredAt }
  #expect(found() == nil)
  try RunFiles.writeCalibration(resolution("2026-01-01T00:00:00Z"), to: "\(scratch.path)/old")
  try RunFiles.writeCalibration(resolution("2026-03-01T00:00:00Z"), to: "\(scratch.path)/new")
  try RunFiles.writeCalibration(resolution("2026-04-01T00:00:00Z", kernel: "5.0"), to: "\(scratch.path)/other-host")
  try scratch.write("{", to: "broken/calibration.json")
  #expect(found() == "2026-03-01T00:00:00Z")
  #expect(RunFiles.calibration(near: "\(scratch.path)/run/run.json", of: environment)?.measuredAt == found())
  try RunFiles.writeCalibration(resolution("2026-05-01T00:00:00Z"), to: "\(scratch.path)/run")
  #expect(found() == "2026-05-01T00:00:00Z")
}

@Test("a family is every headline of a workload for every pair; a row that declines a case is in none of its pairs")
func declaredClaims() throws {
  let run = try RunFiles.readRun(from: Fixture.folder)
  let claims = run.declaredClaims(of: "fan-out")
  // Two headlines for three pairs; snake declines the closed loop.
  #expect(claims.count == 7)
  #expect(
    claims.filter { $0.case == "fan-out/closed" }.map { "\($0.metric) \($0.pair.base) \($0.pair.head)" }
      == ["throughput threads async-loop"])
  #expect(run.declaredClaims(of: "pipeline") == [])
  // A plan from before pairs were declared is read, and means the same.
  let old = try RunFiles.readRun(from: "\(Fixture.folder)/version-1")
  #expect(old.plan.pairs == nil && old.declaredClaims(of: "fan-out") == claims)
}
