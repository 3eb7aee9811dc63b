// A service objective, `p99<10ms`: what a rate has to keep to be called sustained.

/// A percentile of the latency and the limit below which it has to stay.
public struct ServiceObjective: Sendable, Hashable, CustomStringConvertible {
  /// Of 10,000 requests, those that have to be below the limit: 9,900 for p99.
  public let perTenThousand: Int
  public let limitNanoseconds: UInt64

  /// A microsecond to a minute.
  private static let limits: ClosedRange<Double> = 1e3...60e9
  private static let units: [(name: String, nanoseconds: Double)] = [
    ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9),
  ]

  /// - Parameter text: `pNN<DURATION` or `pNN.N<DURATION`, the duration in us, ms or s.
  /// - Throws: ``ResultError`` that quotes the text and says what would be right.
  public init(_ text: String) throws(ResultError) {
    let parts = text.filter { $0 != " " }.split(separator: "<", omittingEmptySubsequences: false)
    guard parts.count == 2, let share = Self.share(parts[0]), let limit = Self.nanoseconds(parts[1]) else {
      throw ResultError(
        "'\(text)' is no service objective: expected a percentile from p1 to p99.9 and a limit from 1us to 60s, as in "
          + "'p99<10ms' or 'p99.9<1s' (quoted, since the shell takes < for itself)")
    }
    perTenThousand = share
    limitNanoseconds = limit
  }

  /// `p99.9` is 9,990.
  private static func share(_ text: Substring) -> Int? {
    guard text.first == "p" else { return nil }
    let digits = text.dropFirst().split(separator: ".", omittingEmptySubsequences: false)
    guard let whole = digits.first, (1...2).contains(whole.count), whole.allSatisfy(isDigit), let percent = Int(whole)
    else { return nil }
    var tenths = 0
    if digits.count == 2 {
      guard digits[1].count == 1, digits[1].allSatisfy(isDigit), let fraction = Int(digits[1]) else { return nil }
      tenths = fraction
    }
    guard digits.count <= 2, percent >= 1 else { return nil }
    return percent * 100 + tenths * 10
  }

  private static func nanoseconds(_ text: Substring) -> UInt64? {
    for unit in units where text.hasSuffix(unit.name) {
      let number = text.dropLast(unit.name.count)
      // `ms` ends in `s`, too: what stands before has to be a plain number.
      guard !number.isEmpty, number.allSatisfy({ isDigit($0) || $0 == "." }), let value = Double(number) else {
        continue
      }
      let nanoseconds = (value * unit.nanoseconds).rounded()
      return limits.contains(nanoseconds) ? UInt64(nanoseconds) : nil
    }
    return nil
  }

  private static func isDigit(_ character: Character) -> Bool { ("0"..."9").contains(character) }

  /// `p99.9`.
  public var percentile: String {
    let tenths = perTenThousand % 100 / 10
    return "p\(perTenThousand / 100)" + (tenths == 0 ? "" : ".\(tenths)")
  }

  /// `10ms`.
  public var limit: String {
    let nanoseconds = Double(limitNanoseconds)
    let unit = Self.units.last { limitNanoseconds % UInt64($0.nanoseconds) == 0 } ?? Self.units[0]
    let value = nanoseconds / unit.nanoseconds
    return (value == value.rounded() ? "\(Int(value))" : "\(value)") + (unit.nanoseconds == 1e3 ? "us" : unit.name)
  }

  /// As it is typed, in its canonical form.
  public var description: String { "\(percentile)<\(limit)" }
}

/// One word on disk, `"p99<10ms"`.
extension ServiceObjective: Codable {
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    do throws(ResultError) {
      try self.init(text)
    } catch {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: error.description)
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}

// MARK: - What a trial says of it

/// How a trial's latencies stand to an objective.
public struct Attainment: Sendable, Hashable {
  /// Requests of the window, and those answered below the limit.
  public let requests: Int
  public let good: Int
  /// Good requests per second of the window: the goodput.
  public let goodPerSecond: Double
  /// The objective's percentile.
  public let percentileNanoseconds: UInt64
  /// What the rig itself may have added to it: its own lateness at that percentile, sending and replying.
  public let rigNanoseconds: UInt64
  public let isMet: Bool
}

extension Figures {
  /// - Parameter latencyClass: the class that the objective is about.
  /// - Returns: nil if nothing was recorded in that class.
  /// - Throws: ``ResultError`` if a histogram cannot be decoded.
  public func attainment(of objective: ServiceObjective, in latencyClass: String) throws(ResultError) -> Attainment? {
    guard let slots = try latencies[latencyClass]?.slots(),
      let percentile = slots.value(atPerTenThousand: objective.perTenThousand)
    else { return nil }
    var lateness: UInt64 = 0
    for summary in [rig?.sendLateness, rig?.backendLateness] {
      lateness += try summary?.slots().value(atPerTenThousand: objective.perTenThousand) ?? 0
    }
    // A slot that holds the limit holds values above it, and counts as beyond: the same rule as the percentile's.
    let good = slots.slots.reduce(0) { sum, slot in
      HistogramSlots.values(at: slot.index).upperBound < objective.limitNanoseconds ? sum + slot.count : sum
    }
    return Attainment(
      requests: slots.count, good: good, goodPerSecond: Double(good) * 1e9 / Double(Swift.max(1, windowNanoseconds)),
      percentileNanoseconds: percentile, rigNanoseconds: lateness, isMet: percentile < objective.limitNanoseconds)
  }
}
