// Who runs where. In a served trial the rig gets a processor of its own wherever there are two, so that it can spin on it and its work is
// not taken from the model's; the harness sleeps on the rig's, for the same reason. An in-process model gets all.

import CLinux
import Glibc

/// The processors of the rig and of the model of a served workload, and those of the model of an in-process one.
public struct ProcessorSets: Sendable, Hashable {
  /// All that this process may use.
  public let all: [Int]
  /// Both empty where the two have to share: nothing is pinned then.
  public let rig: [Int]
  public let model: [Int]

  /// - Parameter available: the processors that this process may use, ascending.
  public init(available: [Int]) {
    all = available
    if available.count >= 2 {
      rig = [available[0]]
      model = Array(available.dropFirst())
    } else {
      rig = []
      model = []
    }
  }

  /// Whether rig and model share their processor: then the rig may not spin.
  public var isShared: Bool { rig.isEmpty }
  /// The model's; empty where nothing is pinned.
  public func model(isServed: Bool) -> [Int] { isServed ? model : all }
  /// Threads that a model may use for its work.
  public func workers(isServed: Bool) -> Int { max(1, model(isServed: isServed).count) }

  /// The processors that this process may run on.
  public static func available() -> [Int] {
    var processors = [Int32](repeating: 0, count: 1024)
    let count = Int(clinux_get_affinity(&processors, Int32(processors.count)))
    return processors.prefix(max(0, min(count, processors.count))).map(Int.init)
  }

  /// Moves every thread of this process to the rig's processors; threads made later inherit them.
  public func confineHarness() {
    guard !rig.isEmpty, let threads = entries(of: "/proc/self/task") else { return }
    let processors = rig.map(Int32.init)
    for thread in threads.compactMap(pid_t.init) {
      // A thread that has ended meanwhile needs no processor.
      _ = clinux_set_affinity_of(thread, processors, Int32(processors.count))
    }
  }
}
