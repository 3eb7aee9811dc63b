// The model's end of the protocol: lines in any pieces, garbage quoted, floods cut off, the end of the input seen.

import CLinux
import Glibc
import Testing
import Workloads

@testable import ModelKit

@Suite struct LineChannelTests {
  let input = Pipe()
  let output = Pipe()
  let channel: LineChannel

  init() {
    channel = LineChannel(input: input.readEnd, output: output.writeEnd)
  }

  @Test func `a line that arrives in pieces is one message`() throws {
    clinux_set_nonblocking(input.readEnd, 1)
    let line = #"{"command":"edge","edge":"open"}"# + "\n"
    for byte in line.dropLast() {
      input.write(String(byte))
      #expect(try channel.fill())
      let early: ModelCommand? = try channel.buffered()
      #expect(early == nil)
    }
    input.write("\n")
    #expect(try channel.fill())
    let command: ModelCommand? = try channel.buffered()
    #expect(command?.command == .edge)
    #expect(command?.edge == .open)
  }

  @Test func `lines that arrive together are as many messages, in order`() throws {
    input.write(#"{"command":"edge","edge":"open"}"# + "\n" + #"{"command":"edge","edge":"close"}"# + "\n")
    input.write(#"{"command":"drain"}"# + "\n")
    input.closeWriteEnd()
    var commands: [String] = []
    while let command: ModelCommand = try channel.next() {
      commands.append(command.command.rawValue + (command.edge.map { " " + $0.rawValue } ?? ""))
    }
    #expect(commands == ["edge open", "edge close", "drain"])
  }

  @Test func `keys that are not known are ignored and missing ones are nil`() throws {
    input.write(#"{"later":{"version":2},"command":"describe"}"# + "\n")
    let command: ModelCommand? = try channel.next()
    #expect(command?.command == .describe)
    #expect(command?.protocol == nil)
  }

  @Test(arguments: ["hello", "", "{}", #"{"command":"fly"}"#, "[1,2", "\u{0}\u{1}"])
  func `a line that is no command is a failure that quotes it`(line: String) {
    input.write(line + "\n")
    let failure = #expect(throws: ModelFailure.self) {
      let _: ModelCommand? = try channel.next()
    }
    #expect(failure?.state == .failed)
    #expect(failure?.reason.contains("'\(line)'") == true)
  }

  @Test func `a long line of garbage is quoted by its start only`() {
    input.write(String(repeating: "x", count: 10_000) + "\n")
    let failure = #expect(throws: ModelFailure.self) {
      let _: ModelCommand? = try channel.next()
    }
    #expect(failure?.reason.contains(String(repeating: "x", count: 120)) == true)
    #expect((failure?.reason.utf8.count ?? .max) < 1_000)
  }

  @Test func `bytes that are no UTF-8 are a failure, not a crash`() {
    let bytes: [UInt8] = [0xFF, 0xFE, 0x80, UInt8(ascii: "\n")]
    #expect(bytes.withUnsafeBytes { clinux_write(input.writeEnd, $0.baseAddress, $0.count) } == 4)
    #expect(throws: ModelFailure.self) {
      let _: ModelCommand? = try channel.next()
    }
  }

  @Test func `a flood without a line's end is cut off at the longest line`() throws {
    clinux_set_nonblocking(input.readEnd, 1)
    let piece = String(repeating: "x", count: 1 << 15)
    for _ in 0..<(LineChannel.longestLine >> 15) {
      input.write(piece)
      #expect(try channel.fill())
      let none: ModelCommand? = try channel.buffered()
      #expect(none == nil)
    }
    input.write("x")
    #expect(try channel.fill())
    let failure = #expect(throws: ModelFailure.self) {
      let _: ModelCommand? = try channel.buffered()
    }
    #expect(failure?.reason.contains("\(LineChannel.longestLine)") == true)
  }

  @Test func `the end of the input is nil, also after a line without an end`() throws {
    input.write(#"{"command":"drain"}"#)
    input.closeWriteEnd()
    let command: ModelCommand? = try channel.next()
    #expect(command == nil)
  }

  @Test func `a dry non-blocking input is still open, and its end is told from it`() throws {
    clinux_set_nonblocking(input.readEnd, 1)
    #expect(try channel.fill())
    input.write("{")
    #expect(try channel.fill())
    input.closeWriteEnd()
    #expect(try !channel.fill())
  }

  @Test func `a descriptor that cannot be read is a failure with the system's words`() {
    let channel = LineChannel(input: -1, output: -1)
    let failure = #expect(throws: ModelFailure.self) { try channel.fill() }
    #expect(failure?.reason.contains("errno \(EBADF)") == true)
  }

  @Test func `a reply is one line of JSON with sorted keys`() throws {
    var reply = ModelReply(reply: .ready)
    reply.port = 40_567
    try channel.send(reply)
    #expect(output.readAll() == #"{"port":40567,"reply":"ready"}"# + "\n")
  }

  @Test func `a reader that has gone away is a failure with the system's words`() {
    signal(SIGPIPE, SIG_IGN)
    output.closeReadEnd()
    let failure = #expect(throws: ModelFailure.self) { try channel.send(ModelReply(reply: .ready)) }
    #expect(failure?.reason.contains("errno \(EPIPE)") == true)
  }

  @Test func `a full output is waited for until the whole line is out`() async throws {
    clinux_set_nonblocking(output.writeEnd, 1)
    // More than a pipe holds, so that the writer meets EAGAIN whoever is scheduled first.
    var reply = ModelReply(reply: .failure)
    reply.failure = ModelFailure(.failed, String(repeating: "y", count: 300_000))
    let descriptor = output.readEnd
    let reader = Task.detached { () -> [UInt8] in
      var bytes: [UInt8] = []
      var buffer = [UInt8](repeating: 0, count: 1 << 12)
      while bytes.last != UInt8(ascii: "\n") {
        let count = buffer.withUnsafeMutableBytes { clinux_read(descriptor, $0.baseAddress, $0.count) }
        guard count > 0 else { break }
        bytes.append(contentsOf: buffer[..<count])
      }
      return bytes
    }
    try channel.send(reply)
    let line = await reader.value
    #expect(line.count > 300_000)
    #expect(line.count { $0 == UInt8(ascii: "y") } >= 300_000)
    #expect(line.last == UInt8(ascii: "\n"))
  }
}
