// The programs that the harness starts.

import Foundation
import Glibc

/// Where the package's other executables are: beside the one that runs.
public struct Executables: Sendable {
  /// The folder with the models.
  public let folder: String
  /// switchyard-launch, put in front of every child; it keeps the process id.
  public let launcher: String
  public let rig: String
  /// The harness itself; nil where it is not one of the package's executables.
  let own: String?

  public init(folder: String, launcher: String? = nil, rig: String? = nil, own: String? = nil) {
    self.folder = folder
    self.own = own
    self.launcher = launcher ?? "\(folder)/switchyard-launch"
    self.rig = rig ?? "\(folder)/switchyard-rig"
  }

  /// Those beside this process's own executable.
  /// - Throws: ``HarnessError`` if one is missing.
  public static func besideOwn() throws(HarnessError) -> Executables {
    guard let own = ownExecutable() else { throw .host("/proc/self/exe cannot be read: is /proc mounted?") }
    let executables = Executables(folder: String(own[..<(own.lastIndex(of: "/") ?? own.startIndex)]), own: own)
    for program in [executables.launcher, executables.rig] where access(program, X_OK) != 0 {
      throw .host("\(program) is missing: build the whole package with 'swift build -c release'")
    }
    return executables
  }

  /// The path of the executable that runs.
  public static func ownExecutable() -> String? {
    let path = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().path
    return path == "/proc/self/exe" ? nil : path
  }
}

/// A program to start as a child.
struct Command: Sendable {
  var program: String
  var arguments: [String] = []
  /// Empty: those of the harness.
  var processors: [Int] = []
}
