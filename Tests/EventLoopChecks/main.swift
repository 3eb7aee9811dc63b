// The checks of EventLoop, one per run of this program. Executors are installed once per process, before the first task
// exists, and a test runner has used tasks long before it reaches a test; so EventLoopTests starts this program once for
// each check.
//
//   EventLoopChecks list            the names, one a line
//   EventLoopChecks NAME [SEED]     prints "ok", or what failed; exits with 0 or 1
//
// Time decides nothing here: threads may stand still for seconds, at any instruction, and nothing fails. A check waits for
// the state that it needs and names no limit; one that waits in vain ends with SIGALRM.
import CLinux
import Glibc

struct Check: Sendable {
  let name: String
  let body: @Sendable (UInt64) throws -> Void

  init(_ name: String, _ body: @escaping @Sendable (UInt64) throws -> Void) {
    self.name = name
    self.body = body
  }
}

struct Failure: Error, CustomStringConvertible {
  let description: String
}

/// Throws unless the two are equal.
func expect<T: Equatable>(
  _ got: T, _ wanted: T, _ what: String, file: StaticString = #fileID, line: UInt = #line
) throws {
  if got != wanted { throw Failure(description: "\(file):\(line): \(what): \(got), expected \(wanted)") }
}

func expect(_ condition: Bool, _ what: String, file: StaticString = #fileID, line: UInt = #line) throws {
  if !condition { throw Failure(description: "\(file):\(line): \(what)") }
}

/// Throws unless `body` throws an error that `matches`.
func expectThrow(
  _ what: String, file: StaticString = #fileID, line: UInt = #line, _ body: () async throws -> Void,
  _ matches: (any Error) -> Bool
) async throws {
  do {
    try await body()
  } catch {
    if matches(error) { return }
    throw Failure(description: "\(file):\(line): \(what): threw \(error)")
  }
  throw Failure(description: "\(file):\(line): \(what): did not throw")
}

/// A seeded generator (SplitMix64), so that a stress test can be run again.
struct Seeded: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

/// The names of this process's threads, as the kernel knows them.
func threadNames() -> [String] {
  guard let folder = opendir("/proc/self/task") else { return [] }
  defer { closedir(folder) }
  var names: [String] = []
  while let entry = readdir(folder) {
    let thread = withUnsafePointer(to: &entry.pointee.d_name) {
      $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
    }
    if thread.hasPrefix(".") { continue }
    guard let file = fopen("/proc/self/task/\(thread)/comm", "r") else { continue }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 64)
    fgets(&line, 64, file)
    names.append(String(decoding: line.prefix { $0 != 0 && $0 != 10 }.map(UInt8.init(bitPattern:)), as: UTF8.self))
  }
  return names.sorted()
}

/// Seconds, far above what any check takes on a slow machine under a sanitizer: that is some seconds.
private let patience: UInt32 = 240

func run() -> Int32 {
  let checks = executorChecks + timerChecks + streamChecks + syncChecks + blockingChecks + exhaustionChecks
  let arguments = CommandLine.arguments
  guard arguments.count >= 2 else {
    print("usage: EventLoopChecks list | NAME [SEED]")
    return 2
  }
  if arguments[1] == "list" {
    for check in checks { print(check.name) }
    return 0
  }
  guard let check = checks.first(where: { $0.name == arguments[1] }) else {
    print("no check '\(arguments[1])': `EventLoopChecks list` names them")
    return 2
  }
  let seed = arguments.count > 2 ? UInt64(arguments[2]) ?? 1 : 1
  alarm(patience)
  do {
    try check.body(seed)
    print("ok")
    return 0
  } catch {
    print("\(check.name) failed (seed \(seed)): \(error)")
    return 1
  }
}

exit(run())
