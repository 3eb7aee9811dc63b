import CLinux
import Glibc
import Testing

@testable import Rig

@Suite("Frame reader")
struct FrameReaderTests {
  /// A stream socket pair: what is written to one end is read from the other.
  private final class Pair {
    let reading: CInt
    let writing: CInt

    init() {
      var ends: [CInt] = [-1, -1]
      precondition(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, &ends) == 0)
      reading = ends[0]
      writing = ends[1]
      clinux_set_nonblocking(reading, 1)
    }
    deinit {
      clinux_close(reading)
      clinux_close(writing)
    }
    func write(_ bytes: ArraySlice<UInt8>) {
      bytes.withUnsafeBytes { _ = clinux_send(writing, $0.baseAddress, $0.count, 0) }
    }
  }

  /// All frames that can be read now, and what ended the reading.
  private func drain(
    _ reader: inout FrameReader, _ pair: Pair, _ inbox: inout FrameInbox
  ) -> (frames: [[UInt8]], partial: [UInt8]?) {
    inbox.isReadable = true
    var frames: [[UInt8]] = []
    while true {
      switch reader.next(pair.reading, &inbox) {
      case .frame(let frame): frames.append(Array(frame))
      case .partial(let prefix): return (frames, Array(prefix))
      case .closed: return (frames, nil)
      }
    }
  }

  private let stream: [UInt8] = (0..<240).map { UInt8($0) }
  private var expected: [[UInt8]] { stride(from: 0, to: 240, by: 24).map { Array(stream[$0..<($0 + 24)]) } }

  @Test("a stream cut anywhere gives the same frames", arguments: [1, 5, 23, 24, 25, 47, 48, 100, 240], [1, 8, 4_096])
  func cuts(length: Int, slack: Int) {
    var reader = FrameReader(frameBytes: 24, slack: slack)
    let pair = Pair()
    var inbox = FrameInbox()
    defer { inbox.release() }
    var frames: [[UInt8]] = []
    for start in stride(from: 0, to: 240, by: length) {
      pair.write(stream[start..<min(240, start + length)])
      let (more, partial) = drain(&reader, pair, &inbox)
      frames += more
      #expect(partial == Array(stream[(frames.count * 24)..<min(240, start + length)]))
    }
    #expect(frames == expected)
    #expect(!inbox.hasMore)
  }

  @Test("frames in front of the stream's end are handed out first")
  func end() {
    var reader = FrameReader(frameBytes: 24, slack: 8)
    let pair = Pair()
    var inbox = FrameInbox()
    defer { inbox.release() }
    pair.write(stream[0..<60])
    shutdown(pair.writing, CInt(SHUT_WR))
    inbox.isHangup = true
    let (frames, partial) = drain(&reader, pair, &inbox)
    #expect(frames == Array(expected[..<2]))
    #expect(partial == nil)
  }

  @Test("a frame that was followed by others says that there is more")
  func more() {
    var reader = FrameReader(frameBytes: 24, slack: 8)
    let pair = Pair()
    var inbox = FrameInbox()
    defer { inbox.release() }
    pair.write(stream[0..<48])
    inbox.isReadable = true
    guard case .frame = reader.next(pair.reading, &inbox) else {
      Issue.record("no frame was read")
      return
    }
    #expect(inbox.hasMore)
  }
}
