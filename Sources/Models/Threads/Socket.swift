// A blocking TCP connection that carries frames.

import CLinux
import Glibc
import Workloads

/// A connected socket, closed when the last that holds it lets go. So neither the thread that reads a connection nor
/// the work item that writes to it can see its descriptor closed, and given to another, under its hands.
final class Socket: Sendable {
  let descriptor: Int32
  private let onClose: @Sendable () -> Void

  init(_ descriptor: Int32, onClose: @escaping @Sendable () -> Void) {
    self.descriptor = descriptor
    self.onClose = onClose
  }

  deinit {
    clinux_close(descriptor)
    onClose()
  }

  /// Ends reading: a thread that is blocked in ``receive(_:into:)`` gets the end of the stream.
  func shutDownReading() { shutdown(descriptor, Int32(SHUT_RD)) }

  /// Ends both directions.
  func shutDown() { shutdown(descriptor, Int32(SHUT_RDWR)) }

  /// Sends all bytes. False if the connection is broken.
  func send(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var sent = 0
    while sent < bytes.count {
      let count = clinux_send(descriptor, bytes.baseAddress! + sent, bytes.count - sent, 0)
      if count > 0 { sent += count } else if count != -Int(EINTR) { return false }
    }
    return true
  }

  /// Receives one frame that fills the buffer, and not a byte beyond it. nil at the end of the stream, if the
  /// connection is broken, or if the frame is of another kind or length: that is known from its header, before a
  /// wrong length could make this wait for bytes that will never come.
  func receive(_ kind: FanOut.Header.Kind, into frame: UnsafeMutableRawBufferPointer) -> FanOut.Header? {
    var received = 0
    var header: FanOut.Header?
    while received < frame.count {
      let count = clinux_recv(descriptor, frame.baseAddress! + received, frame.count - received, 0)
      if count == -Int(EINTR) { continue }
      guard count > 0 else { return nil }
      received += count
      if header == nil, received >= FanOut.Header.bytes {
        let found = FanOut.Header(reading: UnsafeRawBufferPointer(frame))
        guard found.isValid(kind, length: frame.count) else { return nil }
        header = found
      }
    }
    return header
  }
}
