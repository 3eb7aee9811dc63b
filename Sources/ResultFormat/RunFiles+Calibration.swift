// Which calibration a report is to print beside its claims: nobody should have to say, where only one can be meant.

extension RunFiles {
  /// The newest calibration of a run's host, in the run's own folder or in one beside it; nil if there is none. What is
  /// no calibration, or one of another version, is passed over: a report is made without it.
  /// - Parameter directory: a run's folder, or the path of its `run.json`.
  public static func calibration(near directory: String, of environment: RunEnvironment) -> HostResolution? {
    var folder = directory
    if directory.hasSuffix(".json") {
      folder = directory.lastIndex(of: "/").map { String(directory[...$0]) } ?? "."
    }
    let siblings = ((try? list("\(folder)/..")) ?? []).map { "\(folder)/../\($0)" }
    let host = HostIdentity(environment)
    return ([folder] + siblings).compactMap { try? readCalibration(from: $0) }.filter { $0.host == host }
      .max { $0.measuredAt < $1.measuredAt }
  }
}
