// Runs every check of EventLoopChecks, each in a process of its own: a process gets its executors once, before its
// first task, and this one has had its tasks from the test runner.
import Glibc
import Testing

@Suite(.serialized) struct CheckTests {
  @Test("the loop keeps its promises", .timeLimit(.minutes(10)), arguments: CheckProgram.names)
  func check(_ name: String) throws {
    // The seeds that stress checks use; one that does not depend on it runs twice.
    for seed in 1...2 {
      let outcome = try CheckProgram.run([name, "\(seed)"])
      #expect(outcome.status != 128 + SIGALRM, "the check waited in vain")
      #expect(outcome.status == 0, "\(outcome.output)")
      #expect(outcome.output.hasSuffix("ok\n"), "\(outcome.output)")
    }
  }

  @Test("there are checks, and an unknown one is refused") func names() throws {
    #expect(CheckProgram.names.count >= 40)
    #expect(Set(CheckProgram.names).count == CheckProgram.names.count)
    #expect(try CheckProgram.run(["no such check"]).status == 2)
  }
}

enum CheckProgram {
  struct Outcome {
    var status: Int32
    var output: String
  }

  struct NotFound: Error, CustomStringConvertible {
    let description: String
  }

  static let names: [String] = {
    guard let outcome = try? run(["list"]), outcome.status == 0 else { return [] }
    return outcome.output.split(separator: "\n").map(String.init)
  }()

  /// Starts the program, which the build puts beside the test bundle, and waits for it. Its status is 128 + the signal
  /// if one ended it. Standard output and error come together.
  static func run(_ arguments: [String]) throws -> Outcome {
    var path = [CChar](repeating: 0, count: 4096)
    let length = readlink("/proc/self/exe", &path, path.count)
    let own = String(decoding: path.prefix(max(0, length)).map(UInt8.init(bitPattern:)), as: UTF8.self)
    let program =
      own.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
      + "/EventLoopChecks"
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { throw NotFound(description: "pipe failed: errno \(errno)") }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    defer { close(ends[0]) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
    posix_spawn_file_actions_adddup2(&actions, ends[1], 2)
    let words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    var process = pid_t()
    let failure = posix_spawn(&process, program, &actions, nil, words, environ)
    close(ends[1])
    guard failure == 0 else { throw NotFound(description: "starting '\(program)' failed: errno \(failure)") }
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
