// A non-blocking TCP connection that carries frames, on Dispatch sources.

import CLinux
import Dispatch
import Glibc
import ModelKit
import Workloads

/// A connection, confined to a serial queue: its sources deliver there, and it is used nowhere else. That makes it
/// Sendable. Its sources keep it alive until it has been closed. Subclasses say what it is for.
class FrameConnection: @unchecked Sendable {
  let queue: DispatchQueue
  /// The frame that came last; valid within ``received(_:)``, and after it for as long as reading is paused.
  let input: UnsafeMutableRawBufferPointer
  private let descriptor: Int32
  private let kind: FanOut.Header.Kind
  private let closing: DispatchGroup
  private var inputBytes = 0
  /// Made once and left active: it fires again for as long as there is something to read.
  private let reader: any DispatchSourceRead
  private var isPaused = false
  private var isSuspended = false
  private(set) var isOpen = true
  /// Made when the socket's buffer is full for the first time, and active only while there is something unsent.
  private var writer: (any DispatchSourceWrite)?
  private var unsent: ArraySlice<UInt8> = []

  /// - Parameters:
  ///   - descriptor: a non-blocking socket, which the connection owns from here on.
  ///   - kind: the only kind of frame that may arrive; each is `bytes` long.
  ///   - closing: is left when the descriptor has been closed.
  init(
    _ descriptor: Int32, on queue: DispatchQueue, receives kind: FanOut.Header.Kind, bytes: Int, closing: DispatchGroup
  ) {
    self.descriptor = descriptor
    self.queue = queue
    self.kind = kind
    self.closing = closing
    input = .allocate(byteCount: bytes, alignment: 8)
    reader = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
    closing.enter()
  }

  deinit { input.deallocate() }

  /// A whole frame is in ``input``.
  func received(_ header: FanOut.Header) {}
  /// The stream has ended or broken, or carried something that is no such frame; the connection is closing.
  func ended() {}
  /// The descriptor has been closed.
  func closed() {}

  func activate() {
    reader.setEventHandler { [self] in read() }
    reader.setCancelHandler { [self] in
      guard let writer else { return finish() }
      writer.setCancelHandler { [self] in finish() }
      if unsent.isEmpty { writer.resume() }  // a suspended source never gets to its cancel handler
      writer.cancel()
    }
    reader.activate()
  }

  /// Leaves further frames in the socket, so that ``input`` keeps the last one. The source is suspended only if
  /// something does arrive, which in a request's time it should not.
  func pauseReading() { isPaused = true }

  func continueReading() {
    isPaused = false
    if isSuspended {
      isSuspended = false
      reader.resume()
    }
  }

  /// Closes the connection, as soon as Dispatch has let go of its descriptor.
  func close() {
    guard isOpen else { return }
    isOpen = false
    reader.cancel()
    continueReading()
  }

  private func finish() {
    clinux_close(descriptor)
    closed()
    closing.leave()
  }

  private func read() {
    guard isOpen else { return }
    if isPaused {
      isSuspended = true
      return reader.suspend()
    }
    let count = clinux_recv(descriptor, input.baseAddress! + inputBytes, input.count - inputBytes, 0)
    if count == -Int(EAGAIN) || count == -Int(EINTR) { return }
    guard count > 0 else { return end() }
    inputBytes += count
    guard inputBytes >= FanOut.Header.bytes else { return }
    let header = FanOut.Header(reading: UnsafeRawBufferPointer(input))
    guard header.isValid(kind, length: input.count) else { return end() }
    if inputBytes == input.count {
      inputBytes = 0
      received(header)
    }
  }

  private func end() {
    close()
    ended()
  }

  /// Sends a frame; what the socket does not take at once follows when it can. False if the connection is closing.
  @discardableResult
  func send(_ frame: UnsafeRawBufferPointer) -> Bool {
    guard isOpen else { return false }
    let wasIdle = unsent.isEmpty
    let sent = wasIdle ? write(frame) : 0
    unsent.append(contentsOf: frame[sent...])
    if wasIdle && !unsent.isEmpty { startWriting() }
    return true
  }

  private func startWriting() {
    let writer =
      self.writer
      ?? {
        let writer = DispatchSource.makeWriteSource(fileDescriptor: descriptor, queue: queue)
        writer.setEventHandler { [self] in flush() }
        self.writer = writer
        return writer
      }()
    writer.resume()
  }

  private func flush() {
    guard isOpen else { return }
    unsent.removeFirst(unsent.withUnsafeBytes { write($0) })
    if unsent.isEmpty {
      unsent = []  // an emptied slice would keep the whole frame
      writer?.suspend()
    }
  }

  /// How many bytes the socket took. A broken connection takes everything: its reader gets the news.
  private func write(_ bytes: UnsafeRawBufferPointer) -> Int {
    while true {
      let count = clinux_send(descriptor, bytes.baseAddress!, bytes.count, 0)
      if count >= 0 { return count }
      if count == -Int(EAGAIN) { return 0 }
      if count != -Int(EINTR) { return bytes.count }
    }
  }
}
