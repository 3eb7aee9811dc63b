// The aggregated tables as JSON, for machines: the same numbers as the tables for people, unrounded and in base units.

import FoundationEssentials
import ResultFormat
import Statistics
import Workloads

struct MachineReport: Encodable {
  struct Case: Encodable {
    var name: String
    var workload: String
    var parameters: [String: String]
    var workers: Int
    var isOpenLoop: Bool
    /// Whether the model drives itself, and at a rate that the contract sets.
    var isInProcess: Bool
    var isPaced: Bool
    var rows: [Row]
    /// Absent where nothing can be resolved, as with too few rounds.
    var resolution: Resolution?
    var failures: [String]
    var notes: [String]
  }
  struct Row: Encodable {
    var model: String
    var variant: String?
    var plannedTrials: Int
    /// Trials by state.
    var states: [String: Int]
    var metrics: [String: Figure]
    /// What the probed rounds counted; nil where there were none.
    var probes: ProbeSummary.Row?
  }
  struct Figure: Encodable {
    var unit: String
    var better: String?
    /// One value per round that was ok, in the order of the rounds.
    var values: [Double]
    var median: Double
    var minimum: Double
    var maximum: Double
    /// Of the median, by the BCa bootstrap.
    var interval: [Double]?
    var intervalLevel: Double?
    /// Why there is no interval.
    var noInterval: String?
    /// `claimed`, `lower-bound`, `none`.
    var claim: String
    var isBest: Bool
  }
  /// What a further unit takes, over cases that differ only in how many there are.
  struct Marginal: Encodable {
    struct Row: Encodable {
      var model: String
      var variant: String?
      var user: Slope?
      var kernel: Slope?
      var total: Slope?
    }
    struct Slope: Encodable {
      /// Bytes a unit: one value per round, their median, and the interval of their mean.
      var values: [Double]
      var median: Double
      var interval: [Double]?
      var noInterval: String?
    }
    var workload: String
    var cases: [String]
    var units: [Int]
    var rows: [Row]
  }
  /// 3: intervals are those of the median, claims and resolutions are there.
  var schemaVersion = 3
  var preset: String
  var claims: Bool
  var isComplete: Bool
  var build: String
  var cases: [Case]
  /// Empty where the plan claims nothing.
  var families: [Family]
  var marginalMemory: [Marginal]

  /// - Parameter calibration: of the run's host, if there is one.
  init(_ run: Run, calibration: HostResolution? = nil) {
    preset = run.plan.preset
    claims = run.plan.claims
    isComplete = run.isComplete
    build = run.environment.build
    marginalMemory = MarginalMemory.all(of: run).map(Marginal.init)
    let summaries = run.plan.cases.map { CaseSummary($0, of: run, calibration: calibration) }
    families = WorkloadClaims.all(of: run, summaries).map(Family.init)
    cases = zip(run.plan.cases, summaries).map { planned, summary in
      let probes = ProbeSummary(summary, of: run)
      return Case(
        name: planned.name, workload: planned.workload, parameters: planned.parameters.mapValues(\.description),
        workers: planned.workers, isOpenLoop: summary.drive == .openLoop,
        isInProcess: !summary.drive.isServed, isPaced: summary.drive == .paced,
        rows: summary.rows.enumerated().map { Row($1, summary.metrics, probes?.rows[$0]) },
        resolution: Resolution(summary.resolution, calibration), failures: summary.failures,
        notes: summary.notes(headlines: run.plan.headlines(of: planned.name)) + (probes?.notes ?? []))
    }
  }

  var text: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(self) else { preconditionFailure("summaries hold finite numbers only") }
    return String(decoding: data, as: UTF8.self) + "\n"
  }
}

extension MachineReport.Marginal {
  init(_ summary: MarginalMemory) {
    workload = summary.workload
    cases = summary.cases.map(\.name)
    units = summary.cases.map(\.units)
    rows = summary.rows.map { row in
      Row(
        model: row.model.name, variant: row.model.variant, user: row.user.map(Slope.init),
        kernel: row.kernel.map(Slope.init), total: row.total.map(Slope.init))
    }
  }
}

extension MachineReport.Marginal.Slope {
  init(_ slope: MarginalMemory.Slope) {
    values = slope.values
    median = slope.median
    switch slope.interval {
    case .success(let found): interval = [found.low, found.high]
    case .failure(let reason): noInterval = reason.description
    }
  }
}

extension MachineReport.Row {
  init(_ row: RowSummary, _ metrics: [Metric], _ probes: ProbeSummary.Row?) {
    self.probes = probes
    model = row.model.name
    variant = row.model.variant
    plannedTrials = row.planned
    states = Dictionary(row.trials.map { ($0.state.rawValue, 1) }, uniquingKeysWith: +)
    self.metrics = [:]
    for metric in metrics {
      if let summary = row.metrics[metric.key] {
        self.metrics[metric.key] = MachineReport.Figure(summary, metric)
      }
    }
  }
}

extension MachineReport.Figure {
  init(_ summary: MetricSummary, _ metric: Metric) {
    let spread = summary.spread
    unit = metric.unit.name
    better = metric.better?.rawValue
    values = spread.values
    median = spread.median
    minimum = spread.minimum
    maximum = spread.maximum
    switch summary.interval {
    case .success(let found):
      interval = [found.low, found.high]
      intervalLevel = found.level
    case .failure(let reason):
      noInterval = reason.description
    }
    claim =
      switch summary.standing {
      case .claimed: "claimed"
      case .lowerBound: "lower-bound"
      case .noClaim: "none"
      }
    isBest = summary.isBest
  }
}
