// The bytes on fan-out's sockets. PROTOCOL.md says the same in prose; both must change together.

extension FanOut {
  /// A frame: a header of 24 bytes and a payload, every number little-endian.
  ///
  ///     offset 0  u32  length    of the whole frame in bytes, a multiple of 8
  ///            4  u16  kind      1 request, 2 sub-request, 3 sub-reply, 4 answer
  ///            6  u16  index     which of the request's sub-requests, from 0; 0 in requests and answers
  ///            8  u64  id        the request's
  ///           16  u64  value     request: a token; sub-request: the same token; sub-reply: any; answer: the sum
  ///           24       payload   request: any; sub-request: the request's payload; sub-reply: any; answer: none
  public struct Header: Sendable, Hashable {
    public static let bytes = 24

    public enum Kind: UInt16, Sendable {
      case request = 1
      case subRequest, subReply, answer
    }
    public var length: Int
    public var kind: UInt16
    public var index: Int
    public var id: UInt64
    public var value: UInt64

    @inlinable
    public init(_ kind: Kind, length: Int, index: Int = 0, id: UInt64, value: UInt64) {
      self.length = length
      self.kind = kind.rawValue
      self.index = index
      self.id = id
      self.value = value
    }

    /// Reads the header at the start of a buffer of at least 24 bytes. Nothing is checked: see ``isValid(_:length:)``.
    @inlinable
    public init(reading buffer: UnsafeRawBufferPointer) {
      precondition(buffer.count >= Self.bytes, "a header needs 24 bytes")
      length = Int(UInt32(littleEndian: buffer.loadUnaligned(fromByteOffset: 0, as: UInt32.self)))
      kind = UInt16(littleEndian: buffer.loadUnaligned(fromByteOffset: 4, as: UInt16.self))
      index = Int(UInt16(littleEndian: buffer.loadUnaligned(fromByteOffset: 6, as: UInt16.self)))
      id = UInt64(littleEndian: buffer.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
      value = UInt64(littleEndian: buffer.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
    }

    /// Writes the header to the start of a buffer of at least 24 bytes.
    @inlinable
    public func write(to buffer: UnsafeMutableRawBufferPointer) {
      precondition(buffer.count >= Self.bytes, "a header needs 24 bytes")
      buffer.storeBytes(of: UInt32(truncatingIfNeeded: length).littleEndian, toByteOffset: 0, as: UInt32.self)
      buffer.storeBytes(of: kind.littleEndian, toByteOffset: 4, as: UInt16.self)
      buffer.storeBytes(of: UInt16(truncatingIfNeeded: index).littleEndian, toByteOffset: 6, as: UInt16.self)
      buffer.storeBytes(of: id.littleEndian, toByteOffset: 8, as: UInt64.self)
      buffer.storeBytes(of: value.littleEndian, toByteOffset: 16, as: UInt64.self)
    }

    /// Whether this is a frame of that kind and length. A receiver closes a connection that brings any other.
    @inlinable
    public func isValid(_ kind: Kind, length: Int) -> Bool { self.kind == kind.rawValue && self.length == length }
  }

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
