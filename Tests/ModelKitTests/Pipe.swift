// A pipe to speak into: what is written at one end is what a channel reads at the other.

import CLinux
import Glibc

/// Both ends of a pipe; whatever is still open is closed with it.
final class Pipe {
  private(set) var readEnd: Int32
  private(set) var writeEnd: Int32

  init() {
    var ends: [Int32] = [-1, -1]
    precondition(pipe(&ends) == 0, "a pipe could not be made")
    readEnd = ends[0]
    writeEnd = ends[1]
  }

  deinit {
    closeReadEnd()
    closeWriteEnd()
  }

  /// Writes all of it. The text must fit into the pipe (64 KiB) unless somebody reads at the same time.
  func write(_ text: String) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { clinux_write(writeEnd, $0.baseAddress, $0.count) }
      precondition(count > 0, "writing to a pipe failed")
      bytes = bytes.dropFirst(count)
    }
  }

  /// Everything that was written. Closes the write end, so that the end of the input comes.
  func readAll() -> String {
    closeWriteEnd()
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = buffer.withUnsafeMutableBytes { clinux_read(readEnd, $0.baseAddress, $0.count) }
      guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
      bytes.append(contentsOf: buffer[..<count])
    }
  }

  func closeReadEnd() {
    if readEnd >= 0 { close(readEnd) }
    readEnd = -1
  }

  func closeWriteEnd() {
    if writeEnd >= 0 { close(writeEnd) }
    writeEnd = -1
  }
}
