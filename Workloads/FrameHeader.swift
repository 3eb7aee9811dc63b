// The header of the frames that the rig and the models of served workloads exchange. PROTOCOL.md says the same in prose;
// both must change together.

/// A frame is a header of 24 bytes and a payload, every number little-endian.
///
///     offset 0  u32  length    of the whole frame in bytes, header included; a multiple of 8
///            4  u16  kind      1 request, 2 sub-request, 3 sub-reply, 4 answer
///            6  u16  index     as the workload says
///            8  u64  id        the request's, unique within the trial
///           16  u64  value     as the workload says
///           24       payload   length - 24 bytes
public struct FrameHeader: Sendable, Hashable {
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

  /// Whether the part of a frame that has arrived may be the start of one of that kind and length.
  @inlinable
  public static func accepts(_ prefix: UnsafeRawBufferPointer, _ kind: Kind, length: Int) -> Bool {
    if prefix.count >= bytes { return FrameHeader(reading: prefix).isValid(kind, length: length) }
    // A frame that is shorter than a header would never complete one.
    guard prefix.count >= MemoryLayout<UInt32>.size else { return true }
    return UInt32(littleEndian: prefix.loadUnaligned(as: UInt32.self)) == UInt32(truncatingIfNeeded: length)
  }
}
