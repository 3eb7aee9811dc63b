// A capacity search's folder: `trials/<n>/` as in a run, `capacity.json` written anew after every trial, `report.md`.

extension RunFiles {
  public static let capacityName = "capacity.json"

  /// Writes `capacity.json` to the search's folder, which must exist.
  /// - Throws: ``ResultError`` with the path and the system's reason; nothing is left behind.
  public static func writeCapacity(_ result: CapacityResult, to directory: String) throws(ResultError) {
    let path = "\(directory)/\(capacityName)"
    try writeText(String(decoding: try JSONText.encode(result, for: path), as: UTF8.self), to: path)
  }

  /// - Parameter directory: a search's folder, or the path of its `capacity.json`.
  /// - Throws: ``ResultError`` that names the file and the place in it; also for a verdict that its trial's figures do not
  ///   bear out.
  public static func readCapacity(from directory: String) throws(ResultError) -> CapacityResult {
    let path = directory.hasSuffix(".json") ? directory : "\(directory)/\(capacityName)"
    let bytes = try read(path)
    let version = try JSONText.decode(CapacityVersion.self, from: bytes, of: path).schemaVersion
    guard version == currentCapacityVersion else {
      throw ResultError(
        "\(path): schemaVersion is \(version), and this switchyard reads \(currentCapacityVersion): "
          + (version > currentCapacityVersion ? "use the newer one that wrote it" : "make the search again"))
    }
    return try JSONText.decode(Placed<CapacityResult>.self, from: bytes, of: path).value
  }

  private struct CapacityVersion: Decodable { var schemaVersion: Int }
}
