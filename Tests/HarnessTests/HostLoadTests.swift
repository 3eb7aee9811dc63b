// Who uses the processors: on the accounts of made-up hosts, before a run and at the edges of a trial's window.

import CLinux
import Glibc
import ResultFormat
import Testing

@testable import Harness

@Suite struct ProcessorAccountTests {
  private func times(_ first: String) -> HostLoad.Times? {
    HostLoad.Times("cpu  \(first)\ncpu0 1 1 1 1 1 1 1 1 0 0\ncpu1 1 1 1 1 1 1 1 1 0 0\nintr 1 2 3\n")
  }

  @Test func `shares are those of the ticks between two readings, in processors`() throws {
    let before = try #require(times("100 10 50 800 50 3 4 6 90 0"))
    // 200 ticks of two processors: 30 used, 10 in interrupts, 20 stolen, 140 idle or waiting for a disk.
    let after = try #require(times("110 15 65 930 60 8 9 26 99 0"))
    let shares = try #require(after.shares(since: before))
    #expect(shares == .init(used: 0.3, interrupts: 0.1, stolen: 0.2))
    #expect(abs(shares.all - 0.6) < 1e-12)
    #expect(before.shares(since: before) == nil)
    // Counts that fall, as idleness does when a processor goes offline, are no negative shares.
    #expect(try #require(times("90 10 50 2000 50 3 4 6 0 0")).shares(since: before)?.used == 0)
  }

  @Test(arguments: ["", "cpu 1 2 3\n", "cpu  1 2 3 4 5 6 7 8\n", "cpu  a b c d e f g h\ncpu0 1\n", "intr 1\n"])
  func `another kernel's file says nothing`(_ text: String) { #expect(HostLoad.Times(text) == nil) }

  @Test func `this host's can be read`() throws { #expect(try #require(HostLoad.times()).processors >= 1) }
}

@Suite struct ProcessTests {
  @Test func `a name may hold blanks and parentheses, and control characters do not get out`() throws {
    let process = try #require(HostLoad.Process(MadeUpHost.process(42, "a) S 1 (b\n\u{1B}[31m", ticks: 6, start: 9)))
    #expect(process.pid == 42 && process.ticks == 6 && process.startTick == 9)
    #expect(process.name == "a) S 1 (b??[31m")
  }

  @Test(arguments: ["", "1", "1 (x", "1 (x) S 1 2", ")1( S", "x (y) S 0 1 1 0 -1 4 9 9 0 0 6 0 7 7 20 0 1 0 9 1"])
  func `what is no process's line is none`(_ text: String) { #expect(HostLoad.Process(text) == nil) }

  @Test func `those that used most come first, and a number used again is another process`() throws {
    func process(_ pid: Int, _ name: String, _ ticks: Int, start: Int = 1) throws -> HostLoad.Process {
      try #require(HostLoad.Process(MadeUpHost.process(pid, name, ticks: ticks, start: start)))
    }
    let before = try [
      process(1, "init", 50), process(2, "old", 900), process(3, "own", 0), process(4, "gone", 10),
      process(5, "steady", 70),
    ]
    let after = try [
      process(1, "init", 51), process(2, "new", 30, start: 700), process(3, "own", 99), process(5, "steady", 110),
      process(6, "came", 20), process(7, "also", 20), process(8, "too", 4),
    ]
    let found = HostLoad.consumers(before, after, perTick: 0.01, own: 3, atMost: 4)
    #expect(
      found.map(\.description) == ["steady (pid 5) 0.4", "new (pid 2) 0.3", "came (pid 6) 0.2", "also (pid 7) 0.2"])
    #expect(HostLoad.consumers(before, before, perTick: 0.01, own: 3).isEmpty)
  }

  @Test func `of this host's processes this one is seen`() {
    #expect(HostLoad.processes().contains { $0.pid == Int(getpid()) })
  }
}

@Suite struct HostWatchTests {
  private func busy(user: Int = 0, stolen: Int = 0) throws -> HostWatch {
    let first = MadeUpHost.fit.changing { $0["/proc/99/stat"] = MadeUpHost.process(99, "make", ticks: 1) }
    let second = first.later {
      $0["/proc/stat"] = MadeUpHost.stat(user: 1_000 + user, idle: 9_200 - user - stolen, stolen: stolen)
      $0["/proc/99/stat"] = MadeUpHost.process(99, "make", ticks: 1 + user)
    }
    return try #require(MadeUpHost.watch(first, second))
  }

  @Test func `an idle host is admitted`() throws {
    let watch = try #require(MadeUpHost.watch(.fit, MadeUpHost.fit.later()))
    #expect(!watch.isBusy && watch.warning == nil)
    try watch.admit(anyway: false)
    // A tenth of a processor is what any host has.
    #expect(try !busy(user: 10).isBusy)
    #expect(try busy(user: 11).isBusy)
  }

  @Test func `a busy host is refused with its culprits and what to do`() throws {
    let watch = try busy(user: 62)
    let error = #expect(throws: HarnessError.self) { try watch.admit(anyway: false) }
    #expect(
      error
        == .host(
          "the host is busy: other programs use 0.62 of 2 processors (make (pid 99) 0.62). Stop them, or measure "
            + "nevertheless with --anyway: the tables will say so"))
    try watch.admit(anyway: true)
    // A published run names no programs.
    #expect(
      watch.warning
        == "The host was busy before the first trial: other programs used 0.62 of 2 processors. Measure again on an idle "
        + "host.")
  }

  @Test func `a hypervisor that takes the processors is told apart from programs`() throws {
    let watch = try busy(user: 2, stolen: 30)
    let error = #expect(throws: HarnessError.self) { try watch.admit(anyway: false) }
    #expect(
      error?.description
        == "the host is busy: other programs use 0.02 of 2 processors (make (pid 99) 0.02), and the hypervisor takes 0.3 "
        + "of 2 for other machines. Use a machine of your own, or measure nevertheless with --anyway: the tables will "
        + "say so")
    #expect(watch.warning?.contains("the hypervisor took 0.3 for other machines") == true)
  }

  @Test func `what used the processors may be out of sight`() throws {
    let second = MadeUpHost.fit.later { $0["/proc/stat"] = MadeUpHost.stat(user: 1_150, idle: 9_050) }
    let error = #expect(throws: HarnessError.self) {
      try #require(MadeUpHost.watch(.fit, second)).admit(anyway: false)
    }
    #expect(error?.description.contains("short-lived programs or those of another container") == true)
  }

  @Test func `a host without an account of its processors is not watched`() {
    #expect(MadeUpHost.watch(.fit, MadeUpHost(files: [:])) == nil)
  }

  @Test func `one watch is enough without patience`() async throws {
    let watch = try #require(
      await HostWatch.untilIdle(within: .zero, over: .milliseconds(50)) { _ in Issue.record("nothing follows") })
    #expect(watch.processors >= 1 && watch.inUse >= 0)
    #expect(watch.inUse + watch.stolen <= Double(watch.processors) + 0.01)
  }

  @Test func `the environment of a run on a busy host says so`() async throws {
    let sets = ProcessorSets(available: [0, 1])
    let watch = try busy(user: 50)
    let environment = await RunEnvironment.collect(label: nil, processors: sets, watch: watch)
    #expect(environment.warnings.contains { $0.contains("other programs used 0.5 of 2 processors") })
    let quiet = await RunEnvironment.collect(
      label: nil, processors: sets, watch: MadeUpHost.watch(.fit, MadeUpHost.fit.later()))
    #expect(!quiet.warnings.contains { $0.contains("other programs") })
    // Nor does one that could not be watched pass for an idle one.
    let unseen = await RunEnvironment.collect(label: nil, processors: sets, watch: nil)
    #expect(unseen.warnings.contains { $0.contains("nobody knows whether other programs ran beside the trials") })
  }
}

@Suite struct TrialNoiseTests {
  private func edge(
    user: Int, system: Int = 0, idle: Int, interrupts: Int = 0, stolen: Int = 0, own: Int, seconds: UInt64,
    throttled: Int? = nil
  ) throws -> HostLoad.Edge {
    let stat = MadeUpHost.stat(user: user, system: system, idle: idle, interrupts: interrupts, stolen: stolen)
    return HostLoad.Edge(
      times: try #require(HostLoad.Times(stat)), ownNanoseconds: own, monotonicNanoseconds: seconds * 1_000_000_000,
      throttledNanoseconds: throttled)
  }

  /// Five seconds of two processors at 100 ticks a second: 500 used, 50 in interrupts, 20 stolen, 430 idle; of these
  /// 4.6 s are the trial's own.
  private func figures(isServed: Bool, clocksHoldInterrupts: Bool? = false) throws -> HostFigures {
    let open = try edge(user: 1_000, idle: 9_000, own: 1_000_000_000, seconds: 7)
    let close = try edge(
      user: 1_400, system: 100, idle: 9_430, interrupts: 50, stolen: 20, own: 5_600_000_000, seconds: 12)
    return try #require(
      close.figures(since: open, isServed: isServed, clocksHoldInterrupts: clocksHoldInterrupts))
  }

  @Test func `what the trial's own processes used is nobody else's`() throws {
    let served = try figures(isServed: true)
    #expect(abs(served.othersProcessors - 0.08) < 1e-9)
    #expect(abs(served.stolenProcessors - 0.04) < 1e-9)
    #expect(abs(served.interruptProcessors - 0.1) < 1e-9)
    #expect(served.throttledNanoseconds == nil)
    #expect(served.isBusy(windowNanoseconds: 5_000_000_000))
    // In-process there are no messages whose interrupts could be the trial's own.
    #expect(abs(try figures(isServed: false).othersProcessors - 0.18) < 1e-9)
  }

  @Test func `interrupts that the trial's own clocks hold are not taken off twice`() throws {
    #expect(abs(try figures(isServed: true, clocksHoldInterrupts: true).othersProcessors - 0.18) < 1e-9)
    #expect(abs(try figures(isServed: true, clocksHoldInterrupts: nil).othersProcessors - 0.08) < 1e-9)
  }

  @Test func `whether clocks hold interrupts is the kernel's configuration`() {
    #expect(HostLoad.clocksHoldInterrupts("CONFIG_SMP=y\n# CONFIG_IRQ_TIME_ACCOUNTING is not set\n") == true)
    #expect(HostLoad.clocksHoldInterrupts("CONFIG_SMP=y\nCONFIG_IRQ_TIME_ACCOUNTING=y\n") == false)
    #expect(HostLoad.clocksHoldInterrupts(nil) == nil && HostLoad.clocksHoldInterrupts("") == nil)
  }

  @Test func `what the kernel's own threads used is nobody's`() throws {
    var open = try edge(user: 1_000, idle: 9_000, own: 0, seconds: 7)
    var close = try edge(user: 1_400, system: 100, idle: 9_500, own: 4_000_000_000, seconds: 12)
    #expect(try #require(close.figures(since: open, isServed: true)).kernelProcessors == nil)
    open.kernelNanoseconds = [2: 7_000_000_000, 15: 0, 22: 900]
    // 15 has come to 0.75 s; 22 is gone, and 31 has come: both are not known.
    close.kernelNanoseconds = [2: 7_000_000_000, 15: 750_000_000, 31: 5_000_000_000]
    let figures = try #require(close.figures(since: open, isServed: true))
    #expect(abs(try #require(figures.kernelProcessors) - 0.15) < 1e-9)
    #expect(abs(figures.othersProcessors - 0.05) < 1e-9)
  }

  @Test func `the kernel's own threads are told by their flag`() {
    let fields = "S 2 0 0 0 -1 69238880 0 0 0 0 40 2 0 0 20 0 1 0 7 0 0"
    #expect(HostLoad.Process("15 (rcu_preempt) \(fields)")?.isKernelThread == true)
    #expect(
      HostLoad.Process("15 (rcu_preempt) \(fields.replacing("69238880", with: "4194560"))")?.isKernelThread == false)
    #expect(HostLoad.kernelThreads(MadeUpHost.fit.read).isEmpty)
  }

  @Test func `ticks are coarser than CPU clocks, and nobody uses less than nothing`() throws {
    let open = try edge(user: 0, idle: 0, own: 0, seconds: 0)
    let close = try edge(user: 90, idle: 110, own: 1_000_000_000, seconds: 1, throttled: 3)
    let figures = try #require(close.figures(since: open, isServed: true))
    #expect(figures.othersProcessors == 0 && !figures.isBusy(windowNanoseconds: 1_000_000_000))
    // A quota that is known at one edge only says nothing.
    #expect(figures.throttledNanoseconds == nil)
    #expect(open.figures(since: open, isServed: true) == nil)
  }

  @Test func `a quota that stops the trial disturbs it as others do`() throws {
    let open = try edge(user: 0, idle: 0, own: 0, seconds: 0, throttled: 1_000)
    let close = try edge(user: 100, idle: 100, own: 1_000_000_000, seconds: 1, throttled: 10_002_000)
    let figures = try #require(close.figures(since: open, isServed: true))
    #expect(figures.throttledNanoseconds == 10_001_000)
    #expect(figures.isBusy(windowNanoseconds: 1_000_000_000))
    #expect(!figures.isBusy(windowNanoseconds: 2_000_000_000))
  }

  @Test func `heat that slows a processor down disturbs a trial, once is enough`() throws {
    var open = try edge(user: 0, idle: 0, own: 0, seconds: 0)
    var close = try edge(user: 100, idle: 100, own: 1_000_000_000, seconds: 1)
    #expect(try #require(close.figures(since: open, isServed: true)).thermalThrottles == nil)
    (open.thermalThrottles, close.thermalThrottles) = (7, 7)
    #expect(try !#require(close.figures(since: open, isServed: true)).isBusy(windowNanoseconds: 1_000_000_000))
    close.thermalThrottles = 8
    let figures = try #require(close.figures(since: open, isServed: true))
    #expect(figures.thermalThrottles == 1 && figures.isBusy(windowNanoseconds: 1_000_000_000))
  }

  @Test func `every processor's counters of heat are read, and none where there are none`() {
    let folder = "/sys/devices/system/cpu"
    let host = MadeUpHost.fit.changing {
      $0["\(folder)/cpu0/thermal_throttle/core_throttle_count"] = "3\n"
      $0["\(folder)/cpu1/thermal_throttle/core_throttle_count"] = "4\n"
      $0["\(folder)/cpu1/thermal_throttle/package_throttle_count"] = "50\n"
      $0["\(folder)/cpufreq/thermal_throttle/core_throttle_count"] = "600\n"
    }
    let counters = ThermalCounters(host.read)
    #expect(counters.throttles(host.read) == 57)
    let later = host.changing { $0["\(folder)/cpu0/thermal_throttle/core_throttle_count"] = "5\n" }
    #expect(counters.throttles(later.read) == 59)
    #expect(ThermalCounters(MadeUpHost(files: [:]).read).throttles() == nil)
  }

  @Test func `an edge of a process that is gone is none`() throws {
    #expect(HostLoad.Edge(of: [4_194_305]) == nil)
    let own = try #require(HostLoad.Edge(of: [getpid()]))
    #expect(own.ownNanoseconds > 0 && own.monotonicNanoseconds <= clinux_monotonic_ns())
  }
}

@Suite struct ProcessorQuotaTests {
  @Test func `the tightest of the groups that hold the process counts`() throws {
    let host = MadeUpHost(files: [
      "/proc/self/cgroup": "0::/a/b\n", "/sys/fs/cgroup/a/cpu.max": "50000 100000\n",
      "/sys/fs/cgroup/a/cpu.stat": "throttled_usec 7\n", "/sys/fs/cgroup/a/b/cpu.max": "250000 100000\n",
      "/sys/fs/cgroup/a/b/cpu.stat": "usage_usec 9\nthrottled_usec 5\n",
    ])
    let quota = try #require(ProcessorQuota(host.read))
    #expect(quota.processors == 0.5)
    #expect(quota.throttledNanoseconds(host.read) == 12_000)
  }

  @Test func `groups of version 1 count in nanoseconds`() throws {
    let host = MadeUpHost(files: [
      "/proc/self/cgroup": "4:memory:/m\n3:cpu,cpuacct:/docker/x\n0::/\n",
      // In a container the path is the host's, and only the root is there.
      "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "150000\n", "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
      "/sys/fs/cgroup/cpu/cpu.stat": "nr_periods 1\nnr_throttled 1\nthrottled_time 4200\n",
    ])
    let quota = try #require(ProcessorQuota(host.read))
    #expect(quota.processors == 1.5)
    #expect(quota.throttledNanoseconds(host.read) == 4_200)
  }

  @Test(arguments: ["max 100000\n", "", "x y\n", "100000 0\n", "100000\n"])
  func `what is no quota is none`(_ text: String) {
    let host = MadeUpHost(files: ["/proc/self/cgroup": "0::/a\n", "/sys/fs/cgroup/a/cpu.max": text])
    #expect(ProcessorQuota(host.read) == nil)
  }

  @Test func `without control groups there is none`() { #expect(ProcessorQuota(MadeUpHost(files: [:]).read) == nil) }
}
