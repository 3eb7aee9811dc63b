// The built `switchyard`, as somebody at a terminal meets it: arguments in; exit status, output and files out.

import Foundation
import Glibc
import Testing

/// All of these tests start processes that measure or spin, so they take turns.
@Suite(.serialized) enum Conformance {}

/// One call of `switchyard`.
struct Call {
  let status: Int32
  /// Whether a signal ended it; `status` is then the signal's number.
  let wasKilled: Bool
  let output: String
  let diagnostics: String

  /// Everything that was said, for a failed expectation's comment.
  var said: Comment { "status \(status)\n\(output)\n\(diagnostics)" }
}

enum Switchyard {
  /// The folder with the executables: SWITCHYARD_BIN_DIR, else where this test's own executable was built.
  static let folder: String = {
    if let chosen = ProcessInfo.processInfo.environment["SWITCHYARD_BIN_DIR"] { return chosen }
    let own = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
    return own.deletingLastPathComponent().path(percentEncoded: false)
  }()

  static var executable: String { folder + (folder.hasSuffix("/") ? "" : "/") + "switchyard" }

  static let models = ["threads", "dispatch", "green-threads", "async-loop"]

  /// `Tests/Guests/...`
  static func guest(_ name: String) -> String {
    URL(filePath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Guests/\(name)").path(percentEncoded: false)
  }

  /// Calls `switchyard` and waits for its end.
  static func call(_ arguments: String..., within limit: Duration = .seconds(300)) async throws -> Call {
    try await start(arguments).end(within: limit)
  }

  static func start(_ arguments: [String]) throws -> RunningCall {
    try RunningCall(executable: executable, arguments: arguments)
  }
}

/// A call under way, with its output going to files so that nothing waits for a reader.
final class RunningCall {
  private let process = Process()
  private let folder: TemporaryFolder
  private let end: AsyncStream<Void>

  var pid: pid_t { process.processIdentifier }

  init(executable: String, arguments: [String], input: FileHandle = .nullDevice) throws {
    folder = try TemporaryFolder()
    let output = folder.path + "/output"
    let diagnostics = folder.path + "/diagnostics"
    for path in [output, diagnostics] { try Data().write(to: URL(filePath: path)) }
    process.executableURL = URL(filePath: executable)
    process.arguments = arguments
    process.standardInput = input
    process.standardOutput = try FileHandle(forWritingTo: URL(filePath: output))
    process.standardError = try FileHandle(forWritingTo: URL(filePath: diagnostics))
    let (end, continuation) = AsyncStream<Void>.makeStream()
    self.end = end
    process.terminationHandler = { _ in continuation.finish() }
    try process.run()
  }

  func signal(_ number: Int32) { kill(pid, number) }

  /// Waits for the end; what takes longer than `limit` is killed, and the test fails.
  func end(within limit: Duration) async throws -> Call {
    let process = process
    let hasEnded = await withTaskGroup { group in
      group.addTask { [end] in
        for await _ in end {}
        return !Task.isCancelled
      }
      group.addTask {
        try? await Task.sleep(for: limit)
        return false
      }
      defer { group.cancelAll() }
      return await group.next()!
    }
    if !hasEnded {
      kill(pid, SIGKILL)
      process.waitUntilExit()
    }
    let call = Call(
      status: process.terminationStatus, wasKilled: process.terminationReason == .uncaughtSignal,
      output: try folder.text("output"), diagnostics: try folder.text("diagnostics"))
    if !hasEnded { Issue.record("still running after \(limit), killed. It said:\n\(call.said)") }
    return call
  }
}

/// A folder that goes away with its owner.
final class TemporaryFolder {
  let path: String

  init() throws {
    let url = FileManager.default.temporaryDirectory.appending(path: "switchyard-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    path = url.path(percentEncoded: false)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func text(_ name: String) throws -> String {
    String(decoding: try Data(contentsOf: URL(filePath: path + "/" + name)), as: UTF8.self)
  }
}

/// Looks until `condition` holds. For events in other processes, which cannot be waited for.
func eventually(within limit: Duration = .seconds(120), _ condition: () throws -> Bool) async throws -> Bool {
  let deadline = ContinuousClock.now + limit
  while ContinuousClock.now < deadline {
    if try condition() { return true }
    try await Task.sleep(for: .milliseconds(10))
  }
  return try condition()
}
