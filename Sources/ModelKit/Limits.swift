// What the system lets one process have. Asked before a case is built, so that a case beyond it ends in state `limit`
// with the number that would do, and not in a fork bomb, in the OOM killer, or in a machine that cannot log anybody in.

import Workloads

/// The bounds of this host and process at one moment.
public struct Limits: Sendable, Hashable {
  /// What a case asks for.
  public enum Resource: String, Sendable, CaseIterable { case threads, mappings, descriptors, bytes }

  /// One bound, as the kernel, a control group or the shell has set it.
  public struct Bound: Sendable, Hashable {
    public let resource: Resource
    /// As one would look it up: `kernel.threads-max`, `pids.max of /a/b`, `ulimit -n`.
    public let name: String
    public let limit: Int
    /// Taken already, by whomever the limit counts.
    public let used: Int
    /// What no case may take.
    public let spare: Int
    /// What a case may still take.
    public var available: Int { max(0, limit - used - spare) }

    public init(_ resource: Resource, _ name: String, limit: Int, used: Int, spare: Int) {
      self.resource = resource
      self.name = name
      self.limit = limit
      self.used = used
      self.spare = spare
    }
  }

  /// Processes and threads left to everybody else.
  public static let spareThreads = 2_000
  /// Mappings left to the allocator and the runtime.
  public static let spareMappings = 1_000
  /// Descriptors left to the runtime: its pollers, the standard three, what a library opens for a moment.
  public static let spareDescriptors = 64
  /// A thread's stack: the stack and its guard page.
  public static let mappingsPerThread = 2
  /// What a thread takes of the machine before its program touches anything: kernel stack, task, page tables, and the
  /// pages of its own stack that starting it has touched.
  public static let bytesPerThread = 32 << 10

  public let bounds: [Bound]

  public init(_ bounds: [Bound]) { self.bounds = bounds }

  /// Refuses a case that this host cannot hold, with 2,000 processes and half of the memory to spare.
  /// - Parameters:
  ///   - units: what the case counts, for the number reached; by default the first of the others that is not 0.
  ///   - threads: kernel threads. Their stacks' mappings and their 32 KiB of memory are added to the next ones.
  ///   - mappings: further memory mappings, as green threads' stacks with guard pages are (two each).
  ///   - descriptors: open files, sockets and pipe ends.
  ///   - bytes: further memory that the case will touch.
  /// - Throws: ``ModelFailure`` of state `limit`, which names the bound, the remedy and how many units would do.
  public static func admit(
    units: Int? = nil, threads: Int = 0, mappings: Int = 0, descriptors: Int = 0, bytes: Int = 0
  ) throws(ModelFailure) {
    try current().admit(units: units, threads: threads, mappings: mappings, descriptors: descriptors, bytes: bytes)
  }

  /// The same against these bounds.
  public func admit(
    units: Int? = nil, threads: Int = 0, mappings: Int = 0, descriptors: Int = 0, bytes: Int = 0
  ) throws(ModelFailure) {
    let asked: [Resource: Int] = [
      .threads: threads, .mappings: mappings + threads * Self.mappingsPerThread, .descriptors: descriptors,
      .bytes: bytes + threads * Self.bytesPerThread,
    ]
    let units = units ?? [threads, mappings, descriptors, bytes].first { $0 > 0 } ?? 0
    /// How many units fit under a bound.
    func fitting(_ bound: Bound) -> Int {
      let needed = asked[bound.resource, default: 0]
      if needed <= bound.available { return units }
      return Int(Double(units) * Double(bound.available) / Double(needed))
    }
    guard let tightest = bounds.min(by: { fitting($0) < fitting($1) }) else { return }
    let needed = asked[tightest.resource, default: 0]
    guard needed > tightest.available else { return }
    throw ModelFailure(
      .limit,
      "\(needed) \(tightest.resource.rawValue) are more than \(tightest.name) leaves: it is \(tightest.limit), "
        + "\(tightest.used) are taken and \(tightest.spare) stay spare; raise it, or ask for fewer units",
      reached: fitting(tightest))
  }
}
