// Runs GreenThreadsChecks, each check in a process of its own, and knows how each should end.
import CContextSwitch
import CLinux
import Glibc
import Testing

/// What a check is expected to say, and its exit status, or 128 + the signal that ended it.
struct Expectation: Sendable, CustomTestStringConvertible {
  let check: String
  var status: Int32 = 0
  /// Standard output and error together hold each of these.
  var says: [String] = []
  var neverSays: [String] = []
  /// How many lines begin so.
  var lines: (prefix: String, count: Int)?

  init(
    _ check: String, status: Int32 = 0, says: [String] = [], neverSays: [String] = [],
    lines: (prefix: String, count: Int)? = nil
  ) {
    (self.check, self.status, self.says, self.neverSays, self.lines) = (check, status, says, neverSays, lines)
  }

  var testDescription: String { check }
}

private let segmentationFault = 128 + SIGSEGV
private let aborted = 128 + SIGABRT
/// How Swift ends a process: ud2 on x86-64, brk on aarch64.
#if arch(x86_64)
  private let trapped = 128 + SIGILL
#else
  private let trapped = 128 + SIGTRAP
#endif
private let noGuards = "green-threads: no more guard pages"

private let expectations = [
  Expectation("overflow", status: segmentationFault, says: ["fatal: unit 2 'deep' overflowed its stack of 64 KiB"]),
  Expectation(
    "overflow-of-a-large-stack", status: segmentationFault, says: [" 'deep' overflowed its stack of 256 KiB"]),
  Expectation(
    "overflow-of-the-root", status: segmentationFault, says: ["fatal: unit 1 'main unit' overflowed its stack"]),
  Expectation(
    "overflow-on-a-spare-thread", status: segmentationFault, says: [" 'deep' overflowed its stack of 64 KiB"]),
  Expectation("other-fault", status: segmentationFault, neverSays: ["overflowed", "FAILED"]),
  Expectation(
    "deadlock",
    says: [
      "deadlock: all 2 units wait, and nothing is left that could wake one",
      "unit 1 'root' waits for the end of a unit", "'receiver' waits for a channel to receive from",
    ]),
  Expectation(
    "deadlock-that-cannot-be-cancelled", status: aborted,
    says: ["unit 1 'stubborn' waits for a channel to receive from", "none of them can be cancelled"]),
  Expectation("hog", says: [" 'endless loop' has run for ", "call checkpoint()"]),
  Expectation("blocked-unit-is-no-hog"),
  Expectation("outside-of-a-unit", status: trapped, says: ["yield() was called outside of a unit"]),
  Expectation("run-within-a-run", status: trapped, says: ["Scheduler.run was called by a unit"]),
  Expectation("blocking-within-blocking", status: trapped, says: ["blocking { } inside of blocking { }"]),

  Expectation("overflow-with-mprotect", status: segmentationFault, says: [" 'deep' overflowed its stack of 64 KiB"]),
  Expectation(
    "overflow-with-canaries", status: trapped, says: [" 'deep' overflowed its stack of 65536 bytes"],
    lines: (noGuards, 1)),
  Expectation("canaries-stay-when-stacks-are-used-again", lines: (noGuards, 1)),
  Expectation("mappings-run-out-by-count", says: ["from stack 65 on"], lines: (noGuards, 1)),
  Expectation("mappings-run-out-for-real", says: ["no more guard pages"]),

  Expectation("no-address-space", says: ["no address space for stacks: ", "ulimit -v"]),
  Expectation("no-threads", lines: ("cannot start a worker thread: ", 3)),
  Expectation("no-thread-at-all", says: ["cannot start a worker thread: "]),
  Expectation("no-spare-thread"),
  Expectation("no-memory-for-slabs", lines: ("no stack for another unit ", 2)),
  Expectation("no-more-units", lines: ("no stack for another unit (limit 300)", 3)),
  Expectation("no-descriptor-for-the-poller", lines: ("cannot create the poller: ", 2)),
  Expectation("no-more-descriptors", lines: ("round ", 3)),

  Expectation("idle-stacks-are-given-back"),
  Expectation("trimming-races-with-spawning"),
]

@Suite(.serialized) struct CheckTests {
  @Test("ends as it should, and says so", .timeLimit(.minutes(10)), arguments: expectations)
  func check(_ expected: Expectation) throws {
    let outcome = try CheckProgram.run([expected.check])
    let lines = outcome.output.split(separator: "\n")
    if gt_sanitizer() != 0, lines.last == "skipped" { return }
    #expect(outcome.status == expected.status, "\(outcome.output)")
    if expected.status == 0 { #expect(lines.last == "ok", "\(outcome.output)") }
    for text in expected.says { #expect(outcome.output.contains(text), "\(outcome.output)") }
    for text in expected.neverSays + ["FAILED"] { #expect(!outcome.output.contains(text), "\(outcome.output)") }
    if let (prefix, count) = expected.lines {
      #expect(lines.count { $0.hasPrefix(prefix) } == count, "\(outcome.output)")
    }
  }

  @Test func everyCheckIsExpected() throws {
    let usage = try CheckProgram.run([])
    #expect(usage.status == 2)
    let names = usage.output.split(separator: ": ").last?.split(whereSeparator: { ", \n".contains($0) }) ?? []
    #expect(Set(names.map(String.init)) == Set(expectations.map(\.check)))
    #expect(names.count == expectations.count)
  }
}

enum CheckProgram {
  struct Outcome {
    var status: Int32
    var output: String
  }

  struct NotStarted: Error, CustomStringConvertible {
    let description: String
  }

  /// Starts the program, which the build puts beside the test bundle, and waits for it. No backtraces: they take
  /// seconds, and are not what is looked for.
  static func run(_ arguments: [String]) throws -> Outcome {
    var path = [CChar](repeating: 0, count: 4096)
    let length = readlink("/proc/self/exe", &path, path.count)
    let own = String(decoding: path.prefix(max(0, length)).map(UInt8.init(bitPattern:)), as: UTF8.self)
    let program =
      own.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
      + "/GreenThreadsChecks"
    var ends: [Int32] = [0, 0]
    // Closed in what other tests start meanwhile, or the end of the output would be the end of theirs.
    let error = clinux_pipe(&ends)
    guard error == 0 else { throw NotStarted(description: "pipe failed: errno \(-error)") }
    defer { close(ends[0]) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
    posix_spawn_file_actions_adddup2(&actions, ends[1], 2)
    let words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    var variables: [UnsafeMutablePointer<CChar>?] = [strdup("SWIFT_BACKTRACE=enable=no")]
    defer { free(variables[0]) }
    var rover = environ
    while let variable = rover.pointee {
      if strncmp(variable, "SWIFT_BACKTRACE=", 16) != 0 { variables.append(variable) }
      rover += 1
    }
    variables.append(nil)
    var process = pid_t()
    let failure = posix_spawn(&process, program, &actions, nil, words, variables)
    close(ends[1])
    guard failure == 0 else { throw NotStarted(description: "starting '\(program)' failed: errno \(failure)") }
    var output: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = read(ends[0], &buffer, buffer.count)
      if count > 0 { output.append(contentsOf: buffer[..<count]) } else if count == 0 || errno != EINTR { break }
    }
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0, errno == EINTR {}
    let signal = status & 0x7f
    return Outcome(
      status: signal == 0 ? (status >> 8) & 0xff : 128 + signal, output: String(decoding: output, as: UTF8.self))
  }
}
