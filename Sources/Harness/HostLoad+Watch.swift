// Whether anything else is running before the first trial. A run on a busy host is refused, since nobody can tell
// afterwards whom the others delayed; whoever measures nevertheless gets a table that says so.

import Glibc

/// What a moment's watch of the host showed while nothing of the run was under way.
public struct HostWatch: Sendable, CustomStringConvertible {
  public let processors: Int
  /// Processors in use by programs and interrupts, and those that the hypervisor gave to other machines; 0 ... their
  /// number.
  public let inUse: Double
  public let stolen: Double
  /// Who used most, as far as that can be seen from here.
  public let consumers: [HostLoad.Consumer]
  /// What it was made from, with all else that was read then.
  let first: HostReading
  let second: HostReading

  /// Too much to measure beside it.
  public var isBusy: Bool { inUse + stolen > HostLoad.tolerated }

  /// From two readings; nil where the kernel gives no account of its processors.
  init?(from first: HostReading, to second: HostReading, own: Int) {
    guard let before = first.times, let after = second.times, let shares = after.shares(since: before) else {
      return nil
    }
    self.first = first
    self.second = second
    processors = after.processors
    inUse = shares.used + shares.interrupts
    stolen = shares.stolen
    consumers = HostLoad.consumers(
      first.processes, second.processes, perTick: Double(after.processors) / Double(after.total - before.total),
      own: own)
  }

  /// Watches for a second, and again until the host is idle or the patience is spent: the build before a run has just
  /// ended, and what it wrote is still on its way to the disk.
  /// - Parameter interruption: ends the waiting, too.
  /// - Parameter tell: called once, with the first watch, if that was a busy one and another follows.
  /// - Returns: the last watch; nil where the kernel gives no account of its processors.
  public static func untilIdle(
    within patience: Duration = .seconds(10), over span: Duration = .seconds(1),
    interruption: Interruption = Interruption(), _ tell: (HostWatch) -> Void = { _ in }
  ) async -> HostWatch? {
    let deadline = ContinuousClock.now + patience
    var isFirst = true
    while true {
      let watch = await look(over: span)
      guard let watch, watch.isBusy, !interruption.isRequested, ContinuousClock.now + span < deadline else {
        return watch
      }
      if isFirst { tell(watch) }
      isFirst = false
    }
  }

  private static func look(over span: Duration) async -> HostWatch? {
    let first = HostReading.now()
    try? await Task.sleep(for: span)
    // The account before the processes: reading these is work of our own.
    return HostWatch(from: first, to: .now(isLast: true), own: Int(getpid()))
  }

  /// - Throws: ``HarnessError`` that says who is busy and what to do, unless the host is idle or `anyway`.
  public func admit(anyway: Bool) throws(HarnessError) {
    guard isBusy && !anyway else { return }
    throw .host(
      "the host is busy: \(description). \(remedy), or measure nevertheless with --anyway: the tables will say so")
  }

  /// `other programs use 0.83 of 2 processors (clang-17 (pid 4711) 0.62)`.
  public var description: String {
    var parts: [String] = []
    let named = consumers.map(\.description)
    if inUse > 0 || stolen == 0 {
      let names = named.isEmpty ? "" : " (\(named.joined(separator: ", ")))"
      parts.append("other programs use \(hundredths(inUse)) of \(processors) processors\(names)")
    }
    if stolen > 0 { parts.append("the hypervisor takes \(hundredths(stolen)) of \(processors) for other machines") }
    return parts.joined(separator: ", and ")
  }

  private var remedy: String {
    guard inUse > HostLoad.tolerated || stolen <= inUse else { return "Use a machine of your own" }
    return consumers.isEmpty
      ? "Stop what else is running: short-lived programs or those of another container, since none of those seen here "
        + "used as much"
      : "Stop them"
  }

  /// For the table of a run that nobody could watch.
  static let blindness =
    "The kernel gives no account of its processors (/proc/stat): nobody knows whether other programs ran beside "
    + "the trials. Mount /proc."

  /// For the table of a run that was made nevertheless: no names, since runs are published.
  var warning: String? {
    guard isBusy else { return nil }
    let stolen = stolen > 0 ? ", and the hypervisor took \(hundredths(stolen)) for other machines" : ""
    return
      "The host was busy before the first trial: other programs used \(hundredths(inUse)) of \(processors) processors"
      + "\(stolen). Measure again on an idle host."
  }
}

/// What is read at the beginning and at the end of a watch; nil where the host does not say.
struct HostReading: Sendable {
  var times: HostLoad.Times?
  var processes: [HostLoad.Process] = []
  /// How often heat has slowed a processor down; how long a quota has stopped this process's control groups; how many
  /// pages have gone to swap and come back.
  var thermalThrottles: Int?
  var throttledNanoseconds: Int?
  var swappedPages: Int?

  /// - Parameter isLast: reads the account of the processors before all else, not after it, so that the work of reading
  ///   lies outside.
  static func now(_ files: HostFiles = .live, isLast: Bool = false) -> HostReading {
    var reading = HostReading()
    if isLast { reading.times = HostLoad.times(files) }
    reading.processes = HostLoad.processes(files)
    reading.thermalThrottles = ThermalCounters(files).throttles(files)
    reading.throttledNanoseconds = ProcessorQuota(files)?.throttledNanoseconds(files)
    reading.swappedPages = files.contents("/proc/vmstat").flatMap(swappedPages)
    if !isLast { reading.times = HostLoad.times(files) }
    return reading
  }

  static func swappedPages(_ vmstat: String) -> Int? {
    let counts = vmstat.split(separator: "\n").compactMap { line -> Int? in
      let words = line.split(separator: " ")
      guard words.count == 2, words[0] == "pswpin" || words[0] == "pswpout" else { return nil }
      return Int(words[1])
    }
    return counts.count == 2 ? counts[0] + counts[1] : nil
  }
}

func hundredths(_ value: Double) -> Double { (value * 100).rounded() / 100 }
