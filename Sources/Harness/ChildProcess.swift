// A child of the harness: a process group of its own, JSON lines in both directions, standard error kept in part. It
// is started through switchyard-launch and is gone, with its group, when `run` returns.

import CLinux
import Foundation
import Glibc
import Subprocess
import Synchronization
import SystemPackage

/// How a child's process ended.
enum ExitStatus: Sendable, Hashable, CustomStringConvertible {
  case exited(Int32)
  case signalled(Int32)

  var description: String {
    switch self {
    case .exited(let code): "exited with status \(code)"
    case .signalled(let number): "was killed by \(signalName(number))"
    }
  }
}

struct ChildProcess: Sendable {
  /// What a child may say, and what is kept of it.
  struct Limits: Sendable {
    var lineBytes = 1 << 20
    var standardErrorBytes = 1 << 20
    var transcriptBytes = 4 << 20
  }

  let side: Side
  let pid: pid_t
  private let input: StandardInputWriter

  /// Starts a child, gives it to `body`, and ends it: closes its input, waits, kills what is left of its group.
  ///
  /// The child is spawned on one thread of Subprocess's that lives as long as the process, as the parent-death signal
  /// asks for.
  /// - Parameters:
  ///   - transcript: where the child's lines are kept, if they are.
  ///   - grace: how long the child may take to exit once its input is closed.
  /// - Throws: ``HarnessError`` if the launcher could not be started. A program that the launcher cannot start shows as
  ///   exit status 127.
  static func run<Value: Sendable>(
    _ command: Command, as side: Side, launcher: String, inbox: Inbox, standardError: BoundedFile,
    transcript: BoundedFile? = nil, limits: Limits = Limits(), grace: Duration,
    _ body: @Sendable (ChildProcess) async -> Value
  ) async throws(HarnessError) -> Value {
    var arguments = ["--parent", "\(getpid())"]
    if !command.processors.isEmpty {
      arguments += ["--cpus", command.processors.map(String.init).joined(separator: ",")]
    }
    arguments += ["--", command.program] + command.arguments
    var options = PlatformOptions()
    options.processGroupID = 0
    Self.ignoreBrokenPipes
    do {
      return try await Subprocess.run(
        .path(.init(launcher)), arguments: .init(arguments), platformOptions: options, input: .inputWriter,
        output: .sequence, error: .sequence
      ) { execution in
        let child = ChildProcess(
          side: side, pid: execution.processIdentifier.value, input: execution.standardInputWriter)
        return await withTaskGroup(of: Void.self) { group in
          group.addTask {
            await child.readLines(
              execution.standardOutput, into: inbox, transcript: transcript, limit: limits.lineBytes)
          }
          group.addTask { await keep(execution.standardError, in: standardError) }
          let value = await body(child)
          await child.end(grace: grace)
          await group.waitForAll()
          standardError.finish()
          transcript?.finish()
          return value
        }
      }.closureResult
    } catch {
      throw .host("starting \(command.program) through \(launcher) failed: \(error)")
    }
  }

  /// Writing to a child that is gone must not end this process. Children get the default back: Subprocess resets it.
  private static let ignoreBrokenPipes: Void = { signal(SIGPIPE, SIG_IGN) }()

  /// Writes one line. A child that is gone shows as the end of its output, not here.
  func send(_ message: some Encodable) async {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let line = try? encoder.encode(message) else { preconditionFailure("a command is plain values") }
    _ = try? await input.write(Array(line) + [UInt8(ascii: "\n")])
  }

  /// How the process has ended; nil while it runs. It stays a zombie, and its id its own, until `run` returns.
  var exitStatus: ExitStatus? {
    var code: Int32 = 0
    var number: Int32 = 0
    guard clinux_exit_status(pid, &code, &number) == 1 else { return nil }
    return number == 0 ? .exited(code) : .signalled(number)
  }

  /// Waits for the process to end. It looks every few milliseconds, so never call it while a window is open.
  func exitStatus(within limit: Duration) async -> ExitStatus? {
    let deadline = ContinuousClock.now + limit
    while true {
      if let status = exitStatus { return status }
      if ContinuousClock.now >= deadline { return nil }
      // Cancellation would turn this into a busy loop; nobody cancels a trial, an interruption ends its waits instead.
      try? await Task.sleep(for: .milliseconds(5))
    }
  }

  /// Closes the child's standard input, which orders it to finish.
  func closeInput() async { try? await input.finish() }

  func kill() { _ = Glibc.kill(-pid, SIGKILL) }

  private func end(grace: Duration) async {
    await closeInput()
    _ = await exitStatus(within: grace)
    // Also after an orderly exit: the group may hold processes that the child has left behind.
    kill()
    Glibc.kill(pid, SIGKILL)  // in case that the child has moved to another group
  }

  private func readLines(
    _ output: SubprocessOutputSequence, into inbox: Inbox, transcript: BoundedFile?, limit: Int
  ) async {
    var line: [UInt8] = []
    defer { inbox.close(side) }
    do {
      for try await buffer in output {
        var isWelcome = true
        buffer.withUnsafeBytes { bytes in
          transcript?.append(bytes)
          for part in Lines(bytes) {
            line.append(contentsOf: part.bytes)
            if line.count > limit {
              inbox.refuse(side, "a line of more than \(limit) bytes on standard output")
              isWelcome = false
            } else if part.isEnded {
              if !inbox.post(line, from: side) {
                inbox.refuse(side, "more than \(Inbox.unreadLimit) lines on standard output that nobody asked for")
                isWelcome = false
              }
              line.removeAll(keepingCapacity: true)
            }
            if !isWelcome { return }
          }
        }
        // What follows stays in the pipe: the child blocks on it until it is killed.
        if !isWelcome { return }
      }
      if !line.isEmpty { _ = inbox.post(line, from: side) }
    } catch {
      inbox.refuse(side, "reading its standard output failed: \(error)")
    }
  }

  private static func keep(_ output: SubprocessOutputSequence, in file: BoundedFile) async {
    do {
      for try await buffer in output { buffer.withUnsafeBytes { file.append($0) } }
    } catch {
      file.append(Array("\n[reading standard error failed: \(error)]\n".utf8))
    }
  }
}

/// A buffer cut at line ends; the last part may lack one.
private struct Lines: Sequence, IteratorProtocol {
  private var rest: UnsafeRawBufferPointer

  init(_ bytes: UnsafeRawBufferPointer) { rest = bytes }

  mutating func next() -> (bytes: UnsafeRawBufferPointer, isEnded: Bool)? {
    guard !rest.isEmpty else { return nil }
    guard let end = rest.firstIndex(of: UInt8(ascii: "\n")) else {
      defer { rest = UnsafeRawBufferPointer(rebasing: rest.suffix(0)) }
      return (rest, false)
    }
    let line = UnsafeRawBufferPointer(rebasing: rest[..<end])
    rest = UnsafeRawBufferPointer(rebasing: rest[(end + 1)...])
    return (line, true)
  }
}
