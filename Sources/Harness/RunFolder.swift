// Where a run is kept.

import Foundation
import Glibc
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
      if let name = trace(in: path) {
        throw .usage(
          "'\(path)' holds a run already (\(name)): choose another folder, or go on with it by "
            + "'switchyard run --resume \(path)'")
      }
    }
    try makeFolder(path)
  }

  /// Whether a run was begun there that can be gone on with.
  public static func holdsPlan(_ path: String) -> Bool {
    access("\(path)/\(RunFiles.trialsName)/\(RunFiles.planName)", F_OK) == 0
  }

  /// What shows that a run was begun there. One that was killed before its plan was written has left nothing to keep.
  static func trace(in path: String) -> String? {
    if FileManager.default.fileExists(atPath: "\(path)/\(RunFiles.runName)") { return RunFiles.runName }
    let trials = entries(of: "\(path)/\(RunFiles.trialsName)") ?? []
    return trials.contains { !$0.hasSuffix(RunFiles.partialSuffix) } ? RunFiles.trialsName : nil
  }
}
