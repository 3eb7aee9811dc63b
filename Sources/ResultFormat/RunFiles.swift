// A run's folder: `trials/plan.json` written before the first trial starts, `trials/<n>/trial.json` each before the next
// does, `run.json` and `report.md` made from them. A file is there whole or not at all, whatever happens to the process, the disk or the machine.

import Glibc

/// Reading and writing of a run's folder.
public enum RunFiles {
  public static let runName = "run.json"
  public static let trialName = "trial.json"
  public static let trialsName = "trials"
  /// The processes of probed trials, as `trialsName` those of the timed ones; their counts stand in the run only.
  public static let probesName = "probes"
  /// In the folder of the trials.
  public static let planName = "plan.json"
  public static let reportName = "report.md"

  /// Writes `trial.json` to the trial's own folder, which must exist.
  /// - Throws: ``ResultError`` with the path and the system's reason; nothing is left behind.
  public static func writeTrial(_ trial: Trial, to directory: String) throws(ResultError) {
    let path = "\(directory)/\(trialName)"
    try write(try JSONText.encode(trial, for: path), to: path)
  }

  /// Writes `run.json` to the run's folder, which must exist.
  /// - Throws: ``ResultError`` with the path and the system's reason; nothing is left behind.
  public static func writeRun(_ run: Run, to directory: String) throws(ResultError) {
    let path = "\(directory)/\(runName)"
    try write(try JSONText.encode(run, for: path), to: path)
  }

  /// Writes `trials/plan.json` to the run's folder, in which `trials/` must exist.
  /// - Throws: ``ResultError`` with the path and the system's reason; nothing is left behind.
  public static func writePlan(_ plan: StoredPlan, to directory: String) throws(ResultError) {
    let path = "\(directory)/\(trialsName)/\(planName)"
    try write(try JSONText.encode(plan, for: path), to: path)
  }

  /// Writes a text, as a report, as UTF-8.
  /// - Throws: ``ResultError`` with the path and the system's reason; nothing is left behind.
  public static func writeText(_ text: String, to path: String) throws(ResultError) {
    try write(Array(text.utf8), to: path)
  }

  /// - Parameter directory: a run's folder, or the path of its `run.json`.
  /// - Throws: ``ResultError`` that names the file and the place in it.
  public static func readRun(from directory: String) throws(ResultError) -> Run {
    let path = directory.hasSuffix(".json") ? directory : "\(directory)/\(runName)"
    let bytes = try read(path)
    let version = try JSONText.decode(Version.self, from: bytes, of: path).schemaVersion
    guard readableSchemaVersions.contains(version) else {
      throw ResultError(
        "\(path): schemaVersion is \(version), and this switchyard reads "
          + "\(readableSchemaVersions.lowerBound) to \(readableSchemaVersions.upperBound): "
          + (version > currentSchemaVersion ? "use the newer one that wrote it" : "make the run again"))
    }
    return try JSONText.decode(Placed<Run>.self, from: bytes, of: path).value
  }

  /// - Parameter directory: a run's folder.
  /// - Throws: ``ResultError`` that names the file and the place in it, also for a plan of another version: only the
  ///   build that made a plan can go on with it.
  public static func readPlan(from directory: String) throws(ResultError) -> StoredPlan {
    let path = "\(directory)/\(trialsName)/\(planName)"
    let bytes = try read(path)
    let version = try JSONText.decode(Version.self, from: bytes, of: path).schemaVersion
    guard version == currentSchemaVersion else {
      throw ResultError(
        "\(path): schemaVersion is \(version), and this switchyard goes on with \(currentSchemaVersion) only: finish the "
          + "run with the one that began it, or make it again")
    }
    return try JSONText.decode(Placed<StoredPlan>.self, from: bytes, of: path).value
  }

  /// One trial from its own folder; nil if it has no file there, as it has not where it was never finished.
  /// - Throws: ``ResultError`` that names the file and the place in it.
  public static func readTrial(from directory: String) throws(ResultError) -> Trial? {
    let path = "\(directory)/\(trialName)"
    guard access(path, F_OK) == 0 else { return nil }
    return try JSONText.decode(Placed<Trial>.self, from: read(path), of: path).value
  }

  /// Takes away what a killed process left half written in a folder: it was never given its name.
  public static func removePartialFiles(in directory: String) {
    for name in (try? list(directory)) ?? [] where name.hasSuffix(partialSuffix) { unlink("\(directory)/\(name)") }
  }

  /// The trials on disk, by number. A trial that was under way when the run was killed has no file, and is left out.
  /// - Throws: ``ResultError`` that names the file and the place in it.
  public static func readTrials(from directory: String) throws(ResultError) -> [Trial] {
    let folder = "\(directory)/\(trialsName)"
    var trials: [Trial] = []
    for name in try list(folder) {
      guard let trial = try readTrial(from: "\(folder)/\(name)") else { continue }
      guard name == "\(trial.number)" else {
        let path = "\(folder)/\(name)/\(trialName)"
        throw ResultError("\(path): its number is \(trial.number): it belongs into \(folder)/\(trial.number)")
      }
      trials.append(trial)
    }
    return trials.sorted { $0.number < $1.number }
  }

  /// Whether the run's folder still has its `trials/`; published runs leave them out.
  static func hasTrials(_ directory: String) -> Bool { access("\(directory)/\(trialsName)", F_OK) == 0 }

  private struct Version: Decodable { var schemaVersion: Int }

  // MARK: - Bytes

  public static let partialSuffix = ".partial"

  /// Writes beside the target, brings it to the disk, and only then gives it its name.
  private static func write(_ bytes: [UInt8], to path: String) throws(ResultError) {
    let temporary = "\(path).\(getpid())\(partialSuffix)"
    let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw failure("write", path) }
    do throws(ResultError) {
      var rest = bytes[...]
      while !rest.isEmpty {
        let written = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
        if written < 0 && errno == EINTR { continue }
        guard written > 0 else { throw failure("write", path) }
        rest = rest.dropFirst(written)
      }
      guard fsync(file) == 0 else { throw failure("write", path) }
    } catch {
      close(file)
      unlink(temporary)
      throw error
    }
    // A file system may report only here that the data had no room.
    guard close(file) == 0, rename(temporary, path) == 0 else {
      let error = failure("write", path)
      unlink(temporary)
      throw error
    }
    // The new name lasts only once its folder is on disk. Some file systems cannot do that; the file is whole anyway.
    let slash = path.lastIndex(of: "/")
    let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    let directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    if directory >= 0 {
      fsync(directory)
      close(directory)
    }
  }

  static func read(_ path: String) throws(ResultError) -> [UInt8] {
    var bytes: [UInt8] = []
    try read(path) { bytes += $0 }
    return bytes
  }

  /// In pieces.
  static func read(_ path: String, _ take: (UnsafeRawBufferPointer) -> Void) throws(ResultError) {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw failure("read", path) }
    defer { close(file) }
    var chunk = [UInt8](repeating: 0, count: 1 << 18)
    while true {
      let count = Glibc.read(file, &chunk, chunk.count)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw failure("read", path) }
      if count == 0 { return }
      chunk.withUnsafeBytes { take(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
    }
  }

  /// The names in a folder, `.` and `..` left out.
  static func list(_ path: String) throws(ResultError) -> [String] {
    guard let stream = opendir(path) else { throw failure("read", path) }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names
  }

  /// The system's reason and what to do about it. Reads `errno`, hence right after the call that failed.
  private static func failure(_ verb: String, _ path: String) -> ResultError {
    let code = errno
    let remedy =
      switch code {
      case ENOENT: verb == "read" ? "is this a run's folder?" : "create its folder first"
      case ENOSPC, EDQUOT: "free some space, or choose another folder"
      case EACCES, EPERM, EROFS: "check its permissions, or choose another folder"
      default: "check the path"
      }
    return ResultError("cannot \(verb) \(path): \(String(cString: strerror(code))): \(remedy)")
  }
}
