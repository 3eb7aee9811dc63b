// The parameters of a workload: a name, a unit, a default and the values allowed. Every parameter can be set from the
// command line, is checked here and nowhere else, and lands in the result.

/// The value of one parameter, as it stands in requests, plans and results.
public enum ParameterValue: Sendable, Hashable, Codable, CustomStringConvertible {
  case integer(Int)
  case number(Double)
  case text(String)

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let value = try? container.decode(Int.self) {
      self = .integer(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else {
      self = .text(try container.decode(String.self))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .integer(let value): try container.encode(value)
    case .number(let value): try container.encode(value)
    case .text(let value): try container.encode(value)
    }
  }

  public var description: String {
    switch self {
    case .integer(let value): "\(value)"
    case .number(let value): "\(value)"
    case .text(let value): value
    }
  }
}

/// A value that a workload's contract does not allow. The message quotes the value and says what would be right.
public struct ParameterError: Error, Hashable, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}

/// One parameter of a workload's contract.
public struct Parameter: Sendable {
  /// What values a parameter may take.
  public enum Domain: Sendable {
    case integer(ClosedRange<Int>)
    /// Whole numbers that are multiples of `step`, as frame lengths must be.
    case multiple(of: Int, ClosedRange<Int>)
    /// Powers of `base` with whole exponents; both ends of the range are such powers.
    case power(of: Int, ClosedRange<Int>)
    case number(ClosedRange<Double>)
    case choice([String])
    /// A distribution of service times, see ``ServiceTime``.
    case serviceTime
  }

  public let name: String
  /// The unit as printed: `bytes`, `requests/s`, or empty for a plain count.
  public let unit: String
  public let domain: Domain
  public let defaultValue: ParameterValue
  public let summary: String

  public init(_ name: String, unit: String = "", _ domain: Domain, default value: ParameterValue, _ summary: String) {
    self.name = name
    self.unit = unit
    self.domain = domain
    self.defaultValue = value
    self.summary = summary
  }

  /// The values allowed, in words.
  public var range: String {
    switch domain {
    case .integer(let range): "\(range.lowerBound) to \(range.upperBound)"
    case .multiple(let step, let range): "\(range.lowerBound) to \(range.upperBound), a multiple of \(step)"
    case .power(let base, let range): "\(range.lowerBound) to \(range.upperBound), a power of \(base)"
    case .number(let range): "\(range.lowerBound) to \(range.upperBound)"
    case .choice(let names): names.joined(separator: " | ")
    case .serviceTime: ServiceTime.grammar
    }
  }

  /// Reads a value as it was typed after `--set name=`.
  /// - Throws: ``ParameterError`` if the text is no value of this parameter.
  public func parse(_ text: String) throws(ParameterError) -> ParameterValue {
    switch domain {
    case .integer, .multiple, .power:
      guard let value = Int(text) else { throw refusal(text) }
      return try validate(.integer(value))
    case .number:
      guard let value = Double(text) else { throw refusal(text) }
      return try validate(.number(value))
    case .choice, .serviceTime:
      return try validate(.text(text))
    }
  }

  /// The value in its canonical form, if the contract allows it.
  /// - Throws: ``ParameterError`` that quotes the value and names the range.
  public func validate(_ value: ParameterValue) throws(ParameterError) -> ParameterValue {
    switch (domain, value) {
    case (.integer(let range), .integer(let number)) where range.contains(number):
      return value
    case (.multiple(let step, let range), .integer(let number)) where range.contains(number) && number % step == 0:
      return value
    case (.power(let base, let range), .integer(let number))
    where range.contains(number) && Self.isPower(number, of: base):
      return value
    case (.number(let range), .number(let number)) where range.contains(number):
      return value
    case (.number(let range), .integer(let number)) where range.contains(Double(number)):
      return .number(Double(number))
    case (.choice(let names), .text(let text)) where names.contains(text):
      return value
    case (.serviceTime, .text(let text)):
      return .text(try ServiceTime(text).description)
    default:
      throw refusal(value.description)
    }
  }

  private static func isPower(_ number: Int, of base: Int) -> Bool {
    var rest = number
    while rest > 1, rest % base == 0 { rest /= base }
    return rest == 1
  }

  private func refusal(_ text: String) -> ParameterError {
    ParameterError("'\(text)' is not a value of \(name): expected \(range)\(unit.isEmpty ? "" : " (\(unit))")")
  }
}
