// A host made of texts, as kernels print them: each test changes the files that it is about.

@testable import Harness

struct MadeUpHost {
  /// By path. What is not there cannot be read.
  var files: [String: String]

  /// Two idle processors of 4 GHz at most, Linux 6.12 on bare metal, 32 GiB, control groups of version 2.
  static let fit = MadeUpHost(files: [
    "/proc/cpuinfo": "processor\t: 0\nmodel name\t: Made-Up 9000\nflags\t\t: fpu sse2\n",
    "/proc/meminfo": "MemTotal:       33554432 kB\nMemFree: 1 kB\nMemAvailable:   31457280 kB\n",
    "/proc/sys/kernel/osrelease": "6.12.0-generic\n",
    "/proc/stat": stat(user: 1_000, idle: 9_000),
    "/proc/loadavg": "0.07 0.11 0.35 1/312 4711\n",
    "/proc/swaps": "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n",
    "/proc/vmstat": "nr_free_pages 1\npswpin 0\npswpout 0\npgfault 7\n",
    "/proc/self/cgroup": "0::/user.slice/session.scope\n",
    "/sys/fs/cgroup/cpu.stat": "usage_usec 5\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n",
    "/sys/fs/cgroup/user.slice/cpu.max": "max 100000\n",
    "/proc/pressure/cpu": pressure(some: "0.00"),
    "/proc/pressure/io": pressure(some: "0.12"),
    "/proc/pressure/memory": pressure(some: "0.00"),
    "/sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc\n",
    "/sys/devices/system/cpu/smt/active": "0\n",
    "/sys/devices/system/cpu/cpufreq/boost": "0\n",
    "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "performance\n",
    "/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor": "performance\n",
    "/sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq": "4000000\n",
    "/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "4000000\n",
    "/sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "0\n",
    "/sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count": "0\n",
    "/sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
    "/proc/1/stat": process(1, "systemd", ticks: 40),
    "/proc/17/stat": process(17, "switchyard", ticks: 5),
  ])

  /// Ticks so far of two processors together.
  static func stat(user: Int, system: Int = 0, idle: Int, interrupts: Int = 0, stolen: Int = 0) -> String {
    """
    cpu  \(user) 0 \(system) \(idle) 0 0 \(interrupts) \(stolen) 0 0
    cpu0 1 1 1 1 1 1 1 1 0 0
    cpu1 1 1 1 1 1 1 1 1 0 0
    intr 12345 0 0 7
    ctxt 1

    """
  }

  static func pressure(some share: String) -> String {
    "some avg10=\(share) avg60=0.01 avg300=0.02 total=123\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
  }

  static func process(_ pid: Int, _ name: String, ticks: Int, start: Int = 100) -> String {
    "\(pid) (\(name)) S 0 1 1 0 -1 4194560 9 9 0 0 \(ticks) 0 77 77 20 0 1 0 \(start) 172 34 1844\n"
  }

  var read: HostFiles {
    let files = files
    return HostFiles(
      contents: { files[$0] },
      names: { folder in
        let prefix = folder + "/"
        return Set(
          files.keys.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count).prefix { $0 != "/" }) }
        )
        .sorted()
      })
  }

  func changing(_ change: (inout [String: String]) -> Void) -> MadeUpHost {
    var host = self
    change(&host.files)
    return host
  }

  /// The host a second later: idle by then, except as told.
  func later(_ change: (inout [String: String]) -> Void = { _ in }) -> MadeUpHost {
    changing {
      $0["/proc/stat"] = Self.stat(user: 1_002, idle: 9_198)
      change(&$0)
    }
  }

  /// What the doctor would read of the two.
  static func facts(_ first: MadeUpHost, _ second: MadeUpHost, usable: [Int] = [0, 1]) -> HostFacts {
    var facts = HostFacts(
      second.read, from: .now(first.read), to: .now(second.read, isLast: true), usable: usable, own: 17)
    facts.timerSlackNanoseconds = 1
    facts.iterationsPerMillisecond = 300_000
    return facts
  }

  static func watch(_ first: MadeUpHost, _ second: MadeUpHost) -> HostWatch? {
    HostWatch(from: .now(first.read), to: .now(second.read, isLast: true), own: 17)
  }
}
