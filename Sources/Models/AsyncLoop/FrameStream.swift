// A connection that carries frames of one kind and length.

import EventLoop
import Workloads

/// Sendable because one task at a time uses it: the client's, or the unit that has taken it from the pool.
final class FrameStream: @unchecked Sendable {
  let stream: Stream
  private let kind: FanOut.Header.Kind
  private let bytes: Int
  /// Somewhat longer than a frame, so that a read of exactly one is a short read: it tells the loop that the socket is
  /// empty, and saves the call that would find it so.
  private let buffer: UnsafeMutableRawBufferPointer
  private var filled = 0
  private var consumed = 0

  init(_ stream: Stream, receives kind: FanOut.Header.Kind, bytes: Int) {
    self.stream = stream
    self.kind = kind
    self.bytes = bytes
    buffer = .allocate(byteCount: bytes + 8, alignment: 8)
  }

  deinit { buffer.deallocate() }

  /// The frame that came last; valid until the next.
  var frame: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: buffer[..<bytes]) }

  /// Reads the next frame. Nil at the end of the stream, when it breaks, and for any other kind of frame.
  func next() async -> FanOut.Header? {
    if consumed > 0 {
      buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[consumed..<filled]))
      filled -= consumed
      consumed = 0
    }
    while filled < bytes {
      let room = UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
      guard let count = try? await stream.read(into: room), count > 0 else { return nil }
      filled += count
      if filled >= FanOut.Header.bytes, !FanOut.Header(reading: frame).isValid(kind, length: bytes) { return nil }
    }
    consumed = bytes
    let header = FanOut.Header(reading: frame)
    return header.isValid(kind, length: bytes) ? header : nil
  }

  /// Sends a whole frame. False if the connection is broken.
  func send(_ frame: UnsafeRawBufferPointer) async -> Bool {
    (try? await stream.write(frame)) != nil
  }
}
