// What a host can tell apart, as an A/A run (`switchyard calibrate`) found it: `calibration.json`. Reports of runs on
// the same host print it beside their claims; what a run shows of itself is an estimate from unlike models.

import Glibc

/// The version of `calibration.json` that this code writes, and the only one that it reads.
public let calibrationSchemaVersion = 1

/// The smallest differences that a host resolves, by workload, case and metric.
public struct HostResolution: Sendable, Codable, Hashable {
  public var schemaVersion: Int
  public var host: HostIdentity
  /// ISO 8601, UTC: the start of the A/A run.
  public var measuredAt: String
  /// The commit that was built, as in ``RunEnvironment``.
  public var revision: String?
  /// The models that were compared with themselves.
  public var models: [String]
  /// The probability of any false claim in a family, 0.05, and of finding a ratio that is there, 0.95: those of the
  /// decision rule.
  public var level: Double
  public var power: Double
  /// Rounds of the A/A run, and those for which `smallestRatio` holds.
  public var rounds: Int
  /// In the order of the A/A run's plan.
  public var figures: [ResolvedFigure]

  public init(
    host: HostIdentity, measuredAt: String, revision: String?, models: [String], level: Double, power: Double,
    rounds: Int, figures: [ResolvedFigure]
  ) {
    self.schemaVersion = calibrationSchemaVersion
    self.host = host
    self.measuredAt = measuredAt
    self.revision = revision
    self.models = models
    self.level = level
    self.power = power
    self.rounds = rounds
    self.figures = figures
  }

  /// What the A/A run found for a headline metric; nil where it did not measure that.
  public func figure(workload: String, case: String, metric: String) -> ResolvedFigure? {
    figures.first { $0.workload == workload && $0.case == `case` && $0.metric == metric }
  }
}

/// What makes two runs' figures those of one host, as far as the host says it.
public struct HostIdentity: Sendable, Codable, Hashable {
  public var processor: String
  /// Online.
  public var processors: Int
  public var kernel: String

  public init(processor: String, processors: Int, kernel: String) {
    self.processor = processor
    self.processors = processors
    self.kernel = kernel
  }

  public init(_ environment: RunEnvironment) {
    self.init(
      processor: environment.processor, processors: environment.processors, kernel: environment.kernel)
  }
}

/// What an A/A run found for one headline metric of one case.
public struct ResolvedFigure: Sendable, Codable, Hashable {
  public var workload: String
  public var `case`: String
  /// As in ``ClaimFamily``.
  public var metric: String
  /// The case's measured window: a shorter one scatters more.
  public var windowSeconds: Double
  /// The standard deviation of log(head / base) from round to round, pooled over the models compared with themselves.
  /// With it and the degrees of freedom a report derives the ratio for its own rounds and its own families.
  public var spread: Double
  public var degreesOfFreedom: Int
  /// The claims that `smallestRatio` is corrected for.
  public var familySize: Int
  /// The smallest ratio above 1 that is found at the level and power; its inverse is found as well. Nil where the run
  /// has fewer rounds than a claim needs.
  public var smallestRatio: Double?

  public init(
    workload: String, case: String, metric: String, windowSeconds: Double, spread: Double, degreesOfFreedom: Int,
    familySize: Int, smallestRatio: Double?
  ) {
    self.workload = workload
    self.case = `case`
    self.metric = metric
    self.windowSeconds = windowSeconds
    self.spread = spread
    self.degreesOfFreedom = degreesOfFreedom
    self.familySize = familySize
    self.smallestRatio = smallestRatio
  }
}

extension RunFiles {
  /// In the folder of the A/A run.
  public static let calibrationName = "calibration.json"

  /// Writes `calibration.json` to a folder, which must exist.
  /// - Throws: ``ResultError`` with the path and the system's reason; nothing is left behind.
  public static func writeCalibration(_ resolution: HostResolution, to directory: String) throws(ResultError) {
    let path = "\(directory)/\(calibrationName)"
    try writeText(String(decoding: try JSONText.encode(resolution, for: path), as: UTF8.self), to: path)
  }

  /// - Parameter directory: the folder of an A/A run, or the path of its `calibration.json`.
  /// - Throws: ``ResultError`` that names the file and what is wrong in it.
  public static func readCalibration(from directory: String) throws(ResultError) -> HostResolution {
    let path = directory.hasSuffix(".json") ? directory : "\(directory)/\(calibrationName)"
    let resolution = try JSONText.decode(Placed<HostResolution>.self, from: read(path), of: path).value
    guard resolution.schemaVersion == calibrationSchemaVersion else {
      throw ResultError(
        "\(path): schemaVersion is \(resolution.schemaVersion), and this switchyard reads \(calibrationSchemaVersion): "
          + "run 'switchyard calibrate' again")
    }
    for (index, figure) in resolution.figures.enumerated() {
      guard figure.spread >= 0, figure.spread.isFinite, figure.degreesOfFreedom > 0, figure.familySize > 0 else {
        throw ResultError(
          "\(path): figures[\(index)]: a spread of \(figure.spread) with \(figure.degreesOfFreedom) degrees of freedom "
            + "in a family of \(figure.familySize) is none: run 'switchyard calibrate' again")
      }
    }
    return resolution
  }
}
