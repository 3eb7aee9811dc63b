// What every Swift peer shares: the command line, the two clocks, the resident set, and the one JSON line. No
// concurrency: how a row is done is each peer's own business.
import Glibc

/// How one row is run, and its name. `peer rows` lists them; `peer ROW [SCALE]` runs one.
public struct Row: Sendable {
  public let name: String
  public let run: @Sendable (Run) -> Void

  public init(_ name: String, _ run: @escaping @Sendable (Run) -> Void) {
    self.name = name
    self.run = run
  }
}

/// One invocation: its work counts, its clocks and its result.
public final class Run: @unchecked Sendable {
  // Unchecked: `start` and `stop` are each called once, and what a row does between and after them orders the three.
  public let peer: String
  public let row: String
  private let scale: Double
  private var begun = Reading(wall: 0, cpu: 0)
  private var taken = Reading(wall: 0, cpu: 0)

  private struct Reading {
    var wall: UInt64
    var cpu: UInt64
  }

  init(peer: String, row: String, scale: Double) {
    self.peer = peer
    self.row = row
    self.scale = scale
  }

  /// A work count times the scale of the command line, at least 1.
  public func scaled(_ count: Int) -> Int { max(1, Int(Double(count) * scale)) }

  /// Leaves of the tree: the largest power of ten that is not above a million times the scale.
  public var treeLeaves: Int {
    var leaves = 10
    while leaves * 10 <= scaled(1_000_000) { leaves *= 10 }
    return leaves
  }

  /// The timed region begins. CPU time is the whole process's.
  public func start() {
    begun.cpu = readClock(CLOCK_PROCESS_CPUTIME_ID)
    begun.wall = monotonicNanoseconds()
  }

  /// The timed region ends.
  public func stop() {
    taken.wall = monotonicNanoseconds() - begun.wall
    taken.cpu = readClock(CLOCK_PROCESS_CPUTIME_ID) - begun.cpu
  }

  /// A peer that did not do its work has no figures.
  public func fail(_ reason: String) -> Never {
    complain("\(peer) \(row): \(reason)")
    exit(1)
  }

  public func expect(_ counted: Int, _ expected: Int, _ what: String) {
    if counted != expected { fail("counted \(counted) \(what), expected \(expected)") }
  }

  /// Prints the result; `extra` is more members, in order.
  public func report(_ operations: Int, _ extra: KeyValuePairs<String, String> = [:]) {
    // Not getrusage's peak, which goes back to before exec and so counts the driver's memory.
    let peak = statusBytes("VmHWM:")
    var line = "{\"peer\":\"\(peer)\",\"row\":\"\(row)\",\"operations\":\(operations),\"nanoseconds\":\(taken.wall)"
    line += ",\"cpuNanoseconds\":\(taken.cpu),\"peakRSSBytes\":\(peak)"
    for (name, value) in extra { line += ",\"\(name)\":\(value)" }
    announce(line + "}")
  }

  /// One that let the same unit have the lock again and again did something else than what the row is about.
  public func reportHandovers(_ handovers: Int, acquisitions: Int) {
    if handovers < acquisitions / 2 {
      fail("the lock changed hands \(handovers) times in \(acquisitions) acquisitions")
    }
    report(handovers, ["acquisitions": "\(acquisitions)"])
  }

  /// How late a sleep of 1 ms that began at `begun` has ended. One that ended early is an error.
  public func overshoot(since begun: UInt64) -> UInt64 {
    let taken = monotonicNanoseconds() - begun
    if taken < 1_000_000 { fail("a sleep of 1 ms took \(taken) ns") }
    return taken - 1_000_000
  }

  public func reportOvershoot(_ late: [UInt64]) {
    let sorted = late.sorted()
    let (median, p99) = (sorted[sorted.count / 2], sorted[sorted.count * 99 / 100])
    report(sorted.count, ["p50Nanoseconds": "\(median)", "p99Nanoseconds": "\(p99)"])
  }

  /// Memory per parked unit: the slope between two counts of units, so that what the process has anyway drops out.
  public func reportParked(_ few: ParkedMemory, _ many: ParkedMemory) {
    let added = Double(many.units - few.units)
    report(
      many.units,
      [
        "units": "\(many.units)",
        "bytesPerUnit": "\(Double(many.resident - few.resident) / added)",
        "pageTableBytesPerUnit": "\(Double(many.pageTables - few.pageTables) / added)",
      ])
  }

  public func parkedMemory(_ units: Int) -> ParkedMemory {
    ParkedMemory(units: units, resident: statusBytes("VmRSS:"), pageTables: statusBytes("VmPTE:"))
  }

  /// A field of /proc/self/status, in bytes.
  private func statusBytes(_ field: String) -> Int {
    guard let status = fopen("/proc/self/status", "r") else { fail("cannot read /proc/self/status") }
    defer { fclose(status) }
    var line = [CChar](repeating: 0, count: 256)
    while fgets(&line, Int32(line.count), status) != nil {
      let words = line.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }.split { $0 == "\t" || $0 == " " }
      if words.first == Substring(field), let kilobytes = Int(words[1]) { return kilobytes * 1024 }
    }
    fail("/proc/self/status has no \(field)")
  }
}

public struct ParkedMemory: Sendable {
  let units: Int
  let resident: Int
  let pageTables: Int
}

public func monotonicNanoseconds() -> UInt64 { readClock(CLOCK_MONOTONIC) }

private func readClock(_ clock: clockid_t) -> UInt64 {
  var time = timespec()
  clock_gettime(clock, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

/// Writes a line to standard output at once.
public func announce(_ line: String) {
  print(line)
  fflush(nil)
}

/// Writes a line to standard error.
private func complain(_ line: String) {
  var bytes = line + "\n"
  bytes.withUTF8 { _ = write(2, $0.baseAddress, $0.count) }
}

/// An option of the environment, such as PEER_WORKERS.
public func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

/// SplitMix64 (Steele, Lea, Flood 2014), so that all peers draw the same deadlines.
public struct Generator: Sendable {
  private var state: UInt64

  public init(seed: UInt64) { state = seed }

  public mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

/// The whole of a peer's `main`.
public func runPeer(_ peer: String, _ rows: [Row]) {
  let arguments = CommandLine.arguments
  if arguments.count == 2, arguments[1] == "rows" {
    for row in rows { print(row.name) }
    return
  }
  let scale = arguments.count == 3 ? Double(arguments[2]) : 1
  guard 2...3 ~= arguments.count, let scale, scale > 0 else {
    complain("usage: \(arguments[0]) ROW [SCALE > 0], or \(arguments[0]) rows")
    exit(2)
  }
  guard let row = rows.first(where: { $0.name == arguments[1] }) else {
    complain("\(peer) has no row '\(arguments[1])'; '\(arguments[0]) rows' lists those it has")
    exit(2)
  }
  row.run(Run(peer: peer, row: row.name, scale: scale))
}
