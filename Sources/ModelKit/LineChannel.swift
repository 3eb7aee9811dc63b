// JSON objects, one a line, over a pair of descriptors.

import CLinux
import FoundationEssentials
import Glibc
import Workloads

/// Reads and writes lines. One user at a time.
final class LineChannel {
  /// A longer line is nobody's command: the reader gives up before a flood fills the memory.
  static let longestLine = 1 << 20

  let input: Int32
  private let output: Int32
  private var pending: [UInt8] = []

  init(input: Int32, output: Int32) {
    self.input = input
    self.output = output
  }

  /// The next line, waiting for it; nil at the end of the input.
  func next<Message: Decodable>() throws(ModelFailure) -> Message? {
    while true {
      if let message: Message = try buffered() { return message }
      guard try read() > 0 else { return nil }
    }
  }

  /// A line that has already arrived, if there is one.
  func buffered<Message: Decodable>() throws(ModelFailure) -> Message? {
    guard let end = pending.firstIndex(of: UInt8(ascii: "\n")) else {
      if pending.count > Self.longestLine {
        throw ModelFailure(.failed, "a line of more than \(Self.longestLine) bytes on standard input")
      }
      return nil
    }
    let line = Array(pending[..<end])
    pending.removeSubrange(...end)
    do {
      return try JSONDecoder().decode(Message.self, from: Data(line))
    } catch {
      let start = String(decoding: line.prefix(120), as: UTF8.self)
      throw ModelFailure(.failed, "not a command: '\(start)' (\(error))")
    }
  }

  /// Reads until a non-blocking input is dry. False at its end.
  func fill() throws(ModelFailure) -> Bool {
    while true {
      let count = try read()
      if count == 0 { return false }
      if count == -Int(EAGAIN) { return true }
    }
  }

  /// The bytes read: 0 at the end of the input, -EAGAIN if there are none yet.
  private func read() throws(ModelFailure) -> Int {
    let count = withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 8) { buffer in
      let count = clinux_read(input, buffer.baseAddress, buffer.count)
      if count > 0 { pending.append(contentsOf: buffer[..<count]) }
      return count
    }
    if count >= 0 || count == -Int(EAGAIN) { return count }
    if count == -Int(EINTR) { return try read() }
    throw ModelFailure(.failed, "reading standard input failed: \(describe(errno: -count))")
  }

  /// Writes one line, all of it, waiting where the output is full.
  func send(_ message: some Encodable) throws(ModelFailure) {
    var line: [UInt8]
    do {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      line = Array(try encoder.encode(message))
    } catch {
      throw ModelFailure(.failed, "a reply could not be encoded: \(error)")
    }
    line.append(UInt8(ascii: "\n"))
    var sent = 0
    while sent < line.count {
      let count = line.withUnsafeBytes { clinux_write(output, $0.baseAddress! + sent, $0.count - sent) }
      switch count {
      case 0...: sent += count
      case -Int(EINTR): continue
      case -Int(EAGAIN):
        var wait = pollfd(fd: output, events: Int16(POLLOUT), revents: 0)
        _ = poll(&wait, 1, -1)
      default: throw ModelFailure(.failed, "writing standard output failed: \(describe(errno: -count))")
      }
    }
  }
}
