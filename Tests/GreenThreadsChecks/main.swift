// Checks of green threads that need a process of their own: because they end it, or because they take something from it
// (memory, descriptors, guards of stacks) that the test runner needs. GreenThreadsTests starts this program once for
// each, and knows what it should say and how it should end.
//
//   GreenThreadsChecks NAME       what happened; or "skipped" under a sanitizer that does not allow it
import CContextSwitch
import CLinux
import Glibc
import GreenThreads

struct Check: Sendable {
  let name: String
  /// Limits memory or dies of a signal, which sanitizers do in their own way.
  var needsPlainProcess = true
  let body: @Sendable () throws -> Void
}

/// Unbuffered: the process may be about to die.
func say(_ text: String) {
  var line = text + "\n"
  line.withUTF8 { _ = clinux_write(1, $0.baseAddress, $0.count) }
}

func fail(_ text: String) -> Never {
  say("FAILED: \(text)")
  exit(1)
}

func expect(_ condition: Bool, _ what: String, line: UInt = #line) {
  if !condition { fail("line \(line): \(what)") }
}

/// A number after a name in /proc/self/status, in KiB.
func status(_ name: String) -> Int {
  guard let file = fopen("/proc/self/status", "r") else { fail("no /proc/self/status") }
  defer { fclose(file) }
  var line = [CChar](repeating: 0, count: 256)
  while fgets(&line, 256, file) != nil {
    let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    let words = text.split(whereSeparator: { $0.isWhitespace || $0 == ":" })
    if words.count >= 2, words[0] == name { return Int(words[1]) ?? 0 }
  }
  fail("no \(name) in /proc/self/status")
}

/// Lowers a limit of this process, to be raised again up to `most`.
func limit(_ resource: __rlimit_resource, to value: Int, most: Int? = nil) {
  var limits = rlimit(rlim_cur: rlim_t(value), rlim_max: rlim_t(most ?? value))
  guard setrlimit(__rlimit_resource_t(resource.rawValue), &limits) == 0 else { fail("setrlimit: errno \(errno)") }
}

func quiet(workers: Int) -> Scheduler.Configuration {
  var configuration = Scheduler.Configuration(workers: workers)
  configuration.hogThreshold = nil
  return configuration
}

let checks = messageChecks + guardChecks + exhaustionChecks + memoryChecks
guard CommandLine.arguments.count == 2, let check = checks.first(where: { $0.name == CommandLine.arguments[1] }) else {
  say("usage: GreenThreadsChecks NAME, one of: \(checks.map { $0.name }.joined(separator: ", "))")
  exit(2)
}
// The dump of a process that dies on purpose is of use to nobody.
limit(RLIMIT_CORE, to: 0)
if check.needsPlainProcess, gt_sanitizer() != 0 {
  say("skipped")
  exit(0)
}
do { try check.body() } catch { fail("\(error)") }
say("ok")
