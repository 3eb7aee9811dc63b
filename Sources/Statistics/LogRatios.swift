// What a comparison is made of: the logarithms of head / base, one per round. Trials of one round share its
// disturbances, which cancel in the ratio; logarithms make "twice" and "half" equally far from "equal", and turn a
// multiplicative spread into one that does not depend on the size of the figure.

import Glibc

/// Why two series of figures cannot be compared by their ratio.
public enum NoComparison: Error, Sendable, Hashable, CustomStringConvertible {
  /// A figure has no logarithm: zero, negative, infinite, or not a number.
  case notPositive(round: Int, value: Double)

  public var description: String {
    switch self {
    case .notPositive(let round, let value):
      "no ratio in round \(round): \(value) is not positive and finite; compare such figures by their difference"
    }
  }
}

/// The logarithm of head / base in each round that has both.
public struct LogRatios: Sendable, Hashable {
  /// Differences of logarithms below this are rounding: a double keeps ratios to 2e-16, and figures pass through a few
  /// operations and a decimal notation before they come here.
  static let rounding = 1e-12
  /// More than the logarithm of any ratio of two doubles, which is 1,455 at most.
  static let largest = 1_500.0
  /// What a standard deviation of them can be: two of opposite sign.
  static let spreads = 0...2 * largest

  /// Natural logarithms, in the order of the rounds; finite.
  public let values: [Double]
  /// The rounds behind `values`, ascending.
  public let rounds: [Int]
  /// Rounds in which only one of the two has a figure, ascending: left out of the comparison, and to be reported.
  public let unpaired: [Int]

  /// How many rounds are compared.
  public var count: Int { values.count }

  /// - Parameters:
  ///   - base: the figure by round of what is compared with.
  ///   - head: the figure by round of what is judged.
  /// - Throws: ``NoComparison`` for the first round with a figure that has no logarithm.
  public init(base: [Int: Double], head: [Int: Double]) throws(NoComparison) {
    var values: [Double] = []
    let rounds = base.keys.filter { head[$0] != nil }.sorted()
    for round in rounds {
      guard let b = base[round], let h = head[round] else { continue }
      for value in [b, h] where !(value > 0 && value.isFinite) {
        throw .notPositive(round: round, value: value)
      }
      // Not log(h / b): the quotient of two figures may overflow.
      values.append(h == b ? 0 : log(h) - log(b))
    }
    self.values = values
    self.rounds = rounds
    unpaired = Set(base.keys).symmetricDifference(head.keys).sorted()
  }

  /// - Parameters: figures of rounds 0, 1, ..., equally many of both.
  /// - Throws: ``NoComparison`` for the first round with a figure that has no logarithm.
  public init(base: [Double], head: [Double]) throws(NoComparison) {
    precondition(base.count == head.count, "figures come in pairs")
    try self.init(
      base: Dictionary(uniqueKeysWithValues: base.enumerated().map { ($0, $1) }),
      head: Dictionary(uniqueKeysWithValues: head.enumerated().map { ($0, $1) }))
  }

  /// Logarithms of ratios of rounds 0, 1, ....
  /// - Precondition: all are those of a ratio of two doubles: finite, and 1,500 at most.
  public init(_ logarithms: [Double]) {
    precondition(logarithms.allSatisfy { abs($0) <= Self.largest }, "these are no logarithms of ratios of two doubles")
    values = logarithms
    rounds = Array(logarithms.indices)
    unpaired = []
  }
}
