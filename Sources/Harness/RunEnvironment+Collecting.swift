// The host and the build, as far as they bear on the figures; never the host's name.

import Foundation
import Glibc
import ResultFormat
import Subprocess

extension RunEnvironment {
  /// Reads the host as it is now, before the first trial.
  /// - Parameter label: what a published run's folder is called after; nil for the processor's model.
  /// - Parameter watch: what else ran on it just before; nil where the kernel gives no account of its processors.
  public static func collect(label: String?, processors: ProcessorSets, watch: HostWatch?) async
    -> RunEnvironment
  {
    let cpu = contents(of: "/proc/cpuinfo") ?? ""
    let processor = processorModel(cpu)
    let memory = contents(of: "/proc/meminfo").flatMap { bytes("MemTotal", in: $0) }
    let load = contents(of: "/proc/loadavg")?.split(separator: " ").first.flatMap { Double($0) }
    let available = ProcessorSets.available().count
    var warnings: [String] = []
    if build != "release" {
      warnings.append("Debug build: figures mean nothing. Build with 'swift build -c release'.")
    }
    if let warning = watch.map(\.warning) ?? HostWatch.blindness { warnings.append(warning) }
    var facts = HostFacts(
      .live, from: watch?.first ?? .now(), to: watch?.second ?? .now(isLast: true), usable: ProcessorSets.available(),
      own: Int(getpid()))
    facts.readOwnProcess()
    warnings += facts.warnings
    if processors.isShared {
      warnings.append("One processor: rig and model share it, so that each delays the other.")
    }
    return RunEnvironment(
      startedAt: timestamp(), label: slug(label ?? processor), operatingSystem: operatingSystem(),
      kernel: kernel(), architecture: architecture, processor: processor, processors: available,
      memoryBytes: memory ?? 0,
      virtualization: virtualization(cpu, .live),
      clockSource: contents(of: "/sys/devices/system/clocksource/clocksource0/current_clocksource").map(trimmed),
      compiler: compiler, build: build, revision: await revision(), loadAverage: load, warnings: warnings)
  }

  // MARK: Build

  static var build: String {
    #if DEBUG
      "debug"
    #else
      "release"
    #endif
  }

  static var architecture: String {
    #if arch(x86_64)
      "x86_64"
    #elseif arch(arm64)
      "aarch64"
    #else
      "unknown"
    #endif
  }

  /// As far as the compiler tells the code that it compiles.
  static var compiler: String {
    #if compiler(>=6.5)
      "Swift 6.5 or newer"
    #elseif compiler(>=6.4)
      "Swift 6.4"
    #elseif compiler(>=6.3.2)
      "Swift 6.3.2 or newer"
    #elseif compiler(>=6.3.1)
      "Swift 6.3.1"
    #elseif compiler(>=6.3)
      "Swift 6.3"
    #else
      "Swift 6.2"
    #endif
  }

  /// The commit of the checkout that the executable was built in; nil if it was moved out of one.
  private static func revision() async -> String? {
    guard let own = Executables.ownExecutable(), let build = own.range(of: "/.build") else { return nil }
    let checkout = String(own[..<build.lowerBound])
    guard let commit = await git(["rev-parse", "HEAD"], in: checkout), !commit.isEmpty,
      let changes = await git(["status", "--porcelain", "--untracked-files=no"], in: checkout)
    else { return nil }
    return changes.isEmpty ? commit : "\(commit)-dirty"
  }

  private static func git(_ arguments: [String], in folder: String) async -> String? {
    let result = try? await Subprocess.run(
      .name("git"), arguments: .init(["-C", folder] + arguments), output: .string(limit: 1 << 20), error: .discarded)
    guard let result, result.terminationStatus.isSuccess else { return nil }
    return trimmed(result.standardOutput)
  }

  // MARK: Host

  static func processorModel(_ cpuinfo: String) -> String {
    for key in ["model name", "Model", "Hardware"] {
      if let value = field(key, in: cpuinfo) { return value }
    }
    // aarch64 kernels name no model, only the designer and the part.
    if let implementer = field("CPU implementer", in: cpuinfo), let part = field("CPU part", in: cpuinfo) {
      return "ARM implementer \(implementer) part \(part)"
    }
    return "unknown processor"
  }

  static func virtualization(_ cpuinfo: String, _ files: HostFiles) -> String? {
    let flags = field("flags", in: cpuinfo)?.split(separator: " ") ?? []
    guard flags.contains("hypervisor") else { return nil }
    return files.line("/sys/class/dmi/id/sys_vendor") ?? files.line("/sys/hypervisor/type") ?? "hypervisor"
  }

  private static func operatingSystem() -> String {
    guard let text = contents(of: "/etc/os-release") else { return "Linux" }
    for line in text.split(separator: "\n") where line.hasPrefix("PRETTY_NAME=") {
      return line.dropFirst("PRETTY_NAME=".count).trimmingCharacters(in: CharacterSet(charactersIn: "\"'"))
    }
    return "Linux"
  }

  private static func kernel() -> String {
    var name = utsname()
    guard uname(&name) == 0 else { return "unknown" }
    return withUnsafeBytes(of: &name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }

  /// A field of /proc/meminfo, which says kB and means 1,024 bytes.
  static func bytes(_ key: String, in meminfo: String) -> Int? {
    field(key, in: meminfo).flatMap { $0.split(separator: " ").first }.flatMap { Int($0) }.map { $0 * 1024 }
  }

  /// The value of the first `key : value` line.
  static func field(_ key: String, in text: String) -> String? {
    for line in text.split(separator: "\n") {
      guard let colon = line.firstIndex(of: ":"), trimmed(String(line[..<colon])) == key else { continue }
      let value = trimmed(String(line[line.index(after: colon)...]))
      if !value.isEmpty { return value }
    }
    return nil
  }

  /// `Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz` becomes `intel-xeon-platinum-8375c`.
  static func slug(_ text: String) -> String {
    var name = text
    for noise in ["(R)", "(TM)", "(r)", "(tm)"] { name = name.replacingOccurrences(of: noise, with: " ") }
    if let at = name.firstIndex(of: "@") { name = String(name[..<at]) }
    var words = name.lowercased().split { !($0.isASCII && ($0.isLetter || $0.isNumber)) }.map(String.init)
    if words.count > 1 { words.removeAll { ["cpu", "processor"].contains($0) } }
    return words.isEmpty ? "unlabelled" : words.joined(separator: "-")
  }
}

private func trimmed(_ text: String) -> String { text.trimmingCharacters(in: .whitespacesAndNewlines) }
