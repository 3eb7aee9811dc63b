// What is recorded in the window.

import CLinux
import Histogram
import Workloads

struct Measurements: ~Copyable {
  private static let longest: UInt64 = 3_600_000_000_000

  /// From the intended start of a request to its answer, by class.
  private var latencies: [Histogram<UInt64>]
  private let classes: [String]
  private let measuresAdded: Bool
  private let goodLatency: UInt64?
  /// The part that the model alone is answerable for.
  private(set) var added = empty()
  /// How late requests were written. A request that found no idle connection is late from the moment one became idle:
  /// until then it was the model that kept it waiting, and `latency` counts that.
  private(set) var sendLateness = empty()
  /// How late replies were written.
  private(set) var backendLateness = empty()
  /// Answers within the window; requests that belong to it.
  var operations = 0
  var offered = 0
  /// Requests of the window that were answered in good time.
  private var good = 0
  var busyNanoseconds: UInt64 = 0
  private(set) var openNanoseconds: UInt64 = .max
  private(set) var closeNanoseconds: UInt64 = .max
  private(set) var isOpen = false
  private(set) var isClosed = false
  private var cpuAtOpen: UInt64 = 0
  private var cpuAtClose: UInt64 = 0

  /// - Parameters:
  ///   - classes: names of the latency classes.
  ///   - goodLatency: up to which latency a request is goodput, in nanoseconds; nil to measure none.
  init(classes: [String], measuresAdded: Bool, goodLatency: UInt64?) {
    self.classes = classes
    self.measuresAdded = measuresAdded
    self.goodLatency = goodLatency
    latencies = classes.map { _ in Self.empty() }
  }

  private static func empty() -> Histogram<UInt64> {
    Histogram<UInt64>(highestTrackableValue: longest, numberOfSignificantValueDigits: .three)
  }

  mutating func recordLatency(_ nanoseconds: UInt64, class index: Int) {
    latencies[index].record(min(nanoseconds, Self.longest))
    if let goodLatency, nanoseconds <= goodLatency { good += 1 }
  }
  mutating func recordAdded(_ nanoseconds: UInt64) { added.record(min(nanoseconds, Self.longest)) }
  mutating func recordSendLateness(_ nanoseconds: UInt64) { sendLateness.record(min(nanoseconds, Self.longest)) }
  mutating func recordBackendLateness(_ nanoseconds: UInt64) { backendLateness.record(min(nanoseconds, Self.longest)) }

  /// Whether a moment lies in the window, as far as its edges are known.
  func contains(_ nanoseconds: UInt64) -> Bool { nanoseconds >= openNanoseconds && nanoseconds < closeNanoseconds }

  /// Sets the window's edges; what lies between them counts before they have been announced.
  mutating func plan(open: UInt64, close: UInt64) {
    openNanoseconds = open
    closeNanoseconds = close
  }

  mutating func open() {
    cpuAtOpen = clinux_process_cpu_ns()
    isOpen = true
  }

  mutating func close(at nanoseconds: UInt64) {
    cpuAtClose = clinux_process_cpu_ns()
    closeNanoseconds = nanoseconds
    isClosed = true
  }

  func result(isComplete: Bool, ledger: Ledger) -> RigResult {
    var named: [String: RecordedCounts] = measuresAdded ? ["added": Self.counts(added)] : [:]
    for (name, latency) in zip(classes, latencies) { named[name] = Self.counts(latency) }
    let seconds = Double(closeNanoseconds - openNanoseconds) / 1e9
    let measures =
      goodLatency == nil || seconds == 0
      ? [] : [Measure("goodput", unit: "requests/s", Double(good) / seconds)]
    return RigResult(
      windowOpenNanoseconds: openNanoseconds, windowCloseNanoseconds: closeNanoseconds, operations: operations,
      offered: offered, latencies: named,
      sendLateness: Self.counts(sendLateness), backendLateness: Self.counts(backendLateness),
      busyNanoseconds: busyNanoseconds, cpuNanoseconds: cpuAtClose - cpuAtOpen, isComplete: isComplete, ledger: ledger,
      measures: measures)
  }

  static func counts(_ histogram: Histogram<UInt64>) -> RecordedCounts {
    histogram.recordedValues().map { [$0.value, $0.count] }
  }
}
