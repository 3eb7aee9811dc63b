// What ends a run or keeps it from starting, in words for whoever typed the command.

import ResultFormat
import Workloads

/// The message quotes what was given or names the path, and says what would be right.
public struct HarnessError: Error, Hashable, CustomStringConvertible {
  public enum Kind: Sendable, Hashable {
    /// The command line or an input file is wrong: exit status 2.
    case usage
    /// The host let the run down (a disk is full, a program is missing): exit status 1.
    case host
  }
  public let kind: Kind
  public let description: String

  public static func usage(_ message: String) -> HarnessError { HarnessError(kind: .usage, description: message) }
  public static func host(_ message: String) -> HarnessError { HarnessError(kind: .host, description: message) }
}

extension HarnessError {
  /// The same with what to do once it is mended.
  public func then(_ advice: String) -> HarnessError {
    HarnessError(kind: kind, description: "\(description); \(advice)")
  }

  init(_ error: ResultError) { self = .host(error.description) }
  public init(_ error: ParameterError) { self = .usage(error.description) }

  /// A file operation that failed with the current `errno`-style code.
  static func file(_ action: String, _ path: String, code: Int32) -> HarnessError {
    .host("\(action) \(path) failed: \(systemMessage(code)); make room, or choose another folder")
  }
}
