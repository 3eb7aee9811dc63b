// Runs of fakes whose truth is known, through the command line: the real rig, run.json, and the report made from it.

import Foundation
import ResultFormat
import Subprocess
import Testing
import Workloads

@testable import Harness

/// What a fake of Tests/Guests/known_truth.py is told.
struct KnownScript: Encodable {
  struct Stall: Encodable {
    var request: Int
    var milliseconds: Int
  }
  var delaysMicroseconds: [Int]
  var stall: Stall?
}

/// A run on disk with its report.
struct KnownRun {
  let run: Run
  let report: KnownReport
  let markdown: String

  /// - Parameter arguments: what `switchyard run` is told beside the seed and the folder.
  init(_ installation: FakeInstallation, _ arguments: [String]) async throws {
    let folder = "\(installation.folder)/run"
    let outcome = try await installation.switchyard(
      ["run"] + arguments + ["--anyway", "--seed", "7", "--output", folder])
    run = try RunFiles.readRun(from: folder)
    #expect(outcome.status == .exited(run.trials.contains { $0.state != .ok } ? 1 : 0), "\(outcome.error)")
    #expect(validate(runAt: folder).map(\.description) == [])
    let json = try await installation.switchyard("report", folder, "--format", "json")
    report = try JSONDecoder().decode(KnownReport.self, from: Data(json.output.utf8))
    markdown = try await installation.switchyard("report", folder, "--format", "markdown").output
  }

  /// Trials that were not answered in time, in part or at all: the machine gives the fake or the rig too little of its
  /// processors. What else may be the reason for that is for other tests.
  var overload: [String] {
    run.trials.filter { $0.state == .timeout || ($0.rigLedger?["requestsUnanswered"] ?? 0) > 0 }
      .map { $0.reason ?? "a timeout" }
  }

  func trial(_ model: String) throws -> Trial { try #require(run.trials.first { $0.model == model }) }
  func metrics(_ model: String) throws -> [String: KnownReport.Figure] {
    try #require(report.cases.first?.rows.first { $0.model == model }).metrics
  }

  /// Whether a table has a row of that model with that time in it, to three digits. Which unit its column has the
  /// smallest value in it decides.
  func shows(_ nanoseconds: Double, of model: String) -> Bool {
    let texts = Set([1e3, 1e6, 1e9].map { Self.threeDigits(nanoseconds / $0) })
    return markdown.split(separator: "\n").contains { line in
      line.hasPrefix("| \(model) ")
        && line.replacing(",", with: "").split { !"0123456789.".contains($0) }.contains { texts.contains(String($0)) }
    }
  }

  static func threeDigits(_ value: Double) -> String {
    guard value < 999.5 else {
      let unit = pow(10, floor(log10(value)) - 2)
      return String(format: "%.0f", (value / unit).rounded() * unit)
    }
    let text = String(format: "%#.3g", value)
    return text.hasSuffix(".") ? String(text.dropLast()) : text
  }
}

/// The report as JSON, by its documented keys.
struct KnownReport: Decodable {
  struct Case: Decodable { var rows: [Row] }
  struct Row: Decodable {
    var model: String
    var metrics: [String: Figure]
  }
  struct Figure: Decodable {
    var values: [Double]
    var median: Double
    var minimum: Double
    var maximum: Double
    var interval: [Double]?
  }
  var cases: [Case]
}

extension FakeInstallation {
  /// An installation with the command line and the rig, and no model.
  static func ofOwnPrograms() throws -> FakeInstallation {
    let installation = try FakeInstallation()
    for program in ["switchyard", "switchyard-rig"] { try installation.place(Built.path(program), as: program) }
    return installation
  }

  func writeModel(_ name: String, running guest: String, _ arguments: String...) throws {
    let guests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Guests/\(guest)").path(percentEncoded: false)
    let words = ([guests] + arguments).map { "'\($0)'" }.joined(separator: " ")
    try write("#!/bin/sh\nexec \(words)\n", as: "model-\(name)")
  }

  func writeModel(_ name: String, _ script: KnownScript) throws {
    let json = String(decoding: try JSONEncoder().encode(script), as: UTF8.self)
    try writeModel(name, running: "known_truth.py", json, "\(folder)/\(name).stamps")
  }

  func stamps(_ name: String) throws -> Stamps { try Stamps(contentsOf: "\(folder)/\(name).stamps") }
}

/// Repeats a comparison until the machine allows it. What must hold on any machine is expected in `body` each time.
/// - Parameter body: returns what kept it from comparing, in words.
func undisturbed(attempts: Int = 3, _ body: () async throws -> [String]) async throws {
  var disturbances: [String] = []
  for attempt in 1...attempts {
    disturbances = try await body()
    if disturbances.isEmpty { return }
    print("known truth, attempt \(attempt) of \(attempts): \(disturbances.joined(separator: "; "))")
  }
  withKnownIssue("the machine disturbed every attempt") {
    Issue.record("\(disturbances.joined(separator: "; "))")
  }
}

func milliseconds(_ nanoseconds: UInt64) -> String { String(format: "%.3f ms", Double(nanoseconds) / 1e6) }
