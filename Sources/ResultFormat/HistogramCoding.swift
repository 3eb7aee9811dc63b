// The V2 compressed encoding of HdrHistogram, base64, so that any port of HdrHistogram reads our files. The format is
// defined by HdrHistogram's Java sources (AbstractHistogram.encodeIntoByteBuffer, ZigZagEncoding): big-endian header,
// then one number a slot from slot 0 to the last one in use, zeros in a row as one negative number.
import CZlib
import FoundationEssentials

extension HistogramSlots {
  /// Base cookies with 0x10 in the word-size byte, as all ports write it.
  private static let cookie: UInt32 = 0x1c84_9303 | 0x10
  private static let compressedCookie: UInt32 = 0x1c84_9304 | 0x10
  private static let headerBytes = 40
  /// A count takes 9 bytes at most; nothing that we accept inflates to more.
  private static var payloadLimit: Int { headerBytes + 9 * slotCount }

  /// HdrHistogram V2, compressed, base64.
  public var encoded: String {
    var counts: [UInt8] = []
    var next = 0
    for slot in slots {
      if slot.index > next { Self.append(Int64(next - slot.index), to: &counts) }
      Self.append(Int64(slot.count), to: &counts)
      next = slot.index + 1
    }
    var payload: [UInt8] = []
    payload.append(bigEndian: Self.cookie)
    payload.append(bigEndian: UInt32(counts.count))
    payload.append(bigEndian: UInt32(0))  // normalizing index offset: never shifted
    payload.append(bigEndian: UInt32(Self.significantDigits))
    payload.append(bigEndian: Self.lowestTrackable)
    payload.append(bigEndian: Self.highestTrackable)
    payload.append(bigEndian: 1.0.bitPattern)  // integer to double conversion ratio
    payload += counts

    let compressed = Self.deflated(payload)
    var bytes: [UInt8] = []
    bytes.append(bigEndian: Self.compressedCookie)
    bytes.append(bigEndian: UInt32(compressed.count))
    return Data(bytes + compressed).base64EncodedString()
  }

  /// - Throws: ``ResultError`` for anything but a V2 compressed histogram of this range and precision.
  public init(encoded text: String) throws(ResultError) {
    func refusal(_ reason: String) -> ResultError {
      let shown = text.count > 24 ? "\(text.prefix(24))…" : text
      return ResultError("histogram '\(shown)' \(reason)")
    }
    guard let data = Data(base64Encoded: text) else { throw refusal("is not base64") }
    let bytes = [UInt8](data)
    guard bytes.count >= 8 else { throw refusal("ends within its header") }
    guard bytes.bigEndian(UInt32.self, at: 0) & ~0xf0 == Self.compressedCookie & ~0xf0 else {
      throw refusal("is not HdrHistogram's V2 compressed encoding")
    }
    guard Int(bytes.bigEndian(UInt32.self, at: 4)) == bytes.count - 8 else {
      throw refusal("has \(bytes.count - 8) bytes after its header, which announces another length")
    }
    guard let payload = Self.inflated(bytes[8...]), payload.count >= Self.headerBytes else {
      throw refusal("cannot be inflated to a histogram of at most \(Self.slotCount) counts")
    }
    guard payload.bigEndian(UInt32.self, at: 0) & ~0xf0 == Self.cookie & ~0xf0 else {
      throw refusal("does not hold a V2 histogram")
    }
    guard Int(payload.bigEndian(UInt32.self, at: 4)) == payload.count - Self.headerBytes else {
      throw refusal("has another length than it announces")
    }
    let digits = payload.bigEndian(UInt32.self, at: 12)
    let lowest = payload.bigEndian(UInt64.self, at: 16)
    let highest = payload.bigEndian(UInt64.self, at: 24)
    guard payload.bigEndian(UInt32.self, at: 8) == 0, digits == Self.significantDigits,
      lowest == Self.lowestTrackable, highest == Self.highestTrackable
    else {
      throw refusal(
        "covers \(lowest) to \(highest) with \(digits) significant digits: expected \(Self.lowestTrackable) to "
          + "\(Self.highestTrackable) with \(Self.significantDigits)")
    }

    var slots: [Slot] = []
    var total = 0
    var index = 0
    var position = Self.headerBytes
    while position < payload.count {
      guard let number = Self.next(in: payload, at: &position) else { throw refusal("ends within a count") }
      if number <= 0 {
        // A zero stands for one empty slot; a negative number for that many.
        let gap = number == 0 ? 1 : Int(clamping: number.magnitude)
        guard gap <= Self.slotCount - index else { throw refusal("has more than \(Self.slotCount) counts") }
        index += gap
      } else {
        guard index < Self.slotCount else { throw refusal("has more than \(Self.slotCount) counts") }
        let (sum, overflows) = total.addingReportingOverflow(Int(number))
        guard !overflows else { throw refusal("has counts that add up to more than \(Int.max)") }
        total = sum
        slots.append(Slot(index: index, count: Int(number)))
        index += 1
      }
    }
    self.init(slots)
  }

  /// ZigZag, then LEB128 of at most 9 bytes: the ninth carries 8 bits, which is where HdrHistogram's differs from the
  /// common one.
  private static func append(_ number: Int64, to bytes: inout [UInt8]) {
    var rest = UInt64(bitPattern: (number << 1) ^ (number >> 63))
    for _ in 0..<8 {
      if rest < 0x80 { return bytes.append(UInt8(rest)) }
      bytes.append(UInt8(rest & 0x7f) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  private static func next(in bytes: [UInt8], at position: inout Int) -> Int64? {
    var value: UInt64 = 0
    for step in 0..<9 {
      guard position < bytes.count else { return nil }
      let byte = UInt64(bytes[position])
      position += 1
      if step == 8 {
        value |= byte << 56
        break
      }
      value |= (byte & 0x7f) << UInt64(7 * step)
      if byte < 0x80 { break }
    }
    return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
  }

  private static func deflated(_ bytes: [UInt8]) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: Int(compressBound(uLong(bytes.count)))) { buffer, count in
      var length = uLong(buffer.count)
      let status = compress2(buffer.baseAddress, &length, bytes, uLong(bytes.count), Z_BEST_COMPRESSION)
      precondition(status == Z_OK, "a buffer of compressBound bytes holds whatever zlib makes")
      count = Int(length)
    }
  }

  private static func inflated(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
    var status = Z_OK
    let result = [UInt8](unsafeUninitializedCapacity: payloadLimit) { buffer, count in
      var length = uLong(buffer.count)
      status = bytes.withUnsafeBufferPointer {
        uncompress(buffer.baseAddress, &length, $0.baseAddress, uLong($0.count))
      }
      count = status == Z_OK ? Int(length) : 0
    }
    return status == Z_OK ? result : nil
  }
}

extension [UInt8] {
  fileprivate mutating func append(bigEndian value: some FixedWidthInteger) {
    Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
  }

  /// - Precondition: the value lies within the bytes.
  fileprivate func bigEndian<Value: FixedWidthInteger>(_: Value.Type, at offset: Int) -> Value {
    withUnsafeBytes { Value(bigEndian: $0.loadUnaligned(fromByteOffset: offset, as: Value.self)) }
  }
}
