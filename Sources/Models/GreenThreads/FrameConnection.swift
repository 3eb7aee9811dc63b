// A TCP connection that carries frames, and its buffer.

import GreenThreads
import Workloads

/// What the other side did wrong.
enum FrameError: Error {
  case unexpectedFrame, endOfStream
}

/// Sendable because one unit at a time uses it: a client's belongs to its connection's unit and those that it joins, a
/// backend's to whoever took it out of the pool.
final class FrameConnection: @unchecked Sendable {
  let descriptor: Descriptor
  let buffer: UnsafeMutableRawBufferPointer

  private let onClose: @Sendable () -> Void

  init(_ descriptor: Descriptor, bufferBytes: Int, onClose: @escaping @Sendable () -> Void) {
    self.descriptor = descriptor
    self.onClose = onClose
    buffer = .allocate(byteCount: max(bufferBytes, FanOut.Header.bytes), alignment: 8)
  }

  deinit {
    descriptor.close()
    buffer.deallocate()
    onClose()
  }

  func frame(_ bytes: Int) -> UnsafeMutableRawBufferPointer { .init(rebasing: buffer[..<bytes]) }

  func send(_ bytes: Int) throws { try descriptor.write(UnsafeRawBufferPointer(frame(bytes))) }

  /// Receives one frame into the buffer; nil at the end of the stream. The header is judged as soon as it is there,
  /// before a wrong length could make this wait for bytes that never come.
  func receive(_ kind: FanOut.Header.Kind, bytes: Int) throws -> FanOut.Header? {
    let frame = frame(bytes)
    var received = 0
    var header: FanOut.Header?
    while received < bytes {
      let count = try descriptor.read(into: UnsafeMutableRawBufferPointer(rebasing: frame[received...]))
      if count == 0 {
        if received == 0 { return nil }
        throw FrameError.endOfStream
      }
      received += count
      if header == nil, received >= FanOut.Header.bytes {
        let found = FanOut.Header(reading: UnsafeRawBufferPointer(frame))
        guard found.isValid(kind, length: bytes) else { throw FrameError.unexpectedFrame }
        header = found
      }
    }
    return header
  }
}
