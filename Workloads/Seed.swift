// Seeds: schedules, service times and orders repeat exactly because each draw depends on the seed and on what is
// drawn for, never on what was drawn before.

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014): one addition and
/// three xor-multiply steps, equidistributed over 64 bits.
public struct SplitMix64: RandomNumberGenerator, Sendable {
  private var state: UInt64

  public init(seed: UInt64) { state = seed }

  @inlinable
  public static func mix(_ value: UInt64) -> UInt64 {
    var z = value &+ 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  public mutating func next() -> UInt64 {
    defer { state &+= 0x9E37_79B9_7F4A_7C15 }
    return Self.mix(state)
  }

  /// A number in 0 ..< 1 made from the upper 53 bits of `word`.
  @inlinable
  public static func unit(_ word: UInt64) -> Double { Double(word >> 11) * 0x1p-53 }
}
