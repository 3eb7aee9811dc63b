// What the doctor says of hosts that are made up from the texts that kernels print.

import Testing
import Workloads

@testable import Harness

@Suite struct ExaminationTests {
  private static let cpu = "/sys/devices/system/cpu"

  private func diagnoses(_ facts: HostFacts) -> [String: Diagnosis] {
    Dictionary(facts.diagnoses.map { ($0.subject, $0) }, uniquingKeysWith: { first, _ in first })
  }

  @Test func `a fit host has nothing to change, and no advice`() {
    let found = MadeUpHost.facts(.fit, MadeUpHost.fit.later()).diagnoses
    for diagnosis in found { #expect(diagnosis.verdict == .good && diagnosis.advice == nil, "\(diagnosis)") }
    #expect(
      found.map(\.subject) == [
        "load", "load average", "steal", "quota", "pressure", "processors", "governor", "frequency", "turbo",
        "throttling", "clock source", "timer slack", "kernel", "memory", "swap", "huge pages", "CPU work",
      ])
    #expect(found.first { $0.subject == "memory" }?.value == "30.0 of 32.0 GiB available")
    #expect(found.first { $0.subject == "load" }?.value == "0.02 processors in use over a second")
  }

  /// What a change of the host's files, or of what a second brings, makes the doctor say.
  struct Finding: Sendable, CustomTestStringConvertible {
    var subject: String
    var verdict: Diagnosis.Verdict
    var advice: String
    var value: String
    /// Of the host from the start, and of the second reading only.
    var change: @Sendable (inout [String: String]) -> Void
    var later: @Sendable (inout [String: String]) -> Void
    var testDescription: String { "\(subject): \(value)" }

    init(
      _ subject: String, _ verdict: Diagnosis.Verdict, _ value: String, _ advice: String,
      change: @escaping @Sendable (inout [String: String]) -> Void = { _ in },
      later: @escaping @Sendable (inout [String: String]) -> Void = { _ in }
    ) {
      self.subject = subject
      self.verdict = verdict
      self.value = value
      self.advice = advice
      self.change = change
      self.later = later
    }
  }

  static let findings = [
    // A busy host, whose culprits are named; one that only a program already gone can have kept busy.
    Finding(
      "load", .change, "0.7 processors in use over a second: clang-17 (pid 99) 0.6, ld (pid 100) 0.08", "stop these",
      change: { $0["/proc/99/stat"] = MadeUpHost.process(99, "clang-17", ticks: 1_000) },
      later: {
        $0["/proc/stat"] = MadeUpHost.stat(user: 1_060, system: 10, idle: 9_130)
        $0["/proc/99/stat"] = MadeUpHost.process(99, "clang-17", ticks: 1_060)
        $0["/proc/100/stat"] = MadeUpHost.process(100, "ld", ticks: 8, start: 900)
      }),
    Finding(
      "load", .change, "0.7 processors in use over a second", "short-lived programs",
      later: { $0["/proc/stat"] = MadeUpHost.stat(user: 1_070, idle: 9_130) }),
    Finding("load", .note, "unknown", "mount /proc", later: { $0["/proc/stat"] = nil }),
    Finding(
      "load average", .note, "4.33 over 1 min, 0.11 over 5, 0.35 over 15", "wait until it falls",
      change: { $0["/proc/loadavg"] = "4.33 0.11 0.35 1/312 4711\n" }),
    Finding(
      "steal", .change, "2.0 % of the processors' time over a second", "machine of your own",
      later: { $0["/proc/stat"] = MadeUpHost.stat(user: 1_002, idle: 9_194, stolen: 4) }),
    Finding(
      "quota", .change, "1.5 of 2 processors, stopped for 120.0 ms of the last second", "--cpuset-cpus",
      change: {
        $0["/sys/fs/cgroup/user.slice/cpu.max"] = "150000 100000\n"
        $0["/sys/fs/cgroup/user.slice/cpu.stat"] = "nr_throttled 2\nthrottled_usec 5000\n"
      }, later: { $0["/sys/fs/cgroup/user.slice/cpu.stat"] = "nr_throttled 4\nthrottled_usec 125000\n" }),
    Finding(
      "pressure", .note, "cpu 0.0 %, io 31.5 %, memory 0.0 % of the last 10 s waited for", "wait until it is done",
      change: { $0["/proc/pressure/io"] = MadeUpHost.pressure(some: "31.50") }),
    Finding(
      "pressure", .note, "unknown", "psi=1",
      change: { files in for name in ["cpu", "io", "memory"] { files["/proc/pressure/\(name)"] = nil } }),
    Finding(
      "processors", .note, "2 usable, Made-Up 9000, simultaneous multithreading on", "smt/control",
      change: { $0["\(cpu)/smt/active"] = "1\n" }),
    Finding(
      "governor", .change, "performance, powersave", "cpupower frequency-set -g performance",
      change: { $0["\(cpu)/cpu1/cpufreq/scaling_governor"] = "powersave\n" }),
    Finding(
      "frequency", .note, "up to 2.2 of 4.0 GHz", "cpupower frequency-set -u 4000MHz",
      change: { $0["\(cpu)/cpu0/cpufreq/scaling_max_freq"] = "2200000\n" }),
    Finding("turbo", .note, "on", "no_turbo", change: { $0["\(cpu)/intel_pstate/no_turbo"] = "0\n" }),
    Finding(
      "throttling", .note, "9 times by heat since the start, 0 in the last second", "doctor' after it",
      change: { $0["\(cpu)/cpu0/thermal_throttle/package_throttle_count"] = "9\n" }),
    Finding(
      "throttling", .change, "3 times by heat since the start, 3 in the last second", "cool them",
      later: { $0["\(cpu)/cpu0/thermal_throttle/core_throttle_count"] = "3\n" }),
    Finding(
      "clock source", .change, "hpet", "clocksource=tsc",
      change: { $0["/sys/devices/system/clocksource/clocksource0/current_clocksource"] = "hpet\n" }),
    Finding("kernel", .change, "5.10.0-28", "5.11", change: { $0["/proc/sys/kernel/osrelease"] = "5.10.0-28\n" }),
    Finding(
      "memory", .note, "1.0 of 32.0 GiB available", "limit",
      change: { $0["/proc/meminfo"] = "MemTotal: 33554432 kB\nMemAvailable: 1048576 kB\n" }),
    Finding(
      "swap", .note, "1.0 of 8.0 GiB in use", "swapoff -a",
      change: { $0["/proc/swaps"] = "Filename Type Size Used Priority\n/dev/dm-1 partition 8388608 1048576 -2\n" }),
    Finding(
      "swap", .change, "0.0 of 8.0 GiB in use, 12 pages moved in the last second", "memory is short",
      change: { $0["/proc/swaps"] = "Filename Type Size Used Priority\n/swap file 8388608 0 -2\n" },
      later: { $0["/proc/vmstat"] = "pswpin 5\npswpout 7\n" }),
    Finding(
      "huge pages", .note, "always", "echo madvise",
      change: { $0["/sys/kernel/mm/transparent_hugepage/enabled"] = "[always] madvise never\n" }),
  ]

  @Test(arguments: findings) func `each thing that spoils figures is said alone, with its remedy`(_ finding: Finding)
    throws
  {
    let first = MadeUpHost.fit.changing(finding.change)
    let second = first.later(finding.later)
    let found = MadeUpHost.facts(first, second).diagnoses
    let other = found.filter { $0.verdict != .good && $0.subject != finding.subject }
    #expect(other.isEmpty)
    let own = try #require(found.first { $0.subject == finding.subject })
    #expect(own.value == finding.value)
    #expect(own.verdict == finding.verdict)
    #expect(own.advice?.contains(finding.advice) == true, "\(own.advice ?? "")")
  }

  @Test func `what no file says is said, too`() {
    let changes: [(String, String, (inout HostFacts) -> Void)] = [
      ("build", "swift build -c release", { $0.build = "debug" }),
      ("processors", "two or more", { $0.processors = 1 }),
      ("timer slack", "later", { $0.timerSlackNanoseconds = 50_000 }),
      ("timer slack", "prctl", { $0.timerSlackNanoseconds = nil }),
      ("environment", "unset MALLOC_CONF LD_PRELOAD", { $0.inherited = ["MALLOC_CONF", "LD_PRELOAD"] }),
    ]
    for (subject, advice, change) in changes {
      var facts = MadeUpHost.facts(.fit, MadeUpHost.fit.later())
      change(&facts)
      let bad = facts.diagnoses.filter { $0.verdict != .good }
      #expect(bad.map(\.subject) == [subject])
      #expect(bad.first?.verdict == .change)
      #expect(bad.first?.advice?.contains(advice) == true, "\(bad)")
    }
  }

  @Test func `a run's tables say what should have been changed before it, and nothing that is said elsewhere`() {
    #expect(MadeUpHost.facts(.fit, MadeUpHost.fit.later()).warnings == [])
    let loaded = MadeUpHost.fit.later { $0["/proc/stat"] = MadeUpHost.stat(user: 1_070, idle: 9_100, stolen: 30) }
    #expect(MadeUpHost.facts(.fit, loaded, usable: [0]).warnings == [])
    let slow = MadeUpHost.fit.changing { $0["\(Self.cpu)/cpu1/cpufreq/scaling_governor"] = "powersave\n" }
    #expect(
      MadeUpHost.facts(slow, slow.later()).warnings == [
        "The host was not fit to measure on: governor performance, powersave. 'switchyard doctor' says what to change."
      ])
  }

  @Test func `a host that shows nothing is unknown, never well, and nothing ends the doctor`() {
    let empty = MadeUpHost(files: [:])
    let found = diagnoses(MadeUpHost.facts(empty, empty))
    for subject in ["load", "pressure", "governor", "throttling", "clock source"] {
      #expect(found[subject]?.verdict == .note, "\(subject)")
      #expect(found[subject]?.value.hasPrefix("unknown") == true, "\(subject)")
    }
    #expect(found["kernel"]?.verdict == .change)
    for subject in ["load average", "steal", "frequency", "turbo", "memory", "swap", "huge pages"] {
      #expect(found[subject] == nil, "\(subject)")
    }
  }

  @Test func `garbled files say nothing`() {
    let garbled = MadeUpHost.fit.changing { files in for path in files.keys { files[path] = "[garbage: \u{1F980} 1\n" }
    }
    let found = diagnoses(MadeUpHost.facts(garbled, garbled))
    #expect(found["load"]?.value == "unknown")
    #expect(found["quota"]?.value == "none")
    #expect(found["steal"] == nil && found["huge pages"] == nil && found["memory"] == nil)
  }

  @Test func `a virtual machine's hidden frequencies are blamed on its hypervisor`() {
    let hidden = MadeUpHost.fit.changing { files in
      for path in files.keys where path.contains("cpufreq") { files[path] = nil }
      files["/proc/cpuinfo"] = "model name\t: Made-Up 9000\nflags\t: fpu hypervisor\n"
      files["/sys/class/dmi/id/sys_vendor"] = "Cloud, Inc.\n"
    }
    let found = diagnoses(MadeUpHost.facts(hidden, hidden.later()))
    #expect(found["governor"]?.value == "unknown (hidden by Cloud, Inc.)")
    #expect(found["governor"]?.verdict == .note)
    #expect(found["kernel"]?.value == "6.12.0-generic, virtualized (Cloud, Inc.)")
  }
}

@Suite struct AllocatorTests {
  private func entry(_ name: String, _ allocator: String?) -> CatalogueEntry {
    CatalogueEntry(
      program: ModelProgram(name: name, path: "/\(name)", isGuest: false),
      description: .success(ModelDescription(model: name, idiom: "pretends", allocator: allocator, workloads: [])))
  }

  @Test func `all models must have the same jemalloc`() {
    let one = "jemalloc 5.3.0"
    #expect(
      Diagnosis.allocators([entry("a", one), entry("b", one)]) == Diagnosis("allocator", "\(one) in all 2 models"))
    let without = Diagnosis.allocators([entry("a", one), entry("b", nil)])
    #expect(without.verdict == .change && without.value == "a: \(one), b: the system's")
    #expect(without.advice?.contains("LD_PRELOAD") == true)
    let unlike = Diagnosis.allocators([entry("a", one), entry("b", "jemalloc 5.2.1")])
    #expect(unlike.verdict == .change && unlike.advice?.contains("build them together") == true)
    #expect(Diagnosis.allocators([]).verdict == .note)
    let mute = CatalogueEntry(
      program: ModelProgram(name: "c", path: "/c", isGuest: false), description: .failure(.usage("model 'c' is mute")))
    #expect(Diagnosis.allocators([entry("a", one), mute]).advice == "model 'c' is mute")
  }
}
