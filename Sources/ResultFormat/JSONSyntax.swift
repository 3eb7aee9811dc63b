// Where a text stops being JSON (RFC 8259), by line and column: a truncated or hand-edited result is easily put right
// by someone who knows where to look. It only looks; decoding is Foundation's.

struct JSONSyntax {
  struct Failure: Error, CustomStringConvertible {
    let line: Int
    let column: Int
    let message: String
    var description: String { "line \(line), column \(column): \(message)" }
  }

  /// Foundation's own limit.
  private static let deepest = 512
  private let bytes: [UInt8]
  private var position = 0

  static func firstError(in bytes: [UInt8]) -> Failure? {
    var scanner = JSONSyntax(bytes: bytes)
    do throws(Failure) {
      try scanner.document()
      return nil
    } catch {
      return error
    }
  }

  private init(bytes: [UInt8]) { self.bytes = bytes }

  private mutating func document() throws(Failure) {
    try value(depth: 0)
    skipSpace()
    guard position == bytes.count else { throw failure("there is more after the end of the JSON") }
  }

  private mutating func value(depth: Int) throws(Failure) {
    guard depth < Self.deepest else { throw failure("more than \(Self.deepest) levels of nesting") }
    skipSpace()
    switch peek {
    case UInt8(ascii: "{"):
      try list(closing: "}") { scanner throws(Failure) in
        scanner.skipSpace()
        guard scanner.peek == UInt8(ascii: "\"") else { throw scanner.failure("expected a key in quotes") }
        try scanner.string()
        scanner.skipSpace()
        guard scanner.take(":") else { throw scanner.failure("expected ':'") }
        try scanner.value(depth: depth + 1)
      }
    case UInt8(ascii: "["):
      try list(closing: "]") { scanner throws(Failure) in try scanner.value(depth: depth + 1) }
    case UInt8(ascii: "\""):
      try string()
    case UInt8(ascii: "t"): try word("true")
    case UInt8(ascii: "f"): try word("false")
    case UInt8(ascii: "n"): try word("null")
    default:
      try number()
    }
  }

  private mutating func list(closing: Unicode.Scalar, element: (inout JSONSyntax) throws(Failure) -> Void)
    throws(Failure)
  {
    position += 1
    skipSpace()
    if take(closing) { return }
    while true {
      try element(&self)
      skipSpace()
      if take(closing) { return }
      guard take(",") else { throw failure("expected ',' or '\(closing)'") }
    }
  }

  private mutating func string() throws(Failure) {
    position += 1
    while let byte = peek {
      position += 1
      switch byte {
      case UInt8(ascii: "\""): return
      case UInt8(ascii: "\\"):
        // The four digits after \u and the UTF-8 are left to the decoder.
        guard let escaped = peek, "\"\\/bfnrtu".utf8.contains(escaped) else { throw failure("unknown escape") }
        position += 1
      case 0..<0x20:
        position -= 1
        throw failure("a control character within a string")
      default: break
      }
    }
    throw failure("the string does not end")
  }

  private mutating func number() throws(Failure) {
    let start = position
    _ = take("-")
    if !take("0") { try digits(from: start) }
    if take(".") { try digits(from: start) }
    if take("e") || take("E") {
      if !take("+") { _ = take("-") }
      try digits(from: start)
    }
  }

  private mutating func digits(from start: Int) throws(Failure) {
    let first = position
    while let byte = peek, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
    guard position > first else { throw failure(position == start ? "expected a value" : "expected a digit") }
  }

  private mutating func word(_ text: StaticString) throws(Failure) {
    let expected = text.withUTF8Buffer { Array($0) }
    guard bytes[position...].starts(with: expected) else { throw failure("expected a value") }
    position += expected.count
  }

  private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard peek == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func skipSpace() {
    while let byte = peek, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { position += 1 }
  }

  private func failure(_ message: String) -> Failure {
    let before = bytes[..<position]
    let line = before.count { $0 == 0x0a } + 1
    let column = position - (before.lastIndex(of: 0x0a) ?? -1)
    return Failure(
      line: line, column: column,
      message: position == bytes.count ? "the file ends here, cut short: \(message)" : message)
  }
}
