// What there is to say about a host, each thing with its remedy. A pure function of the facts.

extension HostFacts {
  /// What there is to say, in the order in which it matters.
  public var diagnoses: [Diagnosis] {
    [
      build == "release" ? nil : Diagnosis("build", build, .change, "build with 'swift build -c release'"), load,
      average, stolen, quota, waiting, sets,
    ]
    .compactMap { $0 } + frequency
      + [heat, clock, slack, system, memory, swap, pages, environment, work].compactMap { $0 }
  }

  /// For the tables of a run: what should have been changed before it. What else ran, before it and in each trial, is
  /// said by the watch and by the trials themselves; the build and a shared processor by the environment.
  var warnings: [String] {
    let said: Set = ["build", "load", "steal", "processors"]
    return diagnoses.filter { $0.verdict == .change && !said.contains($0.subject) }.map {
      "The host was not fit to measure on: \($0.subject) \($0.value). 'switchyard doctor' says what to change."
    }
  }

  private var sets: Diagnosis {
    let value = "\(processors) usable, \(processor)"
    if processors < 2 {
      return Diagnosis(
        "processors", value, .change, "rig and model share one, and each delays the other: use a host with two or more")
    }
    if hasSimultaneousThreads == true {
      return Diagnosis(
        "processors", "\(value), simultaneous multithreading on", .note,
        "two of them may be one core, whose threads slow each other: turn SMT off (echo off > "
          + "/sys/devices/system/cpu/smt/control)")
    }
    return Diagnosis("processors", value)
  }

  private var load: Diagnosis? {
    guard let processorsInUse else { return Diagnosis("load", "unknown", .note, "mount /proc") }
    let names = consumers.map(\.description).joined(separator: ", ")
    let value = "\(hundredths(processorsInUse)) processors in use over a second" + (names.isEmpty ? "" : ": \(names)")
    return processorsInUse > HostLoad.tolerated
      ? Diagnosis(
        "load", value, .change,
        consumers.isEmpty
          ? "stop what else is running: short-lived programs, or those of another container" : "stop these")
      : Diagnosis("load", value)
  }

  /// It looks back, so that it tells of what has ended, too.
  private var average: Diagnosis? {
    guard loadAverages.count == 3 else { return nil }
    let value = "\(loadAverages[0]) over 1 min, \(loadAverages[1]) over 5, \(loadAverages[2]) over 15"
    return loadAverages[0] > 1
      ? Diagnosis("load average", value, .note, "something has run in the last minute: wait until it falls below 1")
      : Diagnosis("load average", value)
  }

  private var stolen: Diagnosis? {
    guard let stolenShare else { return nil }
    let value = "\(hundredths(stolenShare * 100)) % of the processors' time over a second"
    return stolenShare > 0.01
      ? Diagnosis(
        "steal", value, .change,
        "other virtual machines take the processors: use a machine of your own, or compare models of one round only")
      : Diagnosis("steal", value)
  }

  private var quota: Diagnosis? {
    guard let quotaProcessors else { return Diagnosis("quota", "none") }
    let stopped = throttled.map { ", stopped for \(hundredths(Double($0.growth) / 1e6)) ms of the last second" } ?? ""
    return Diagnosis(
      "quota", "\(hundredths(quotaProcessors)) of \(processors) processors\(stopped)", .change,
      "the kernel stops the models for the rest of each period: run in a control group without cpu.max (docker: "
        + "--cpuset-cpus in place of --cpus)")
  }

  private var waiting: Diagnosis? {
    guard !pressure.isEmpty else {
      return Diagnosis("pressure", "unknown", .note, "a kernel booted with psi=1 says what programs wait for")
    }
    let value = pressure.sorted { $0.key < $1.key }.map { "\($0.key) \(hundredths($0.value * 100)) %" }
      .joined(separator: ", ")
    return Diagnosis(
      "pressure", "\(value) of the last 10 s waited for",
      pressure.values.contains { $0 > Self.toleratedPressure } ? .note : .good,
      pressure.values.contains { $0 > Self.toleratedPressure }
        ? "something waits for what the models need, too: wait until it is done, or stop it" : nil)
  }
  /// The share of ten seconds beyond which waiting is worth a note.
  static let toleratedPressure = 0.05

  private var frequency: [Diagnosis] {
    var found: [Diagnosis] = []
    if governors.isEmpty {
      let host = virtualization.map { "hidden by \($0)" } ?? "not shown by the kernel"
      found.append(
        Diagnosis("governor", "unknown (\(host))", .note, "compare models within a round, never runs of different days")
      )
    } else {
      let names = governors.joined(separator: ", ")
      let advice = "set it to performance: cpupower frequency-set -g performance"
      found.append(
        governors == ["performance"] ? Diagnosis("governor", names) : Diagnosis("governor", names, .change, advice))
    }
    if let frequencyCap {
      let (allowed, hardware) = (frequencyCap.allowedKilohertz, frequencyCap.hardwareKilohertz)
      let value = "up to \(gigahertz(allowed)) of \(gigahertz(hardware)) GHz"
      found.append(
        allowed < hardware
          ? Diagnosis(
            "frequency", value, .note,
            "the policy keeps the processors below what they can: cpupower frequency-set -u \(hardware / 1000)MHz")
          : Diagnosis("frequency", value))
    }
    if let turbo {
      found.append(
        turbo
          ? Diagnosis(
            "turbo", "on", .note,
            "the speed depends on how many cores are busy: echo 1 > /sys/devices/system/cpu/intel_pstate/no_turbo, or "
              + "echo 0 > /sys/devices/system/cpu/cpufreq/boost") : Diagnosis("turbo", "off"))
    }
    return found
  }

  private var heat: Diagnosis {
    guard let thermalThrottles else {
      return Diagnosis(
        "throttling", "unknown", .note,
        "the host does not say whether heat slows it down: see whether later rounds are slower than early ones")
    }
    let value = "\(thermalThrottles.total) times by heat since the start, \(thermalThrottles.growth) in the last second"
    if thermalThrottles.growth > 0 {
      return Diagnosis("throttling", value, .change, "the processors are too hot to keep their speed: cool them")
    }
    return thermalThrottles.total > 0
      ? Diagnosis("throttling", value, .note, "see whether the count grows during a run: 'switchyard doctor' after it")
      : Diagnosis("throttling", value)
  }

  private var clock: Diagnosis {
    guard let clockSource else { return Diagnosis("clock source", "unknown", .note, "mount /sys") }
    let fast = ["tsc", "arch_sys_counter", "kvm-clock", "hyperv_clocksource_tsc_page"]
    return fast.contains(clockSource)
      ? Diagnosis("clock source", clockSource)
      : Diagnosis(
        "clock source", clockSource, .change,
        "each clock read is a system call: boot with clocksource=tsc if the processor's is stable")
  }

  private var slack: Diagnosis {
    guard let timerSlackNanoseconds else {
      return Diagnosis("timer slack", "cannot be set", .change, "timers fire up to 50 µs late: allow prctl(2)")
    }
    return Diagnosis(
      "timer slack", "\(timerSlackNanoseconds) ns",
      timerSlackNanoseconds <= 1 ? .good : .change,
      timerSlackNanoseconds <= 1 ? nil : "the kernel grants no less, and timers fire that much later")
  }

  private var system: Diagnosis {
    let numbers = kernel.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
    let isRecent = numbers.count == 2 && (numbers[0], numbers[1]) >= (5, 11)
    let value = kernel + (virtualization.map { ", virtualized (\($0))" } ?? "")
    return isRecent
      ? Diagnosis("kernel", value)
      : Diagnosis("kernel", value, .change, "timers of epoll have milliseconds only: use Linux 5.11 or later")
  }

  private var memory: Diagnosis? {
    guard let availableMemoryBytes else { return nil }
    let value = "\(gibibytes(availableMemoryBytes)) of \(gibibytes(memoryBytes)) GiB available"
    return availableMemoryBytes < 4 << 30
      ? Diagnosis(
        "memory", value, .note,
        "cases may take half of it, and those of a million units end in state 'limit' below that")
      : Diagnosis("memory", value)
  }

  private var swap: Diagnosis? {
    guard let swapBytes else { return nil }
    let moved = swapped.map { $0.growth > 0 ? ", \($0.growth) pages moved in the last second" : "" } ?? ""
    let value =
      swapBytes == 0 ? "none" : "\(gibibytes(swapUsedBytes)) of \(gibibytes(swapBytes)) GiB in use\(moved)"
    if let swapped, swapped.growth > 0 {
      return Diagnosis(
        "swap", value, .change, "memory is short, and the disk is in every window: free some, swapoff -a")
    }
    return swapUsedBytes > 0
      ? Diagnosis("swap", value, .note, "what was swapped out comes back in some window: swapoff -a before a run")
      : Diagnosis("swap", value)
  }

  private var pages: Diagnosis? {
    guard let hugePages else { return nil }
    return hugePages == "always"
      ? Diagnosis(
        "huge pages", hugePages, .note,
        "memory figures jump in steps of 2 MiB that nobody asked for: echo madvise > "
          + "/sys/kernel/mm/transparent_hugepage/enabled") : Diagnosis("huge pages", hugePages)
  }

  private var environment: Diagnosis? {
    guard !inherited.isEmpty else { return nil }
    return Diagnosis(
      "environment", "has \(inherited.joined(separator: ", "))", .change,
      "the models inherit it and are no longer what others measure: unset \(inherited.joined(separator: " "))")
  }

  private var work: Diagnosis? {
    iterationsPerMillisecond.map { Diagnosis("CPU work", "\($0) iterations in a millisecond") }
  }

  private func gibibytes(_ bytes: Int) -> Double { (Double(bytes) / Double(1 << 30) * 10).rounded() / 10 }
  private func gigahertz(_ kilohertz: Int) -> Double { hundredths(Double(kilohertz) / 1e6) }
}
