// The bytes on fan-out's sockets; the header is in FrameHeader.swift. PROTOCOL.md says the same in prose; both must
// change together.

extension FanOut {
  /// The header of every frame. In fan-out:
  ///
  ///     kind      1 request, 2 sub-request, 3 sub-reply, 4 answer
  ///     index     which of the request's sub-requests, from 0; 0 in requests and answers
  ///     value     request: a token; sub-request: the same token; sub-reply: any; answer: the sum
  ///     payload   request: any; sub-request: the request's payload; sub-reply: any; answer: none
  public typealias Header = FrameHeader

  /// The checksum of a whole frame: the sum of (2i + 1) * w_i modulo 2^64 over its little-endian 64-bit words w_0,
  /// w_1, ... The odd weights make it see words that change places. It is linear, so that the rig knows the sum of a
  /// reply without walking it, while the model has to touch every byte.
  @inlinable
  public static func checksum(_ frame: UnsafeRawBufferPointer) -> UInt64 {
    var sum: UInt64 = 0
    var weight: UInt64 = 1
    for word in 0..<(frame.count / 8) {
      let value = UInt64(littleEndian: frame.loadUnaligned(fromByteOffset: word * 8, as: UInt64.self))
      sum &+= value &* weight
      weight &+= 2
    }
    return sum
  }
}
