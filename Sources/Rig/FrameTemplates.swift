// Frames made in advance: a few payloads of random words, each behind room for a header. A frame is sent by writing 24
// bytes in front of its payload, and verified by comparing with what was sent.

import Glibc
import Workloads

struct FrameTemplates: ~Copyable {
  /// Enough that a payload in the wrong place is noticed; a power of two, so that any bits of a draw choose one.
  static let count = 16

  let bytes: Int
  private let frames: UnsafeMutableRawPointer
  private let sums: UnsafeMutablePointer<UInt64>

  /// - Parameter bytes: a frame's length, a multiple of 8 and at least a header's.
  init(bytes: Int, _ draws: SeededDraws, firstWord: UInt64) {
    self.bytes = bytes
    frames = .allocate(byteCount: bytes * Self.count, alignment: 64)
    sums = .allocate(capacity: Self.count)
    for word in 0..<(bytes * Self.count / 8) {
      let value = draws.word(firstWord + UInt64(word)).littleEndian
      frames.storeBytes(of: value, toByteOffset: word * 8, as: UInt64.self)
    }
    for template in 0..<Self.count {
      let frame = UnsafeMutableRawBufferPointer(start: frames + template * bytes, count: bytes)
      memset(frame.baseAddress!, 0, FanOut.Header.bytes)
      (sums + template).initialize(to: FanOut.checksum(UnsafeRawBufferPointer(frame)))
    }
  }

  deinit {
    frames.deallocate()
    sums.deallocate()
  }

  /// A template's payload behind a header; valid until the template's next use.
  func frame(_ template: Int, _ header: FanOut.Header) -> UnsafeRawBufferPointer {
    let frame = UnsafeMutableRawBufferPointer(start: frames + template * bytes, count: bytes)
    header.write(to: frame)
    return UnsafeRawBufferPointer(frame)
  }

  /// Whether a frame of the templates' length carries a template's payload.
  func matches(_ frame: UnsafeRawBufferPointer, _ template: Int) -> Bool {
    let header = FanOut.Header.bytes
    return memcmp(frame.baseAddress! + header, frames + template * bytes + header, bytes - header) == 0
  }

  /// The checksum of a template's payload behind a header: the header's words have the weights 1, 3 and 5.
  func checksum(_ template: Int, _ header: FanOut.Header) -> UInt64 {
    let first = UInt64(UInt32(header.length)) | UInt64(header.kind) << 32 | UInt64(UInt16(header.index)) << 48
    return sums[template] &+ first &+ 3 &* header.id &+ 5 &* header.value
  }
}
