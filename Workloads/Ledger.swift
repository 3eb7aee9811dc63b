// What both sides counted, and what the oracle found when it compared them.

/// Counts over a whole trial, by name. They must balance: units started = finished, requests sent = answered, ...
public struct Ledger: Sendable, Hashable, Codable, ExpressibleByDictionaryLiteral {
  public var counts: [String: Int]

  public init(_ counts: [String: Int] = [:]) { self.counts = counts }
  public init(dictionaryLiteral elements: (String, Int)...) {
    counts = Dictionary(uniqueKeysWithValues: elements)
  }
  public init(from decoder: any Decoder) throws {
    counts = try decoder.singleValueContainer().decode([String: Int].self)
  }
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(counts)
  }

  /// The count of that name; nil if the ledger does not have it.
  public subscript(name: String) -> Int? {
    get { counts[name] }
    set { counts[name] = newValue }
  }
}

/// A rule of a workload's contract that a trial broke.
public struct Finding: Sendable, Hashable, Codable, CustomStringConvertible {
  /// The rule's short name, as listed by `switchyard describe`.
  public let rule: String
  /// What was counted and what was expected.
  public let message: String

  public init(_ rule: String, _ message: String) {
    self.rule = rule
    self.message = message
  }
  public var description: String { "\(rule): \(message)" }
}
