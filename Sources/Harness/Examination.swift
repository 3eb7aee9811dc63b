// Is this host fit to measure on? What is read is apart from what is said about it, so that the tests can examine any
// host. What a host cannot show (most virtual machines hide their frequencies) is said to be unknown, not to be well.

import CLinux
import Glibc
import ResultFormat

/// One thing about the host, and what to do about it.
public struct Diagnosis: Sendable, Hashable, Encodable {
  public enum Verdict: String, Sendable, Encodable {
    case good
    /// Good to know: some cases end in state `limit`, or figures vary more than they might.
    case note
    /// Figures made so mean less than they could.
    case change
  }
  public let subject: String
  /// As found, with its unit.
  public let value: String
  public let verdict: Verdict
  /// What to change, with `note` and `change`.
  public let advice: String?

  public init(_ subject: String, _ value: String, _ verdict: Verdict = .good, _ advice: String? = nil) {
    self.subject = subject
    self.value = value
    self.verdict = verdict
    self.advice = advice
  }
}

/// What bears on measurements and can be read from outside.
public struct HostFacts: Sendable, Hashable {
  public var processors = 0
  public var processor = "unknown processor"
  /// Whether two of the processors may be one core; nil where the kernel does not say.
  public var hasSimultaneousThreads: Bool?
  public var governor: String?
  /// Whether the frequency may rise above its base; nil where the kernel does not say.
  public var turbo: Bool?
  /// Processors in use by everything, and the share that a hypervisor took, over a second.
  public var processorsInUse: Double?
  public var stolenShare: Double?
  public var virtualization: String?
  public var kernel = ""
  public var clockSource: String?
  /// The least that the kernel grants.
  public var timerSlackNanoseconds: Int?
  public var memoryBytes = 0
  public var availableMemoryBytes: Int?
  public var build = "release"
  public var iterationsPerMillisecond: Int?

  public init() {}

  /// Reads this host. Takes a second, for which it watches the load.
  public static func collect() async -> HostFacts {
    var facts = HostFacts()
    if let watch = await HostWatch.untilIdle(within: .zero) {
      facts.processorsInUse = watch.inUse
      facts.stolenShare = watch.stolen / Double(watch.processors)
    }
    facts.processors = ProcessorSets.available().count
    let environment = await RunEnvironment.collect(
      label: nil, processors: ProcessorSets(available: ProcessorSets.available()))
    facts.processor = environment.processor
    facts.virtualization = environment.virtualization
    facts.kernel = environment.kernel
    facts.clockSource = environment.clockSource
    facts.memoryBytes = environment.memoryBytes
    facts.build = RunEnvironment.build
    let cpus = "/sys/devices/system/cpu"
    facts.hasSimultaneousThreads = flag("\(cpus)/smt/active")
    facts.governor = line("\(cpus)/cpu0/cpufreq/scaling_governor")
    facts.turbo = flag("\(cpus)/intel_pstate/no_turbo").map { !$0 } ?? flag("\(cpus)/cpufreq/boost")
    // What the harness asks for in front of every model.
    let own = clinux_get_timer_slack()
    if clinux_set_timer_slack(1) == 0 { facts.timerSlackNanoseconds = Int(clinux_get_timer_slack()) }
    if own > 0 { _ = clinux_set_timer_slack(UInt(own)) }
    facts.availableMemoryBytes = contents(of: "/proc/meminfo").flatMap { RunEnvironment.field("MemAvailable", in: $0) }
      .flatMap { $0.split(separator: " ").first }.flatMap { Int($0) }.map { $0 * 1024 }
    facts.iterationsPerMillisecond = Calibration.iterationsPerMillisecond()
    return facts
  }

  private static func line(_ path: String) -> String? {
    contents(of: path)?.split(separator: "\n").first.map(String.init)
  }
  private static func flag(_ path: String) -> Bool? { line(path).flatMap { Int($0) }.map { $0 != 0 } }
}

extension HostFacts {
  /// What there is to say, in the order in which it matters.
  public var diagnoses: [Diagnosis] {
    [
      build == "release" ? nil : Diagnosis("build", build, .change, "build with 'swift build -c release'"), load,
      stolen,
    ]
    .compactMap { $0 } + [sets] + frequency + [clock, slack, system, memory, work].compactMap { $0 }
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
    let value = "\(rounded(processorsInUse)) processors in use over a second"
    return processorsInUse > HostLoad.tolerated
      ? Diagnosis("load", value, .change, "stop what else is running: 'top' shows it") : Diagnosis("load", value)
  }

  private var stolen: Diagnosis? {
    guard let stolenShare else { return nil }
    let value = "\(rounded(stolenShare * 100)) % of the processors' time over a second"
    return stolenShare > 0.01
      ? Diagnosis(
        "steal", value, .change,
        "other virtual machines take the processors: use a machine of your own, or compare models of one round only")
      : Diagnosis("steal", value)
  }

  private var frequency: [Diagnosis] {
    var found: [Diagnosis] = []
    if let governor {
      let advice = "set it to performance: cpupower frequency-set -g performance"
      found.append(
        governor == "performance"
          ? Diagnosis("governor", governor) : Diagnosis("governor", governor, .change, advice))
    } else {
      let host = virtualization.map { "hidden by \($0)" } ?? "not shown by the kernel"
      found.append(
        Diagnosis("governor", "unknown (\(host))", .note, "compare models within a round, never runs of different days")
      )
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

  private var work: Diagnosis? {
    iterationsPerMillisecond.map { Diagnosis("CPU work", "\($0) iterations in a millisecond") }
  }

  private func rounded(_ value: Double) -> Double { (value * 100).rounded() / 100 }
  private func gibibytes(_ bytes: Int) -> Double { (Double(bytes) / Double(1 << 30) * 10).rounded() / 10 }
}
