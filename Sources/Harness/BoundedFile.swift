// A file that takes the beginning of a stream and counts the rest, so that a child that floods its output can fill
// neither the disk nor a pipe.

import CLinux
import Glibc
import Synchronization

final class BoundedFile: Sendable {
  private struct State {
    var descriptor: Int32
    var written = 0
    var dropped = 0
  }
  private let state: Mutex<State>
  private let limit: Int

  /// - Throws: ``HarnessError`` that names the path.
  init(path: String, limit: Int) throws(HarnessError) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw .file("creating", path, code: errno) }
    state = Mutex(State(descriptor: descriptor))
    self.limit = limit
  }

  deinit { state.withLock { _ = clinux_close($0.descriptor) } }

  func append(_ bytes: UnsafeRawBufferPointer) {
    state.withLock { state in
      let room = max(0, limit - state.written)
      var kept = UnsafeRawBufferPointer(rebasing: bytes.prefix(room))
      state.dropped += bytes.count - kept.count
      while !kept.isEmpty {
        let count = clinux_write(state.descriptor, kept.baseAddress, kept.count)
        if count <= 0 {
          // A full disk shows again, with the path, when the trial is written; here the rest is only counted.
          state.dropped += kept.count
          state.written = limit
          return
        }
        state.written += count
        kept = UnsafeRawBufferPointer(rebasing: kept.dropFirst(count))
      }
    }
  }

  func append(_ bytes: [UInt8]) { bytes.withUnsafeBytes { append($0) } }

  /// Says at the end of the file how much is missing, if anything is.
  func finish() {
    state.withLock { state in
      guard state.dropped > 0 else { return }
      let note = Array("\n[\(state.dropped) more bytes were not kept]\n".utf8)
      state.dropped = 0
      _ = note.withUnsafeBytes { clinux_write(state.descriptor, $0.baseAddress, $0.count) }
    }
  }
}
