// A calibration as JSON, for machines: the same findings as the tables for people, unrounded.

import FoundationEssentials
import ResultFormat
import Statistics

struct MachineCalibration: Encodable {
  struct Alarms: Encodable {
    var comparisons: Int
    /// Independent ones among them, at least.
    var independent: Int
    var calledDifferent: Int
    var share: Double
    var interval: [Double]?
  }
  struct Comparison: Encodable {
    var workload: String
    var `case`: String
    var metric: String
    var model: String
    var variant: String?
    var rounds: Int
    /// Copy over model: the geometric mean over rounds.
    var ratio: Double?
    var interval: [Double]?
    /// The standard deviation of the ratio's logarithm from round to round.
    var spread: Double?
    var p: Double?
    var correctedP: Double
    var familySize: Int
    var signedRankP: Double?
    var verdict: String

    init(_ claim: Claim<SelfComparisonID>) {
      workload = claim.id.workload
      self.case = claim.id.case
      metric = claim.id.metric
      model = claim.id.model
      variant = claim.id.variant
      rounds = claim.test?.rounds ?? 0
      ratio = claim.test.map(\.ratio).flatMap(finite)
      interval = claim.test.flatMap { try? $0.interval(level: 0.95).get() }.flatMap { found in
        finite(found.low).flatMap { low in finite(found.high).map { [low, $0] } }
      }
      spread = claim.test?.spread
      p = claim.test?.p
      correctedP = claim.adjustedP
      familySize = claim.familySize
      signedRankP = claim.check?.p
      verdict = claim.verdict.description
    }
  }
  struct Slowed: Encodable {
    var comparison: Comparison
    var expectedRatio: Double?
    /// The smallest that equal copies say can be found.
    var resolvedRatio: Double?
    var outcome: String
  }
  struct Arranged: Encodable {
    var comparisons: Int
    var independent: Int
    /// Medians of the absolute logarithm of a ratio whose truth is 1.
    var medianErrorInRounds: Double
    var medianErrorInBlocks: Double
    var varianceRatio: Double?
    var varianceRatioInterval: [Double]?
    var calledDifferentInBlocks: Alarms
  }
  var schemaVersion = 1
  var isComplete: Bool
  var build: String
  var rounds: Int
  var level: Double
  var power: Double
  var objections: [String]
  var uncorrected: Alarms
  var corrected: Alarms
  /// Comparisons in which every round agrees exactly, and those with too few rounds; neither is in the shares.
  var exact: Int
  var untestable: Int
  var comparisons: [Comparison]
  var slowed: [Slowed]
  var resolution: HostResolution
  var arrangement: Arranged?

  init(_ report: CalibrationReport) {
    isComplete = report.run.isComplete
    build = report.run.environment.build
    rounds = report.run.plan.rounds
    level = report.rule.level
    power = report.rule.power
    objections = report.objections
    uncorrected = Alarms(report.uncorrected)
    corrected = Alarms(report.corrected)
    exact = report.comparisons.count { $0.isTestable && $0.agreesExactly }
    untestable = report.comparisons.count { !$0.isTestable }
    comparisons = report.comparisons.map { Comparison($0.claim) }
    slowed = report.slowed.map { one in
      Slowed(
        comparison: Comparison(one.claim), expectedRatio: finite(one.expected),
        resolvedRatio: one.resolved.flatMap(finite),
        outcome: one.outcome.rawValue)
    }
    resolution = report.resolution
    arrangement = report.arrangement.map { found in
      let interval = found.ratio.interval()
      return Arranged(
        comparisons: found.comparisons, independent: found.cells, medianErrorInRounds: found.interleavedError,
        medianErrorInBlocks: found.blockedError, varianceRatio: finite(found.ratio.ratio),
        varianceRatioInterval: finite(interval.low).flatMap { low in finite(interval.high).map { [low, $0] } },
        calledDifferentInBlocks: Alarms(found.blocked))
    }
  }

  var text: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(self) else { preconditionFailure("findings hold finite numbers only") }
    return String(decoding: data, as: UTF8.self) + "\n"
  }
}

extension MachineCalibration.Alarms {
  init(_ alarms: FalseAlarms) {
    comparisons = alarms.comparisons
    independent = alarms.cells
    calledDifferent = alarms.alarms
    share = alarms.share
    interval = alarms.interval.map { [$0.low, $0.high] }
  }
}
