// How one figure varied over the rounds of a run. The rounds are the replicates: trials within a round share its
// disturbances, and the samples within a trial are far from independent.

import Glibc

/// A range that covers the true value with probability `level`, if its assumptions hold.
public struct Interval: Sendable, Hashable {
  public let low: Double
  public let high: Double
  /// 0.95 for a 95 % interval.
  public let level: Double

  /// How far the ends are from the middle, as a factor less 1: 0.02 for an interval of ± 2 %. nil unless both ends are
  /// positive.
  public var relativeHalfWidth: Double? { low > 0 ? (high / low).squareRoot() - 1 : nil }
}

/// Why there is no interval.
public enum NoInterval: Error, Sendable, Hashable, CustomStringConvertible {
  case tooFewRounds(have: Int, need: Int)
  /// A value has no logarithm.
  case notPositive(Double)
  /// The points of a line are too few, or too few of their x differ.
  case tooFewPoints(have: Int)

  public var description: String {
    switch self {
    case .tooFewRounds(let have, let need):
      "too few rounds for an interval: \(have), and \(need) would do"
    case .tooFewPoints(let have):
      "too few points for the interval of a slope: \(have); measure at more sizes"
    case .notPositive(let value):
      "no interval: \(value) is not positive, and the interval is one of ratios"
    }
  }
}

/// A figure over rounds.
public struct Spread: Sendable, Hashable {
  /// Rounds needed for an interval: with fewer, t's quantile is so large that the interval says nothing, and normality
  /// of the logarithms matters most.
  public static let roundsForInterval = 5

  /// One value per round.
  public let values: [Double]
  public let median: Double
  public let minimum: Double
  public let maximum: Double
  /// The t interval of the mean logarithm, mapped back: it is one of the geometric mean, which is what ratios between
  /// models are made of.
  public let interval: Result<Interval, NoInterval>

  public var count: Int { values.count }

  /// Half of the range between minimum and maximum over the median; nil where the median is 0.
  public var relativeHalfRange: Double? { median == 0 ? nil : (maximum - minimum) / 2 / abs(median) }

  /// - Parameter values: one per round, finite.
  /// - Returns: nil if there is none.
  public init?(_ values: [Double], level: Double = 0.95) {
    precondition(values.allSatisfy(\.isFinite), "figures are finite")
    guard let median = Statistics.median(values), let minimum = values.min(), let maximum = values.max() else {
      return nil
    }
    self.values = values
    self.median = median
    self.minimum = minimum
    self.maximum = maximum
    interval = Self.interval(values, level)
  }

  private static func interval(_ values: [Double], _ level: Double) -> Result<Interval, NoInterval> {
    guard values.count >= roundsForInterval else {
      return .failure(.tooFewRounds(have: values.count, need: roundsForInterval))
    }
    guard let logarithms = logarithms(values) else {
      return .failure(.notPositive(values.min()!))
    }
    let moments = Moments(logarithms)
    let reach = moments.reach(level: level)
    return .success(
      Interval(low: exp(moments.mean - reach), high: exp(moments.mean + reach), level: level))
  }
}
