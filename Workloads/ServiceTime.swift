// How long the backend takes to answer a sub-request: a distribution, written as text in parameters and results.

/// A distribution of service times. Text form: `none`, `fixed(1ms)`, `exponential(1ms)`, `bimodal(1ms,20ms,2%)`;
/// durations take the suffixes `ns`, `us`, `ms` and `s`.
public enum ServiceTime: Sendable, Hashable, CustomStringConvertible {
  case none
  case fixed(nanoseconds: Int)
  case exponential(meanNanoseconds: Int)
  /// `slowNanoseconds` in a share `slowShare` (0 to 1) of the cases, `fastNanoseconds` in the others.
  case bimodal(fastNanoseconds: Int, slowNanoseconds: Int, slowShare: Double)

  static let grammar = "none | fixed(1ms) | exponential(1ms) | bimodal(1ms,20ms,2%), durations up to 10s"

  /// - Throws: ``ParameterError`` that quotes the text.
  public init(_ text: String) throws(ParameterError) {
    guard let value = Self.parse(text.filter { !$0.isWhitespace }) else {
      throw ParameterError("'\(text)' is not a service time: expected \(Self.grammar)")
    }
    self = value
  }

  private static func parse(_ text: String) -> ServiceTime? {
    if text == "none" { return ServiceTime.none }
    guard let open = text.firstIndex(of: "("), text.last == ")" else { return nil }
    let inside = text[text.index(after: open)...].dropLast()
    let arguments = inside.split(separator: ",", omittingEmptySubsequences: false)
    switch (text[..<open], arguments.count) {
    case ("fixed", 1):
      return duration(arguments[0]).map { .fixed(nanoseconds: $0) }
    case ("exponential", 1):
      return duration(arguments[0]).map { .exponential(meanNanoseconds: $0) }
    case ("bimodal", 3):
      guard let fast = duration(arguments[0]), let slow = duration(arguments[1]), arguments[2].last == "%",
        let percent = Double(arguments[2].dropLast()), (0...100).contains(percent)
      else { return nil }
      return .bimodal(fastNanoseconds: fast, slowNanoseconds: slow, slowShare: percent / 100)
    default:
      return nil
    }
  }

  /// `1ms`, `250us`, ... in nanoseconds, at most ten seconds.
  private static func duration(_ text: Substring) -> Int? {
    let digits = text.prefix { $0.isNumber || $0 == "." }
    let scales: [Substring: Double] = ["ns": 1, "us": 1e3, "µs": 1e3, "ms": 1e6, "s": 1e9]
    guard let scale = scales[text[digits.endIndex...]], let value = Double(digits) else { return nil }
    let nanoseconds = value * scale
    return (0...10e9).contains(nanoseconds) ? Int(nanoseconds.rounded()) : nil
  }

  public var description: String {
    switch self {
    case .none: "none"
    case .fixed(let time): "fixed(\(Self.text(time)))"
    case .exponential(let mean): "exponential(\(Self.text(mean)))"
    case .bimodal(let fast, let slow, let share):
      "bimodal(\(Self.text(fast)),\(Self.text(slow)),\(Self.trimmed(share * 100))%)"
    }
  }

  private static func text(_ nanoseconds: Int) -> String {
    for (scale, suffix) in [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")]
    where nanoseconds != 0 && nanoseconds % scale == 0 {
      return "\(nanoseconds / scale)\(suffix)"
    }
    return "\(nanoseconds)ns"
  }

  private static func trimmed(_ value: Double) -> String {
    let rounded = (value * 1e6).rounded() / 1e6
    return rounded == rounded.rounded() ? "\(Int(rounded))" : "\(rounded)"
  }
}
