// run.json as a stranger reads it: by the documented keys, not through the package's own types.

import Foundation

struct RunOnDisk: Decodable {
  struct Trial: Decodable {
    struct Finding: Decodable {
      let rule: String
      let message: String
    }
    struct Latency: Decodable {
      let count: Int
      let max: UInt64
      let histogram: String
    }
    let number: Int
    let model: String
    let workload: String
    let round: Int
    let state: String
    let reason: String?
    let findings: [Finding]?
    let operationsPerSecond: Double?
    let latencies: [String: Latency]?
  }
  let schemaVersion: Int
  let trials: [Trial]

  /// - Parameter folder: a run's folder.
  static func read(_ folder: String) throws -> RunOnDisk {
    try JSONDecoder().decode(RunOnDisk.self, from: Data(contentsOf: URL(filePath: folder + "/run.json")))
  }

  /// The keys of every trial of a state, as they stand in the file.
  static func keys(ofTrialsIn folder: String, state: String) throws -> [Set<String>] {
    let data = try Data(contentsOf: URL(filePath: folder + "/run.json"))
    let run = try JSONSerialization.jsonObject(with: data) as? [String: Any]
    let trials = run?["trials"] as? [[String: Any]] ?? []
    return trials.filter { $0["state"] as? String == state }.map { Set($0.keys) }
  }
}
