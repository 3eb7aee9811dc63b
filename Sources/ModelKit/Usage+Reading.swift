// What the process has used: getrusage and the process's CPU clock (both keep the threads that have exited), and
// jemalloc's own figures.

import CJemalloc
import CLinux
import Glibc
import Workloads

extension Usage {
  /// Reads everything now. The CPU clock has nanoseconds where getrusage has ticks of its own scaling, so the split
  /// into user and system comes from getrusage and the total from the clock.
  public static func current() -> Usage {
    var usage = rusage()
    getrusage(RUSAGE_SELF.rawValue, &usage)
    let total = clinux_process_cpu_ns()
    let user = nanoseconds(usage.ru_utime)
    let system = nanoseconds(usage.ru_stime)
    let share = user + system == 0 ? 1 : Double(user) / Double(user + system)
    let userNanoseconds = UInt64(Double(total) * share)
    return Usage(
      monotonicNanoseconds: clinux_monotonic_ns(), userNanoseconds: userNanoseconds,
      systemNanoseconds: total - min(userNanoseconds, total), voluntarySwitches: usage.ru_nvcsw,
      involuntarySwitches: usage.ru_nivcsw, minorFaults: usage.ru_minflt, majorFaults: usage.ru_majflt,
      heapAllocatedBytes: Allocator.allocatedBytes, heapAllocations: Allocator.allocations)
  }

  private static func nanoseconds(_ time: timeval) -> UInt64 {
    UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_usec) * 1_000
  }
}

/// The process's allocator: jemalloc, linked into every model, unless a sanitizer has taken malloc over.
enum Allocator {
  /// Name and version, or nil where malloc is not jemalloc's.
  static let name: String? = {
    guard isInUse, let version: UnsafePointer<CChar> = control("version") else { return nil }
    // What follows the dash is a commit's name.
    return "jemalloc \(String(cString: version).prefix { $0 != "-" })"
  }()

  /// Whether malloc is really jemalloc's: its count for this thread moves with an allocation. The calls go through
  /// looked-up addresses, for the optimiser takes a plain malloc away that only a free follows.
  private static let isInUse: Bool = {
    typealias Allocate = @convention(c) (Int) -> UnsafeMutableRawPointer?
    typealias Release = @convention(c) (UnsafeMutableRawPointer?) -> Void
    guard let allocate = dlsym(nil, "malloc").map({ unsafeBitCast($0, to: Allocate.self) }),
      let release = dlsym(nil, "free").map({ unsafeBitCast($0, to: Release.self) }),
      let before: UInt64 = control("thread.allocated")
    else { return false }
    let block = allocate(1 << 16)
    defer { release(block) }
    guard block != nil, let after: UInt64 = control("thread.allocated") else { return false }
    return after &- before >= 1 << 16
  }()

  /// Live bytes; nil where unknown.
  static var allocatedBytes: Int? {
    guard isInUse else { return nil }
    refresh()
    return control("stats.allocated")
  }

  /// Allocation requests so far, small and large. Thread caches hand their counts over when they are flushed or swept,
  /// so the difference of two readings is exact only over many allocations.
  static var allocations: Int? {
    guard isInUse else { return nil }
    refresh()
    // 4096 is MALLCTL_ARENAS_ALL: the sum over all arenas.
    guard let small: UInt64 = control("stats.arenas.4096.small.nrequests"),
      let large: UInt64 = control("stats.arenas.4096.large.nrequests")
    else { return nil }
    return Int(small + large)
  }

  /// jemalloc's statistics are snapshots, renewed by writing to `epoch`.
  private static func refresh() {
    var epoch: UInt64 = 1
    mallctl("epoch", nil, nil, &epoch, MemoryLayout<UInt64>.size)
  }

  private static func control<Value>(_ name: String) -> Value? {
    withUnsafeTemporaryAllocation(of: Value.self, capacity: 1) { buffer in
      var size = MemoryLayout<Value>.size
      guard mallctl(name, buffer.baseAddress, &size, nil, 0) == 0, size == MemoryLayout<Value>.size else { return nil }
      return buffer[0]
    }
  }
}
