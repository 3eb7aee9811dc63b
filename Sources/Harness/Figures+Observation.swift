// From what was observed to figures and warnings. Pure: the same observation always gives the same figures.

import ResultFormat
import Workloads

extension Figures {
  /// - Throws: ``ResultError`` if the rig's counts are none.
  init(_ seen: Observation, rig: RigResult, isOpenLoop: Bool) throws(ResultError) {
    let window = rig.windowCloseNanoseconds - rig.windowOpenNanoseconds
    let rate = Double(rig.operations) * 1e9 / Double(window)
    var latencies: [String: LatencySummary] = [:]
    for (name, recorded) in rig.latencies { latencies[name] = try LatencySummary(recorded: recorded) }
    self.init(
      operations: rig.operations, operationsPerSecond: rate,
      offeredPerSecond: isOpenLoop ? Double(rig.offered) * 1e9 / Double(window) : nil, windowNanoseconds: window,
      latencies: latencies, measures: rig.measures ?? [], memory: MemoryFigures(seen, operationsPerSecond: rate),
      cpu: CPUFigures(seen, operationsPerSecond: rate),
      rig: RigFigures(
        busyShare: min(1, Double(rig.busyNanoseconds) / Double(window)),
        cpuNanosecondsPerOperation: Double(rig.busyNanoseconds) / Double(rig.operations),
        sendLateness: try LatencySummary(recorded: rig.sendLateness),
        backendLateness: try LatencySummary(recorded: rig.backendLateness)))
  }
}

extension Figures {
  /// Those of an in-process trial, whose window lies between the model's edges; nil where nothing was completed in it.
  init?(inProcess seen: Observation) {
    guard let operations = seen.operations, operations > 0, let window = seen.windowNanoseconds, window > 0 else {
      return nil
    }
    let rate = Double(operations) * 1e9 / Double(window)
    self.init(
      operations: operations, operationsPerSecond: rate, offeredPerSecond: nil, windowNanoseconds: window,
      latencies: seen.latencies, measures: seen.measures, memory: MemoryFigures(seen, operationsPerSecond: rate),
      cpu: CPUFigures(seen, operationsPerSecond: rate), rig: nil)
  }
}

extension Observation {
  /// Between the model's two edges: these lie a little beside the rig's, so that costs are divided by the operations of
  /// their own interval.
  struct Interval {
    var seconds: Double
    var processorNanoseconds: Double
    var open: Usage
    var close: Usage
  }

  var interval: Interval? {
    guard let open = open?.usage, let close = close?.usage, close.monotonicNanoseconds > open.monotonicNanoseconds
    else { return nil }
    func used(_ usage: Usage) -> Double { Double(usage.userNanoseconds) + Double(usage.systemNanoseconds) }
    return Interval(
      seconds: Double(close.monotonicNanoseconds - open.monotonicNanoseconds) / 1e9,
      processorNanoseconds: used(close) - used(open), open: open, close: close)
  }
}

extension CPUFigures {
  init?(_ seen: Observation, operationsPerSecond rate: Double) {
    guard let interval = seen.interval, rate > 0 else { return nil }
    let (open, close) = (interval.open, interval.close)
    let operations = rate * interval.seconds
    func perOperation(_ counter: KeyPath<Usage, UInt64>) -> Double {
      max(0, Double(close[keyPath: counter]) - Double(open[keyPath: counter])) / operations
    }
    func difference(_ counter: KeyPath<Usage, Int>) -> Int { max(0, close[keyPath: counter] - open[keyPath: counter]) }
    self.init(
      userNanosecondsPerOperation: perOperation(\.userNanoseconds),
      systemNanosecondsPerOperation: perOperation(\.systemNanoseconds),
      voluntarySwitches: difference(\.voluntarySwitches), involuntarySwitches: difference(\.involuntarySwitches),
      pageFaults: difference(\.minorFaults) + difference(\.majorFaults), peakThreadsSampled: seen.peakThreadsSampled)
  }
}

extension MemoryFigures {
  /// A thread's kernel stack on x86-64 and aarch64.
  static let kernelStackBytes = 16 * 1024

  init(_ seen: Observation, operationsPerSecond rate: Double) {
    let close = seen.close?.usage
    var perOperation: Double?
    if let interval = seen.interval, let before = interval.open.heapAllocations,
      let after = interval.close.heapAllocations, rate > 0
    {
      perOperation = max(0, Double(after - before)) / (rate * interval.seconds)
    }
    var kernelBytes: Int?
    if let tables = seen.closing.pageTableBytes, let threads = seen.closing.threads {
      kernelBytes = tables + threads * Self.kernelStackBytes
    }
    self.init(
      peakRSSBytes: seen.closing.peakResidentBytes, steadyRSSBytes: seen.closing.residentBytes,
      steadyPSSBytes: seen.steadyPSSBytes, idlePSSBytes: seen.idlePSSBytes, kernelBytes: kernelBytes,
      kernelGrowthBytes: seen.kernelGrowthBytes,
      heapAllocatedBytes: close?.heapAllocatedBytes, allocationsPerOperation: perOperation)
  }
}

extension Observation {
  /// Busy beyond this share a side counts as saturated, and beyond half of it its latency carries no claim.
  static let saturatedShare = 0.8
  static let busyShare = 0.5
  static let rigLateNanoseconds: UInt64 = 1_000_000
  /// Below this share of the operations that were asked for, a rate was not kept.
  static let keptShare = 0.95
  static let disagreement = 0.05
  /// Below this much CPU time the two clocks are read too far apart to be compared.
  static let comparableNanoseconds = 100e6

  /// Whether the share of a processor that the model says it used differs from the one seen from outside. Shares, not
  /// times: the two are read at different moments.
  private func disagrees(with interval: Interval) -> Bool {
    guard let before = open?.outside, let after = close?.outside,
      after.monotonicNanoseconds > before.monotonicNanoseconds
    else { return false }
    let elapsed = Double(after.monotonicNanoseconds - before.monotonicNanoseconds) / 1e9
    let outside = Double(after.processorNanoseconds - before.processorNanoseconds)
    guard max(outside, interval.processorNanoseconds) > Self.comparableNanoseconds else { return false }
    let shares = (outside / elapsed, interval.processorNanoseconds / interval.seconds)
    return abs(shares.0 - shares.1) > Self.disagreement * max(shares.0, shares.1)
  }

  /// Of an in-process trial. Decided from signals, never from the result's merit.
  func warnings(_ figures: Figures, pacedRate: Double?) -> [Warning] {
    guard let interval else { return [] }
    var warnings: [Warning] = []
    if host?.isBusy(windowNanoseconds: figures.windowNanoseconds) == true { warnings.append(.hostBusy) }
    if let pacedRate, figures.operationsPerSecond < Self.keptShare * pacedRate { warnings.append(.behindOfferedRate) }
    if disagrees(with: interval) { warnings.append(.cpuDisagrees) }
    return warnings
  }

  /// Of a served trial. Decided from signals, never from the result's merit.
  func warnings(_ figures: Figures, rig: RigResult, isOpenLoop: Bool, processors: ProcessorSets) -> [Warning] {
    var warnings: [Warning] = []
    let rigShare = figures.rig?.busyShare ?? 0
    if rigShare > Self.saturatedShare { warnings.append(.rigSaturated) }
    if rigShare > Self.busyShare { warnings.append(.rigBusy) }
    if let interval {
      let available = interval.seconds * 1e9 * Double(processors.workers(isServed: true))
      let isModelSaturated = interval.processorNanoseconds > Self.saturatedShare * available
      if !isOpenLoop && rigShare <= Self.saturatedShare && !isModelSaturated { warnings.append(.setByParameters) }
      if disagrees(with: interval) { warnings.append(.cpuDisagrees) }
    }
    if isOpenLoop && Double(rig.operations) < Self.keptShare * Double(rig.offered) {
      warnings.append(.behindOfferedRate)
    }
    // From the raw counts: a summary states a p99 only from 10,000 samples on.
    if let late = rig.sendLateness.value(atPerTenThousand: 9_900), late > Self.rigLateNanoseconds {
      warnings.append(.rigLate)
    }
    if processors.isShared { warnings.append(.sharedProcessor) }
    if host?.isBusy(windowNanoseconds: figures.windowNanoseconds) == true { warnings.append(.hostBusy) }
    return warnings
  }
}

extension RecordedCounts {
  /// The smallest recorded value with at least that share of all samples at or below it; nil without samples.
  func value(atPerTenThousand share: UInt64) -> UInt64? {
    let pairs = filter { $0.count == 2 }
    let total = pairs.reduce(0 as UInt64) { $0 &+ $1[1] }
    guard total > 0 else { return nil }
    let rank = Swift.max(1, (total.multipliedReportingOverflow(by: share).partialValue + 9_999) / 10_000)
    var seen: UInt64 = 0
    for pair in pairs {
      seen += pair[1]
      if seen >= rank { return pair[0] }
    }
    return pairs.last?[0]
  }
}
