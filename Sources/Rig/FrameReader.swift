// Frames of one fixed length out of a stream. Whole frames, the usual case, are handed out where they were received;
// only what is left of a frame is copied, into a buffer that its connection keeps.

import CLinux
import Glibc

/// What a connection has received and not yet handled.
struct FrameInbox {
  fileprivate var buffer: UnsafeMutableRawPointer?
  fileprivate var start = 0
  fileprivate var end = 0
  /// Whether there may be something to read. Set by an event, cleared by a read that came up short.
  var isReadable = false
  /// Whether reads must go on to the end of the stream.
  var isHangup = false

  /// Whether bytes lie here or in the socket that have not been looked at.
  var hasMore: Bool { isReadable || end > start }

  mutating func release() {
    buffer?.deallocate()
    self = FrameInbox()
  }
}

/// Cuts streams into frames; shared by all connections of one kind.
struct FrameReader: ~Copyable {
  enum Step {
    /// A frame, valid until the next call.
    case frame(UnsafeRawBufferPointer)
    /// All that has arrived is handled; these bytes are the beginning of a frame.
    case partial(UnsafeRawBufferPointer)
    /// The peer closed or reset the connection.
    case closed
  }

  let frameBytes: Int
  private let capacity: Int
  private let arrivals: UnsafeMutableRawPointer

  /// - Parameter slack: how many bytes beyond a frame are read at once; at least 1, or a frame that fills the buffer
  ///   would need a second read to see that nothing follows.
  init(frameBytes: Int, slack: Int) {
    precondition(slack > 0, "a read must be able to come up short")
    self.frameBytes = frameBytes
    capacity = frameBytes + slack
    arrivals = .allocate(byteCount: capacity, alignment: 16)
  }

  deinit { arrivals.deallocate() }

  /// The next frame of a connection.
  mutating func next(_ descriptor: CInt, _ inbox: inout FrameInbox) -> Step {
    while true {
      let held = inbox.end - inbox.start
      if held >= frameBytes, let buffer = inbox.buffer {
        defer { inbox.start += frameBytes }
        return .frame(UnsafeRawBufferPointer(start: buffer + inbox.start, count: frameBytes))
      }
      guard inbox.isReadable else {
        return .partial(UnsafeRawBufferPointer(start: inbox.buffer.map { $0 + inbox.start }, count: held))
      }
      if held == 0 {
        inbox.start = 0
        inbox.end = 0
        let length = receive(descriptor, &inbox, arrivals, capacity)
        if length == frameBytes { return .frame(UnsafeRawBufferPointer(start: arrivals, count: frameBytes)) }
        if length == 0 { return .closed }
        if length < 0 { continue }
        keep(&inbox, from: arrivals, count: length)
      } else if let buffer = inbox.buffer {
        if inbox.start > 0 {
          memmove(buffer, buffer + inbox.start, held)
          inbox.start = 0
          inbox.end = held
        }
        let length = receive(descriptor, &inbox, buffer + held, capacity - held)
        if length == 0 { return .closed }
        if length > 0 { inbox.end += length }
      }
    }
  }

  /// - Returns: the count received, 0 at the stream's end (or its breaking), negative if nothing was there.
  private func receive(
    _ descriptor: CInt, _ inbox: inout FrameInbox, _ buffer: UnsafeMutableRawPointer, _ room: Int
  ) -> Int {
    let length = clinux_recv(descriptor, buffer, room, 0)
    if length >= 0 {
      inbox.isReadable = length == room || inbox.isHangup
      return length
    }
    switch CInt(-length) {
    case EAGAIN:
      inbox.isReadable = false
      return -1
    case EINTR: return -1
    default: return 0
    }
  }

  private func keep(_ inbox: inout FrameInbox, from bytes: UnsafeMutableRawPointer, count: Int) {
    let buffer = inbox.buffer ?? .allocate(byteCount: capacity, alignment: 16)
    inbox.buffer = buffer
    memcpy(buffer, bytes, count)
    inbox.end = count
  }
}
