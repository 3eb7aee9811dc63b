// The same as JSON, for machines: unrounded, in requests per second and nanoseconds.

import FoundationEssentials
import ResultFormat

struct MachineCapacity: Encodable {
  struct Model: Encodable {
    var model: String
    var variant: String?
    /// `found`, `below-lowest`, `above-highest`, `rig-limit`, `unsettled`, `unsupported`; nil if interrupted.
    var ending: String?
    var reason: String?
    /// Requests per second.
    var capacity: Double?
    var low: Double?
    var high: Double?
    var sustained: Double?
    var missed: Double?
    var searchTrials: Int
    /// Whether the objective was met at the share that is checked: the majority of its trials that tell.
    var meetsCheck: Bool?
    var curve: [Point]
  }
  struct Point: Encodable {
    var share: Double
    var offeredPerSecond: Double
    var answeredPerSecond: Double
    var goodputPerSecond: Double
    var goodShare: Double
    var p50: Percentile?
    var p99: Percentile?
    var p999: Percentile?
    var rigBusyShare: Double
    var verdict: String
  }
  struct Percentile: Encodable {
    var nanoseconds: Double
    var isClaimed: Bool

    init?(_ percentile: CapacitySummary.Percentile?) {
      guard let percentile else { return nil }
      nanoseconds = percentile.nanoseconds
      isClaimed = percentile.isClaimed
    }
  }
  var schemaVersion: Int
  var `case`: String
  var workload: String
  var workers: Int
  var objective: String
  var latencyClass: String
  var intervalLevel: Double
  var checkShare: Double
  var build: String
  var isInterrupted: Bool
  var models: [Model]

  init(_ result: CapacityResult) {
    let plan = result.plan
    schemaVersion = result.schemaVersion
    `case` = plan.case.name
    workload = plan.case.workload
    workers = plan.case.workers
    objective = plan.objective.description
    latencyClass = plan.latencyClass
    intervalLevel = plan.level
    checkShare = plan.checkShare
    build = result.environment.build
    isInterrupted = result.isInterrupted
    models = result.models.map { model in
      let summary = CapacitySummary(model, of: result)
      return Model(
        model: model.model.name, variant: model.model.variant, ending: model.ending?.rawValue, reason: model.reason,
        capacity: model.capacity?.requestsPerSecond, low: model.capacity?.low, high: model.capacity?.high,
        sustained: model.sustained, missed: model.missed, searchTrials: summary.searchTrials,
        meetsCheck: result.meetsCheck(model),
        curve: summary.points.map { point in
          Point(
            share: point.share, offeredPerSecond: point.offered, answeredPerSecond: point.answered,
            goodputPerSecond: point.goodput, goodShare: point.goodShare, p50: Percentile(point.p50),
            p99: Percentile(point.p99), p999: Percentile(point.p999), rigBusyShare: point.rigBusyShare,
            verdict: point.verdict)
        })
    }
  }

  var text: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(self) else { preconditionFailure("summaries hold finite numbers only") }
    return String(decoding: data, as: UTF8.self) + "\n"
  }
}
