// fan-out's frames and their checksum: the bytes that PROTOCOL.md promises.

import Testing
import Workloads

@Suite struct FrameTests {
  static func bytes(_ header: FanOut.Header) -> [UInt8] {
    var bytes = [UInt8](repeating: 0xAA, count: FanOut.Header.bytes)
    bytes.withUnsafeMutableBytes { header.write(to: $0) }
    return bytes
  }

  static func checksum(words: [UInt64]) -> UInt64 {
    words.map(\.littleEndian).withUnsafeBytes { FanOut.checksum($0) }
  }

  /// Repeatable words to feed the checksum.
  static func words(_ count: Int, seed: UInt64) -> [UInt64] {
    var generator = SplitMix64(seed: seed)
    return (0..<count).map { _ in generator.next() }
  }

  @Test func `the example of PROTOCOL.md has its bytes and its checksum`() {
    let answer = Self.bytes(FanOut.Header(.answer, length: 24, id: 1, value: 5))
    #expect(
      answer == [0x18, 0, 0, 0, 0x04, 0, 0, 0] + [0x01, 0, 0, 0, 0, 0, 0, 0] + [0x05, 0, 0, 0, 0, 0, 0, 0])
    #expect(answer.withUnsafeBytes { FanOut.checksum($0) } == 0x0000_0004_0000_0034)
  }

  @Test(arguments: [
    FanOut.Header(.request, length: 24, id: 0, value: 0),
    FanOut.Header(.subRequest, length: 65_536, index: 63, id: .max, value: .max),
    FanOut.Header(
      .subReply, length: 0x0102_0304, index: 0x0506, id: 0x0708_090A_0B0C_0D0E, value: 0x0F10_1112_1314_1516),
    FanOut.Header(.answer, length: Int(UInt32.max), index: Int(UInt16.max), id: 1 << 63, value: 1),
  ])
  func `a header that was written reads as the same`(header: FanOut.Header) {
    let bytes = Self.bytes(header)
    #expect(bytes.withUnsafeBytes { FanOut.Header(reading: $0) } == header)
    // From an odd address as well: frames lie anywhere in a receive buffer.
    let shifted = [0xFF] + bytes
    #expect(shifted.withUnsafeBytes { FanOut.Header(reading: .init(rebasing: $0[1...])) } == header)
  }

  @Test func `fields lie at the offsets of the table`() {
    let bytes = Self.bytes(
      FanOut.Header(
        .subReply, length: 0x0403_0201, index: 0x0807, id: 0x100F_0E0D_0C0B_0A09, value: 0x1817_1615_1413_1211))
    #expect(bytes == [1, 2, 3, 4, 3, 0, 7, 8] + Array(9...24))
  }

  @Test func `a frame of another kind or length is not valid`() {
    let header = FanOut.Header(.subReply, length: 512, id: 1, value: 0)
    #expect(header.isValid(.subReply, length: 512))
    #expect(!header.isValid(.subReply, length: 520))
    #expect(!header.isValid(.answer, length: 512))
    var unknown = header
    unknown.kind = 9
    #expect(!unknown.isValid(.subReply, length: 512))
  }

  @Test func `the checksum is the sum of the words, each times its odd weight, modulo 2^64`() {
    #expect(Self.checksum(words: []) == 0)
    #expect(Self.checksum(words: [7]) == 7)
    #expect(Self.checksum(words: [1, 10, 100]) == 1 + 3 * 10 + 5 * 100)
    #expect(Self.checksum(words: [.max, .max]) == UInt64.max &* 4)
    let words = Self.words(8_192, seed: 1)
    var expected: UInt64 = 0
    for (index, word) in words.enumerated() { expected &+= UInt64(2 * index + 1) &* word }
    #expect(Self.checksum(words: words) == expected)
  }

  @Test func `the checksum is linear, so that the rig can know a reply's without walking it`() {
    let left = Self.words(64, seed: 2)
    let right = Self.words(64, seed: 3)
    let sum = zip(left, right).map { $0 &+ $1 }
    #expect(Self.checksum(words: sum) == Self.checksum(words: left) &+ Self.checksum(words: right))
    #expect(Self.checksum(words: left.map { $0 &* 5 }) == Self.checksum(words: left) &* 5)
  }

  @Test func `the checksum sees words that change places, at any distance`() {
    let words = Self.words(64, seed: 4)
    let original = Self.checksum(words: words)
    for first in 0..<64 {
      for second in 0..<first {
        var swapped = words
        swapped.swapAt(first, second)
        #expect(Self.checksum(words: swapped) != original)
      }
    }
  }

  @Test func `the checksum sees every single bit`() {
    let words = Self.words(8, seed: 5)
    let original = Self.checksum(words: words)
    for place in 0..<8 {
      for bit in 0..<64 {
        var flipped = words
        flipped[place] ^= 1 << UInt64(bit)
        #expect(Self.checksum(words: flipped) != original)
      }
    }
  }
}
