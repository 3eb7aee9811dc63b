// What a run set out to do: `trials/plan.json`, on disk before the first trial starts and the only thing besides the
// trials' own files that a resumption reads. `run.json` is made from these, so that it may be lost, torn or behind. It
// names paths of this host and lies in `trials/`, which published runs leave out.

import CZlib
import Glibc

public struct StoredPlan: Sendable, Codable, Hashable {
  /// Those of the build that made the plan; another build's would mean other things by the same words.
  public var schemaVersion: Int
  public var protocolVersion: Int
  public var environment: RunEnvironment
  /// With the rounds that were added so far.
  public var plan: Plan
  /// Every executable that has a part in the figures.
  public var programs: [StoredProgram]
  public var resumptions: [Resumption]
  /// What all rounds but the last took, in seconds, once a round has been added for ``PrecisionGoal``.
  public var spentSeconds: Double?
  /// Once it is decided that no more rounds are added.
  public var precision: PrecisionOutcome?

  public init(
    environment: RunEnvironment, protocolVersion: Int, plan: Plan, programs: [StoredProgram],
    resumptions: [Resumption] = []
  ) {
    self.schemaVersion = currentSchemaVersion
    self.protocolVersion = protocolVersion
    self.environment = environment
    self.plan = plan
    self.programs = programs
    self.resumptions = resumptions
  }
}

/// One time that a run was gone on with.
public struct Resumption: Sendable, Codable, Hashable {
  /// ISO 8601, UTC.
  public var startedAt: String
  /// Trials that were finished by then.
  public var finishedTrials: Int

  public init(startedAt: String, finishedTrials: Int) {
    self.startedAt = startedAt
    self.finishedTrials = finishedTrials
  }
}

/// An executable by its bytes: commits tell builds apart only where they were made from a clean tree.
public struct StoredProgram: Sendable, Codable, Hashable {
  /// `switchyard`, `model-threads`, or a guest's name.
  public var name: String
  public var path: String
  public var isGuest: Bool
  public var bytes: Int
  public var crc32: UInt32

  /// Reads the whole file.
  /// - Throws: ``ResultError`` with the path and the system's reason.
  public init(name: String, path: String, isGuest: Bool) throws(ResultError) {
    self.name = name
    self.path = path
    self.isGuest = isGuest
    var bytes = 0
    var sum: uLong = 0
    try RunFiles.read(path) { chunk in
      bytes += chunk.count
      // Not NULL, which stands for the sum of nothing.
      if let start = chunk.baseAddress {
        sum = CZlib.crc32(sum, start.assumingMemoryBound(to: Bytef.self), uInt(chunk.count))
      }
    }
    self.bytes = bytes
    self.crc32 = UInt32(truncatingIfNeeded: sum)
  }

  /// Whether both are the same program, wherever they lie.
  public func isSameBuild(as other: StoredProgram) -> Bool {
    name == other.name && isGuest == other.isGuest && bytes == other.bytes && crc32 == other.crc32
  }
}
