// What bears on measurements and can be read from outside, from the host's files: a second's watch for what moves, one
// reading for the rest.

import CLinux
import Glibc
import ResultFormat

/// A host as far as it shows itself; nil where it does not.
public struct HostFacts: Sendable, Hashable {
  public var processors = 0
  public var processor = "unknown processor"
  /// Whether two of the processors may be one core.
  public var hasSimultaneousThreads: Bool?
  /// Of the usable processors, each named once.
  public var governors: [String] = []
  /// The highest frequency that the policy allows and the highest of the hardware, in kHz; of the processor that is
  /// bound most.
  public var frequencyCap: FrequencyCap?
  /// Whether the frequency may rise above its base.
  public var turbo: Bool?
  /// How often heat has slowed the processors down, since the start and during the watch.
  public var thermalThrottles: Moving?
  /// Processors in use by everything, and the share that a hypervisor took, over a second.
  public var processorsInUse: Double?
  public var stolenShare: Double?
  /// Who used most of them.
  public var consumers: [HostLoad.Consumer] = []
  /// Over one, five and fifteen minutes.
  public var loadAverages: [Double] = []
  /// The share of the last ten seconds in which something waited for the processors, the disks, the memory; 0 ... 1.
  public var pressure: [String: Double] = [:]
  /// What the control groups leave to this process, in processors; nil without a quota, too.
  public var quotaProcessors: Double?
  /// For how long the quota has stopped this process's group, in nanoseconds.
  public var throttled: Moving?
  public var virtualization: String?
  public var kernel = ""
  public var clockSource: String?
  /// The least that the kernel grants.
  public var timerSlackNanoseconds: Int?
  public var memoryBytes = 0
  public var availableMemoryBytes: Int?
  public var swapBytes: Int?
  public var swapUsedBytes = 0
  /// Pages that went to swap and came back.
  public var swapped: Moving?
  /// `always`, `madvise` or `never`.
  public var hugePages: String?
  /// Names of variables that are set, that the models inherit, and that change what they are.
  public var inherited: [String] = []
  public var build = "release"
  public var iterationsPerMillisecond: Int?

  /// A count of the kernel's since it started, and by how much it grew during the watch.
  public struct Moving: Sendable, Hashable {
    public var total: Int
    public var growth: Int
  }

  public struct FrequencyCap: Sendable, Hashable {
    public var allowedKilohertz: Int
    public var hardwareKilohertz: Int
  }

  public init() {}

  /// Reads this host. Takes a second, for which it watches the load.
  public static func collect() async -> HostFacts {
    let first = HostReading.now()
    try? await Task.sleep(for: .seconds(1))
    let second = HostReading.now(isLast: true)
    var facts = HostFacts(.live, from: first, to: second, usable: ProcessorSets.available(), own: Int(getpid()))
    facts.readOwnProcess()
    facts.iterationsPerMillisecond = Calibration.iterationsPerMillisecond()
    return facts
  }

  /// What no file says: the build, and what every model gets from this process.
  mutating func readOwnProcess() {
    build = RunEnvironment.build
    inherited = Self.inheritable.filter { name in getenv(name).map { $0.pointee != 0 } ?? false }
    // What the harness asks for in front of every model.
    let own = clinux_get_timer_slack()
    if clinux_set_timer_slack(1) == 0 { timerSlackNanoseconds = Int(clinux_get_timer_slack()) }
    if own > 0 { _ = clinux_set_timer_slack(UInt(own)) }
  }

  /// jemalloc's settings, what is put in front of every library, and glibc's settings.
  static let inheritable = ["MALLOC_CONF", "LD_PRELOAD", "GLIBC_TUNABLES"]
}

extension HostFacts {
  /// All that the files of a host say.
  /// - Parameter usable: the processors that this process may use.
  /// - Parameter own: this process's number.
  init(_ files: HostFiles, from first: HostReading, to second: HostReading, usable: [Int], own: Int) {
    let cpuinfo = files.contents("/proc/cpuinfo") ?? ""
    let meminfo = files.contents("/proc/meminfo") ?? ""
    processors = usable.count
    processor = RunEnvironment.processorModel(cpuinfo)
    virtualization = RunEnvironment.virtualization(cpuinfo, files)
    kernel = files.line("/proc/sys/kernel/osrelease") ?? ""
    clockSource = files.line("/sys/devices/system/clocksource/clocksource0/current_clocksource")
    memoryBytes = RunEnvironment.bytes("MemTotal", in: meminfo) ?? 0
    availableMemoryBytes = RunEnvironment.bytes("MemAvailable", in: meminfo)
    readFrequencies(files, usable)
    readSwap(files)
    hugePages = files.line("/sys/kernel/mm/transparent_hugepage/enabled").flatMap(Self.chosen)
    loadAverages = files.line("/proc/loadavg")?.split(separator: " ").prefix(3).compactMap { Double($0) } ?? []
    for name in ["cpu", "io", "memory"] {
      if let share = files.contents("/proc/pressure/\(name)").flatMap(Self.pressure) { pressure[name] = share }
    }
    quotaProcessors = ProcessorQuota(files)?.processors

    if let watch = HostWatch(from: first, to: second, own: own) {
      processorsInUse = watch.inUse
      stolenShare = watch.stolen / Double(watch.processors)
      consumers = watch.consumers
    }
    func moving(_ count: (HostReading) -> Int?) -> Moving? {
      guard let before = count(first), let after = count(second) else { return nil }
      return Moving(total: after, growth: max(0, after - before))
    }
    thermalThrottles = moving(\.thermalThrottles)
    throttled = moving(\.throttledNanoseconds)
    swapped = moving(\.swappedPages)
  }

  private mutating func readFrequencies(_ files: HostFiles, _ usable: [Int]) {
    let folder = "/sys/devices/system/cpu"
    func flag(_ path: String) -> Bool? { files.number("\(folder)/\(path)").map { $0 != 0 } }
    hasSimultaneousThreads = flag("smt/active")
    turbo = flag("intel_pstate/no_turbo").map { !$0 } ?? flag("cpufreq/boost")
    governors = Set(usable.compactMap { files.line("\(folder)/cpu\($0)/cpufreq/scaling_governor") }).sorted()
    let caps = usable.compactMap { processor -> FrequencyCap? in
      guard let allowed = files.number("\(folder)/cpu\(processor)/cpufreq/scaling_max_freq"),
        let hardware = files.number("\(folder)/cpu\(processor)/cpufreq/cpuinfo_max_freq"), hardware > 0
      else { return nil }
      return FrequencyCap(allowedKilohertz: allowed, hardwareKilohertz: hardware)
    }
    frequencyCap = caps.min {
      Double($0.allowedKilohertz) / Double($0.hardwareKilohertz)
        < Double($1.allowedKilohertz) / Double($1.hardwareKilohertz)
    }
  }

  /// /proc/swaps: a heading, then `name type size used priority` in KiB.
  private mutating func readSwap(_ files: HostFiles) {
    guard let text = files.contents("/proc/swaps") else { return }
    var (size, used) = (0, 0)
    for line in text.split(separator: "\n").dropFirst() {
      let fields = line.split(whereSeparator: \.isWhitespace)
      guard fields.count >= 5, let all = Int(fields[fields.count - 3]), let taken = Int(fields[fields.count - 2]) else {
        continue
      }
      size += all * 1024
      used += taken * 1024
    }
    swapBytes = size
    swapUsedBytes = used
  }

  /// `madvise` of `always [madvise] never`.
  static func chosen(_ line: String) -> String? {
    guard let opening = line.firstIndex(of: "["), let closing = line[opening...].firstIndex(of: "]") else { return nil }
    return String(line[line.index(after: opening)..<closing])
  }

  /// The share of the last ten seconds in which at least one task waited: `some avg10=4.20 ...`, in percent.
  static func pressure(_ text: String) -> Double? {
    for line in text.split(separator: "\n") where line.hasPrefix("some ") {
      for field in line.split(separator: " ") where field.hasPrefix("avg10=") {
        return Double(field.dropFirst("avg10=".count)).map { $0 / 100 }
      }
    }
    return nil
  }
}
