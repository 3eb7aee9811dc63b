// Whether CPU clocks count the interrupts that come while a process runs. /proc/stat has them in columns of their own; the
// clock of the process that they interrupt stands still only in kernels that were built to tell time in interrupts apart
// (CONFIG_IRQ_TIME_ACCOUNTING; kernel/sched/cputime.c and update_rq_clock_task in kernel/sched/core.c).

import CZlib
import Glibc

extension HostLoad {
  /// Nil where the kernel's configuration is not to be seen.
  static let clocksHoldInterrupts: Bool? = clocksHoldInterrupts(kernelConfiguration())

  /// - Parameter configuration: the kernel's, as in /boot/config-*.
  static func clocksHoldInterrupts(_ configuration: String?) -> Bool? {
    guard let configuration, configuration.contains("CONFIG_") else { return nil }
    return !configuration.split(separator: "\n").contains("CONFIG_IRQ_TIME_ACCOUNTING=y")
  }

  /// From /proc/config.gz or /boot; nil where neither can be read.
  private static func kernelConfiguration() -> String? {
    var name = utsname()
    uname(&name)
    let release = withUnsafeBytes(of: name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    return ["/proc/config.gz", "/boot/config-\(release)"].lazy.compactMap(unpacked).first
  }

  /// A file's text, compressed by gzip or not.
  private static func unpacked(_ path: String) -> String? {
    guard let file = gzopen(path, "r") else { return nil }
    defer { gzclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = gzread(file, &chunk, UInt32(chunk.count))
      guard count >= 0 else { return nil }
      if count == 0 { return String(decoding: bytes, as: UTF8.self) }
      bytes += chunk.prefix(Int(count))
    }
  }
}
