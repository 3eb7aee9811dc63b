// JSON as it stands in a run's files: keys sorted and one value a line, so that two runs can be compared with diff;
// and decoding errors put as sentences that say where.

import FoundationEssentials

enum JSONText {
  /// - Throws: ``ResultError`` for a number that JSON cannot hold.
  static func encode(_ value: some Encodable, for path: String) throws(ResultError) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    do {
      return Array(try encoder.encode(value)) + [UInt8(ascii: "\n")]
    } catch EncodingError.invalidValue(let value, let context) {
      throw ResultError("cannot write \(path): \(place(context.codingPath)) is \(value), which JSON cannot hold")
    } catch {
      throw ResultError("cannot write \(path): \(error)")
    }
  }

  static func decode<Value: Decodable>(_: Value.Type, from bytes: [UInt8], of path: String) throws(ResultError)
    -> Value
  {
    guard !bytes.isEmpty else {
      throw ResultError("\(path): the file is empty: it was not written to its end, so make the run again")
    }
    // Foundation says of a syntax error only that there is one.
    if let error = JSONSyntax.firstError(in: bytes) { throw ResultError("\(path): \(error)") }
    do {
      return try JSONDecoder().decode(Value.self, from: Data(bytes))
    } catch let error as DecodingError {
      throw ResultError("\(path): \(sentence(error))")
    } catch {
      throw ResultError("\(path): \(error)")
    }
  }

  private static func sentence(_ error: DecodingError) -> String {
    switch error {
    case .keyNotFound(let key, let context):
      return "\(place(context.codingPath)) lacks '\(key.stringValue)'"
    case .valueNotFound(_, let context):
      return "\(place(context.codingPath)) is null: a value is needed"
    case .typeMismatch(_, let context), .dataCorrupted(let context):
      return "\(place(context.codingPath)): \(context.debugDescription)"
    @unknown default:
      return "\(error)"
    }
  }

  /// `trials[3].cpu.pageFaults`.
  static func place(_ path: [any CodingKey]) -> String {
    guard !path.isEmpty else { return "the whole of it" }
    return path.reduce(into: "") { text, key in
      if let index = key.intValue {
        text += "[\(index)]"
      } else {
        text += text.isEmpty ? key.stringValue : ".\(key.stringValue)"
      }
    }
  }
}

/// Says where a number stands that fits no field of its type: the decoder reports those, as -1 or 2.5 for a count,
/// without a place.
struct Placed<Value: Decodable>: Decodable {
  let value: Value

  init(from decoder: any Decoder) throws {
    do {
      value = try Value(from: decoder)
    } catch let error as DecodingError {
      throw error
    } catch {
      throw DecodingError.dataCorrupted(
        .init(
          codingPath: decoder.codingPath,
          debugDescription: "a number does not fit its field (a count is whole, and not negative): \(error)"))
    }
  }
}

/// Decodes a name out of a fixed list, and lists them where it is none.
func decodeName<Name: RawRepresentable & CaseIterable>(from decoder: any Decoder) throws -> Name
where Name.RawValue == String {
  let text = try decoder.singleValueContainer().decode(String.self)
  guard let name = Name(rawValue: text) else {
    let known = Name.allCases.map(\.rawValue).joined(separator: ", ")
    throw DecodingError.dataCorrupted(
      .init(codingPath: decoder.codingPath, debugDescription: "'\(text)' is unknown: expected one of \(known)"))
  }
  return name
}
