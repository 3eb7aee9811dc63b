// Numbers as people read them: three significant digits, one unit a column so that its values can be compared at a
// glance.

import Glibc

/// What a figure is measured in. Figures are kept in the base unit: nanoseconds, bytes, operations a second, counts.
enum Unit: Sendable, Hashable {
  case time, bytes, rate, count
  /// Counts per operation, whose noun it carries.
  case perOperation(String)
  /// A workload's own measure, never scaled.
  case other(String)

  /// The name in machine-readable output.
  var name: String {
    switch self {
    case .time: "nanoseconds"
    case .bytes: "bytes"
    case .rate: "1/s"
    case .count: "count"
    case .perOperation(let noun): "1/\(noun)"
    case .other(let name): name
    }
  }

  /// The unit in which the given values are best shown, and its size in base units.
  func scale(for values: [Double]) -> (symbol: String, size: Double) {
    let scales: [(String, Double)] =
      switch self {
      case .time: [("ns", 1), ("µs", 1e3), ("ms", 1e6), ("s", 1e9)]
      case .bytes: [("B", 1), ("KiB", 1_024), ("MiB", 1_048_576), ("GiB", 1_073_741_824)]
      case .rate: [("/s", 1), ("k/s", 1e3), ("M/s", 1e6)]
      case .count: [("", 1)]
      case .perOperation(let noun): [("/\(noun)", 1)]
      case .other(let name): [(name, 1)]
      }
    // By the smallest: that its digits stay is worth more than that the largest is short.
    let smallest = values.filter { $0 > 0 }.min() ?? 0
    let fitting = scales.last { $0.1 <= smallest } ?? scales[0]
    return (fitting.0, fitting.1)
  }
}

/// Three significant digits, thousands apart: `0.0123`, `1.23`, `123`, `12,300`.
func significant(_ value: Double) -> String {
  guard value.isFinite else { return "?" }
  guard value != 0 else { return "0" }
  if value < 0 { return "−" + significant(-value) }
  let exponent = Int(floor(log10(value)))
  guard exponent >= -6 else { return "0" }
  let decimals = max(0, 2 - exponent)
  let unit = pow(10, Double(exponent - 2))
  // Rounded to three digits first; 9.996 becomes 10.0, which has a digit less after the point.
  let digits = (value / unit).rounded()
  if digits >= 1_000 && decimals > 0 { return significant(digits * unit) }
  if decimals == 0 { return grouped(Int(exactly: (digits * unit).rounded()) ?? .max) }
  let scaled = Int(digits)
  let divisor = (0..<decimals).reduce(1) { power, _ in power * 10 }
  let fraction = String(scaled % divisor)
  return "\(scaled / divisor)." + String(repeating: "0", count: decimals - fraction.count) + fraction
}

/// Three significant digits without zeros at the end: `0.07`, `6`.
func trimmed(_ value: Double) -> String {
  let text = significant(value)
  guard text.contains(".") else { return text }
  let digits = text.reversed().drop { $0 == "0" }.drop { $0 == "." }
  return String(digits.reversed())
}

/// `12,345`.
func grouped(_ value: Int) -> String {
  let digits = Array(String(value.magnitude))
  var text = value < 0 ? "−" : ""
  for (index, digit) in digits.enumerated() {
    if index > 0 && (digits.count - index) % 3 == 0 { text += "," }
    text.append(digit)
  }
  return text
}

/// How far two ends lie from a figure, in whole percent of it and rounded up, so that it is never understated: `±2%`, or
/// `−2/+5%` where they differ; empty for a figure of 0.
func offsets(_ low: Double, _ high: Double, around value: Double) -> String {
  guard value != 0 else { return "" }
  func percent(_ distance: Double) -> String {
    let percent = (distance / abs(value) * 100 - 1e-9).rounded(.up)
    return percent < 1_000 ? "\(Int(max(0, percent)))" : ">999"
  }
  let (below, above) = (percent(value - low), percent(high - value))
  return below == above ? "±\(below)%" : "−\(below)/+\(above)%"
}

/// A ratio with three digits after the point, where it is near 1: `0.987`, `1.02` would hide as much as it shows.
func factor(_ ratio: Double) -> String {
  guard ratio >= 0.1, ratio < 9.9995 else { return significant(ratio) }
  let thousandths = Int((ratio * 1_000).rounded())
  let fraction = String(thousandths % 1_000)
  return "\(thousandths / 1_000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
}

/// A probability with four decimals at most.
func probability(_ p: Double) -> String {
  if p < 0.0001 { return "<0.0001" }
  return p >= 0.9995 ? "1" : trimmed((p * 10_000).rounded() / 10_000)
}

/// `1 worker`, `3 rounds`.
func counted(_ count: Int, _ noun: String) -> String { "\(grouped(count)) \(noun)\(count == 1 ? "" : "s")" }

/// For JSON, which has no other numbers: nil for what is infinite or none.
func finite(_ value: Double) -> Double? { value.isFinite ? value : nil }
