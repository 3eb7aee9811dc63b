// What is wrong with a run on disk: an error ends reading or writing, problems are collected by `validate`.

/// Why a result could not be read or written. The message names the file, quotes the value and says what to do.
public struct ResultError: Error, Sendable, Hashable, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}

/// Something in a run on disk that is not as it must be.
public struct Problem: Sendable, Hashable, CustomStringConvertible {
  /// The file.
  public let path: String
  /// Where in the file, as `plan.cases[0]` or `trial 7 (threads, fan-out/closed, round 2)`; empty for all of it.
  public let location: String
  /// What is wrong, with the value quoted, and what would be right.
  public let message: String

  public init(path: String, location: String = "", message: String) {
    self.path = path
    self.location = location
    self.message = message
  }

  public var description: String {
    location.isEmpty ? "\(path): \(message)" : "\(path): \(location): \(message)"
  }
}
