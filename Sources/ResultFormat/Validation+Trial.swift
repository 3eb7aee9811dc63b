// What can be checked within one trial: its state, its figures against each other, and the oracle's verdict.

import Workloads

extension Validation {
  /// Room for the rounding of two ways to compute the same number.
  private static let tolerance = 1e-9

  mutating func check(_ trial: Trial, on environment: RunEnvironment, at place: String) {
    if !Self.isTime(trial.startedAt) {
      report(place, "startedAt '\(trial.startedAt)' is no time: expected 2026-01-31T12:00:00Z")
    }
    if trial.state == .ok {
      if let reason = trial.reason { report(place, "its state is 'ok', yet it has a reason to fail: '\(reason)'") }
      if let finding = trial.findings.first { report(place, "its state is 'ok', yet the oracle found: \(finding)") }
    } else if trial.reason?.isEmpty ?? true {
      report(place, "its state is '\(trial.state.rawValue)' and no reason is given")
    }
    if trial.state == .wrong && trial.findings.isEmpty {
      report(place, "its state is 'wrong' and no finding says which rule was broken")
    }
    for (name, ledger) in [("ledger", trial.ledger), ("rigLedger", trial.rigLedger), ("counters", trial.counters)] {
      // An in-process model's ledger has checksums, which are any 64 bits; its oracle knows which they are.
      if name == "ledger", (try? Workload.named(trial.workload))?.isServed == false { continue }
      for (count, value) in (ledger?.counts ?? [:]).sorted(by: { $0.key < $1.key }) where value < 0 {
        report("\(place).\(name).\(count)", "\(value) is negative: counts are not")
      }
    }
    checkMeasure("\(place).reached", trial.reached)
    if trial.reached != nil && trial.state != .limit {
      report("\(place).reached", "its state is '\(trial.state.rawValue)': only 'limit' reaches one")
    }
    if let host = trial.host {
      checkMeasure("\(place).host.othersProcessors", host.othersProcessors)
      checkMeasure("\(place).host.kernelProcessors", host.kernelProcessors)
      checkMeasure("\(place).host.stolenProcessors", host.stolenProcessors)
      checkMeasure("\(place).host.interruptProcessors", host.interruptProcessors)
      checkMeasure("\(place).host.throttledNanoseconds", host.throttledNanoseconds)
      checkMeasure("\(place).host.thermalThrottles", host.thermalThrottles)
    }
    guard let figures = trial.figures else { return }
    check(figures, at: place)
    checkWarnings(of: trial, figures, at: place)
    guard let workload = try? Workload.named(trial.workload) else { return }
    if workload.isServed != (figures.rig != nil) {
      report(
        "\(place).rig",
        workload.isServed ? "missing: the rig drives \(workload.name)" : "no rig drives \(workload.name)")
    }
    judge(trial, figures, by: workload, on: environment, at: place)
  }

  /// The oracle once more, over the ledgers as they are stored. What only the live system shows (sockets left open)
  /// was judged when the trial ran.
  private mutating func judge(
    _ trial: Trial, _ figures: Figures, by workload: Workload, on environment: RunEnvironment, at place: String
  ) {
    guard let ledger = trial.ledger, let rigLedger = trial.rigLedger ?? (workload.isServed ? nil : [:]) else {
      return report(place, "its state is 'ok' without \(trial.ledger == nil ? "the model's" : "the rig's") ledger")
    }
    let evidence = Evidence(
      trial.parameters, variant: trial.variant, model: ledger, rig: rigLedger,
      figures: figures, iterationsPerMillisecond: environment.iterationsPerMillisecond)
    for finding in workload.judge(evidence) {
      report(place, "its state is 'ok', yet by its ledgers it is 'wrong': \(finding)")
    }
  }

  private mutating func check(_ figures: Figures, at place: String) {
    if figures.operations < 1 { report(place, "operations is \(figures.operations): expected at least 1") }
    if figures.windowNanoseconds == 0 {
      report(place, "windowNanoseconds is 0: expected at least 1")
    } else {
      let rate = Double(figures.operations) * 1e9 / Double(figures.windowNanoseconds)
      if !Self.agree(figures.operationsPerSecond, rate) {
        report(
          "\(place).operationsPerSecond",
          "\(figures.operationsPerSecond): \(figures.operations) operations in \(figures.windowNanoseconds) ns are \(rate)"
        )
      }
    }
    checkMeasure("\(place).offeredPerSecond", figures.offeredPerSecond)
    for (name, summary) in figures.latencies.sorted(by: { $0.key < $1.key }) {
      check(summary, at: "\(place).latencies.\(name)")
    }
    var names: Set<String> = []
    for measure in figures.measures {
      if !names.insert(measure.name).inserted { report("\(place).measures", "'\(measure.name)' is there twice") }
      checkMeasure("\(place).measures.\(measure.name)", measure.value)
    }
    if let memory = figures.memory {
      checkMeasure("\(place).memory.peakRSSBytes", memory.peakRSSBytes)
      checkMeasure("\(place).memory.steadyRSSBytes", memory.steadyRSSBytes)
      checkMeasure("\(place).memory.steadyPSSBytes", memory.steadyPSSBytes)
      checkMeasure("\(place).memory.idlePSSBytes", memory.idlePSSBytes)
      checkMeasure("\(place).memory.kernelBytes", memory.kernelBytes)
      checkMeasure("\(place).memory.heapAllocatedBytes", memory.heapAllocatedBytes)
      checkMeasure("\(place).memory.allocationsPerOperation", memory.allocationsPerOperation)
    }
    if let cpu = figures.cpu {
      checkMeasure("\(place).cpu.userNanosecondsPerOperation", cpu.userNanosecondsPerOperation)
      checkMeasure("\(place).cpu.systemNanosecondsPerOperation", cpu.systemNanosecondsPerOperation)
      checkMeasure("\(place).cpu.voluntarySwitches", cpu.voluntarySwitches)
      checkMeasure("\(place).cpu.involuntarySwitches", cpu.involuntarySwitches)
      checkMeasure("\(place).cpu.pageFaults", cpu.pageFaults)
      checkMeasure("\(place).cpu.peakThreadsSampled", cpu.peakThreadsSampled)
    }
    if let rig = figures.rig {
      if !(0...1).contains(rig.busyShare) {
        report("\(place).rig.busyShare", "\(rig.busyShare) is no share: expected 0 to 1")
      }
      checkMeasure("\(place).rig.cpuNanosecondsPerOperation", rig.cpuNanosecondsPerOperation)
      check(rig.sendLateness, at: "\(place).rig.sendLateness")
      check(rig.backendLateness, at: "\(place).rig.backendLateness")
    }
  }

  /// Warnings follow from signals; one that was taken out of the file would let a figure claim too much.
  private mutating func checkWarnings(of trial: Trial, _ figures: Figures, at place: String) {
    if let host = trial.host, host.isBusy(windowNanoseconds: figures.windowNanoseconds),
      !trial.warnings.contains(.hostBusy)
    {
      report(
        "\(place).warnings",
        "lacks '\(Warning.hostBusy.rawValue)': others used \(host.othersProcessors) processors, the hypervisor took "
          + "\(host.stolenProcessors), a quota stopped it for \(host.throttledNanoseconds ?? 0) ns, and heat slowed a "
          + "processor down \(host.thermalThrottles ?? 0) times")
    }
    guard let rig = figures.rig else { return }
    if rig.busyShare > 0.8 && !trial.warnings.contains(.rigSaturated) {
      report("\(place).warnings", "lacks '\(Warning.rigSaturated.rawValue)': the rig's busyShare is \(rig.busyShare)")
    }
    let isWarned = trial.warnings.contains(.rigBusy) || trial.warnings.contains(.rigSaturated)
    if rig.busyShare > 0.5 && !isWarned {
      report("\(place).warnings", "lacks '\(Warning.rigBusy.rawValue)': the rig's busyShare is \(rig.busyShare)")
    }
  }

  /// Everything in a summary follows from its histogram.
  private mutating func check(_ summary: LatencySummary, at place: String) {
    let slots: HistogramSlots
    do throws(ResultError) {
      slots = try summary.slots()
    } catch {
      return report("\(place).histogram", error.description)
    }
    let expected = LatencySummary(slots)
    if summary.count != expected.count {
      report("\(place).count", "\(summary.count): its histogram has \(expected.count) samples")
    }
    if !Self.agree(summary.mean, expected.mean) {
      report("\(place).mean", "\(summary.mean): by its histogram it is \(expected.mean)")
    }
    if summary.max != expected.max {
      report("\(place).max", "\(summary.max): by its histogram it is \(expected.max)")
    }
    let percentiles: [(String, KeyPath<LatencySummary, UInt64?> & Sendable)] = [
      ("p50", \.p50), ("p90", \.p90), ("p99", \.p99), ("p999", \.p999), ("p9999", \.p9999),
    ]
    for (name, percentile) in percentiles where summary[keyPath: percentile] != expected[keyPath: percentile] {
      let stated = summary[keyPath: percentile].map(String.init) ?? "missing"
      if let value = expected[keyPath: percentile] {
        report("\(place).\(name)", "\(stated): by its histogram it is \(value)")
      } else {
        report(
          "\(place).\(name)",
          "\(stated): fewer than \(LatencySummary.samplesBeyond) samples lie beyond it, so that it must not be stated")
      }
    }
  }

  // MARK: - Numbers

  mutating func checkMeasure(_ place: String, _ value: Double?) {
    guard let value else { return }
    if !value.isFinite || value < 0 { report(place, "\(value): expected a finite number that is not negative") }
  }

  mutating func checkMeasure(_ place: String, _ value: Int?) {
    guard let value else { return }
    if value < 0 { report(place, "\(value): expected a number that is not negative") }
  }

  private static func agree(_ a: Double, _ b: Double) -> Bool {
    a == b || Swift.abs(a - b) <= tolerance * Swift.max(Swift.abs(a), Swift.abs(b))
  }
}

extension Evidence {
  /// What of a trial's evidence is stored.
  fileprivate init(
    _ parameters: [String: ParameterValue], variant: String?, model: Ledger, rig: Ledger, figures: Figures,
    iterationsPerMillisecond: Int?
  ) {
    self.init(
      parameters: parameters, variant: variant, isGated: false, model: model, rig: rig, openSockets: nil,
      operations: figures.operations, samples: figures.latencies.mapValues(\.count),
      iterationsPerMillisecond: iterationsPerMillisecond, grownBytes: figures.memory?.grownBytes)
  }
}
