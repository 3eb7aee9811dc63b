// The bytes on blocking-mix's sockets. PROTOCOL.md says the same in prose; both must change together.

extension BlockingMix {
  /// The header of requests and answers:
  ///
  ///     length    request: 32; answer: 24
  ///     kind      1 request, 4 answer
  ///     index     request: 0 interactive, 1 hog that burns, 2 hog that blocks; answer: 0
  ///     value     request: where the work starts; answer: what came out
  ///     payload   request: u64, iterations to burn, or nanoseconds to block; answer: none
  public typealias Header = FrameHeader

  public static let requestBytes = FrameHeader.bytes + 8
  public static let answerBytes = FrameHeader.bytes

  /// What a request asks for.
  public enum Work: Sendable, Hashable {
    /// Both end in `CPUWork.burn(seed: value, iterations:)`.
    case interactive(iterations: Int)
    case hog(iterations: Int)
    /// Ends in `clinux_block(value, nanoseconds)`: after that time, in `SplitMix64.mix(value)`.
    case blockingHog(nanoseconds: UInt64)

    @inlinable
    public var isHog: Bool { if case .interactive = self { false } else { true } }
  }

  /// A request as it arrives.
  public struct Request: Sendable, Hashable {
    public let id: UInt64
    public let value: UInt64
    public let work: Work

    @inlinable
    public init(id: UInt64, value: UInt64, work: Work) {
      self.id = id
      self.value = value
      self.work = work
    }

    /// Reads a whole frame; nil if it is no request. Whoever brings such a frame is to be disconnected.
    @inlinable
    public init?(reading frame: UnsafeRawBufferPointer) {
      guard frame.count >= requestBytes else { return nil }
      let header = Header(reading: frame)
      guard header.isValid(.request, length: requestBytes) else { return nil }
      let amount = UInt64(littleEndian: frame.loadUnaligned(fromByteOffset: Header.bytes, as: UInt64.self))
      switch header.index {
      case 0: work = .interactive(iterations: Int(clamping: amount))
      case 1: work = .hog(iterations: Int(clamping: amount))
      case 2: work = .blockingHog(nanoseconds: amount)
      default: return nil
      }
      id = header.id
      value = header.value
    }

    /// Writes the frame to the start of a buffer of at least 32 bytes.
    @inlinable
    public func write(to buffer: UnsafeMutableRawBufferPointer) {
      precondition(buffer.count >= requestBytes, "a request needs 32 bytes")
      let (index, amount): (Int, UInt64) =
        switch work {
        case .interactive(let iterations): (0, UInt64(iterations))
        case .hog(let iterations): (1, UInt64(iterations))
        case .blockingHog(let nanoseconds): (2, nanoseconds)
        }
      Header(.request, length: requestBytes, index: index, id: id, value: value).write(to: buffer)
      buffer.storeBytes(of: amount.littleEndian, toByteOffset: Header.bytes, as: UInt64.self)
    }
  }
}
