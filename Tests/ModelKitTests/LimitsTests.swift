// The bounds of a host, from texts of several hosts; and what fits under them.

import Testing
import Workloads

@testable import ModelKit

@Suite struct LimitsTests {
  /// A virtual machine without control groups of its own.
  static let plain = [
    "/proc/loadavg": "0.52 0.58 0.59 1/733 12345\n", "/proc/sys/kernel/threads-max": "188000\n",
    "/proc/sys/kernel/pid_max": "32768\n", "/proc/sys/vm/max_map_count": "65530\n",
    "/proc/self/maps": String(repeating: "55d0-55d1 r--p 00000000 fe:01 1 /bin/model\n", count: 230),
    "/proc/meminfo": "MemTotal:       24689764 kB\nMemFree:  100 kB\nMemAvailable:   24000000 kB\nBuffers: 5 kB\n",
    "/proc/self/cgroup": "0::/\n",
  ]

  static func limits(
    _ files: [String: String], processes: Int? = nil, descriptors: Int? = 1_024
  ) -> Limits {
    Limits(reading: { files[$0] }, openDescriptors: 24, .init(processes: processes, descriptors: descriptors))
  }

  static func bound(_ name: String, of limits: Limits) throws -> Limits.Bound {
    try #require(limits.bounds.first { $0.name == name }, "\(limits.bounds.map(\.name))")
  }

  @Test func `the kernel's own bounds are read with what is taken and what stays spare`() throws {
    let limits = Self.limits(Self.plain)
    let threads = try Self.bound("kernel.pid_max", of: limits)
    #expect(threads == .init(.threads, "kernel.pid_max", limit: 32_768, used: 733, spare: 2_000))
    #expect(threads.available == 30_035)
    #expect(try Self.bound("vm.max_map_count", of: limits).available == 65_530 - 230 - 1_000)
    #expect(try Self.bound("MemAvailable", of: limits).available == 24_000_000 * 1_024 / 2)
    #expect(try Self.bound("ulimit -n", of: limits).available == 1_024 - 24 - 64)
    #expect(!limits.bounds.contains { $0.name == "ulimit -u" })
    #expect(try Self.bound("ulimit -u", of: Self.limits(Self.plain, processes: 7_000)).available == 7_000 - 2_733)
  }

  @Test func `every control group above the process bounds it, and max is no bound`() throws {
    var files = Self.plain
    files["/proc/self/cgroup"] = "0::/user.slice/session-1.scope\n"
    files["/sys/fs/cgroup/user.slice/session-1.scope/pids.max"] = "max\n"
    files["/sys/fs/cgroup/user.slice/pids.max"] = "10000\n"
    files["/sys/fs/cgroup/user.slice/pids.current"] = "120\n"
    files["/sys/fs/cgroup/user.slice/session-1.scope/memory.max"] = "1000000\n"
    files["/sys/fs/cgroup/user.slice/session-1.scope/memory.current"] = "600000\n"
    files["/sys/fs/cgroup/user.slice/session-1.scope/memory.stat"] = "anon 5\ninactive_file 200000\n"
    let limits = Self.limits(files)
    #expect(limits.bounds.filter { $0.name.hasPrefix("pids.max") }.count == 1)
    #expect(try Self.bound("pids.max of /user.slice", of: limits).available == 10_000 - 120 - 2_000)
    #expect(try Self.bound("memory.max of /user.slice/session-1.scope", of: limits).available == 300_000)
  }

  @Test func `a container's own root and version 1's files count too`() throws {
    var files = Self.plain
    files["/proc/self/cgroup"] = "7:memory:/docker/ab\n5:cpu,cpuacct:/docker/ab\n3:pids:/docker/ab\n0::/\n"
    files["/sys/fs/cgroup/pids/pids.max"] = "4096\n"
    files["/sys/fs/cgroup/pids/pids.current"] = "96\n"
    files["/sys/fs/cgroup/memory/docker/ab/memory.limit_in_bytes"] = "9223372036854771712\n"
    files["/sys/fs/cgroup/memory/memory.limit_in_bytes"] = "8000\n"
    files["/sys/fs/cgroup/memory/memory.usage_in_bytes"] = "5000\n"
    files["/sys/fs/cgroup/memory/memory.stat"] = "inactive_file 7\ntotal_inactive_file 1000\n"
    let limits = Self.limits(files)
    #expect(try Self.bound("pids.max of /", of: limits).available == 2_000)
    #expect(try Self.bound("memory.limit_in_bytes of /", of: limits).available == 2_000)
    #expect(limits.bounds.filter { $0.resource == .bytes }.count == 2)
  }

  @Test func `a host that tells nothing bounds nothing`() throws {
    let limits = Limits(reading: { _ in nil }, openDescriptors: 0, .init())
    #expect(limits.bounds.isEmpty)
    try limits.admit(threads: 1_000_000)
    let garbled = Limits(
      reading: { _ in "none of this\n" }, openDescriptors: 0, .init(processes: nil, descriptors: nil))
    #expect(garbled.bounds.isEmpty)
  }

  @Test func `what fits is admitted, to the last unit`() throws {
    let limits = Limits([.init(.descriptors, "ulimit -n", limit: 1_000, used: 10, spare: 90)])
    try limits.admit(descriptors: 900)
    let failure = #expect(throws: ModelFailure.self) { try limits.admit(descriptors: 901) }
    #expect(failure?.state == .limit)
    #expect(failure?.reached == 900)
    for part in ["901 descriptors", "ulimit -n", "1000", "10 are taken", "90 stay spare"] {
      #expect(failure?.reason.contains(part) == true, "\(failure?.reason ?? "")")
    }
  }

  @Test func `the tightest bound says how many units would do`() {
    let limits = Limits([
      .init(.threads, "kernel.threads-max", limit: 60_000, used: 0, spare: 0),
      .init(.mappings, "vm.max_map_count", limit: 65_530, used: 30, spare: 0),
      .init(.bytes, "MemAvailable", limit: 1 << 40, used: 0, spare: 0),
    ])
    // Two mappings a thread bound it before the threads themselves do.
    let threads = #expect(throws: ModelFailure.self) { try limits.admit(threads: 100_000) }
    #expect(threads?.reached == 32_750)
    #expect(threads?.reason.contains("200000 mappings") == true)
    let units = #expect(throws: ModelFailure.self) { try limits.admit(units: 500, mappings: 131_000) }
    #expect(units?.reached == 250)
    let bytes = #expect(throws: ModelFailure.self) { try limits.admit(units: 1_000, bytes: 4 << 40) }
    #expect(bytes?.reached == 250)
  }

  @Test func `this host can be asked, and lets a case of one unit through`() throws {
    let limits = Limits.current()
    #expect(Set(limits.bounds.map(\.resource)) == Set(Limits.Resource.allCases))
    try Limits.admit(descriptors: 1)
    #expect(throws: ModelFailure.self) { try Limits.admit(threads: 1 << 40) }
  }
}
