// Where a run is kept.

import Foundation
import ResultFormat

public enum RunFolder {
  /// `Results/<date>-<label>-<preset>`, with `-2`, `-3`, ... where that is taken.
  public static func standard(_ environment: RunEnvironment, preset: String, in parent: String = "Results") -> String {
    let base = "\(parent)/\(environment.startedAt.prefix(10))-\(environment.label)-\(preset)"
    var path = base
    var number = 1
    while FileManager.default.fileExists(atPath: path) {
      number += 1
      path = "\(base)-\(number)"
    }
    return path
  }

  /// Makes the run's folder.
  /// - Throws: ``HarnessError`` if it holds a run already, is a file, or cannot be made.
  public static func make(_ path: String) throws(HarnessError) {
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) {
      guard isFolder.boolValue else { throw .usage("'\(path)' is a file: --output takes a folder") }
      for name in ["run.json", "trials"] where FileManager.default.fileExists(atPath: "\(path)/\(name)") {
        throw .usage(
          "'\(path)' holds a run already (\(name)): choose another folder; a run cannot be resumed in this version")
      }
    }
    try makeFolder(path)
  }
}
