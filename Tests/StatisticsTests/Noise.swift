// Seeded random numbers for tests: the same on every machine.

import Glibc

@testable import Statistics

struct Noise {
  private var generator: SplitMix64

  init(seed: UInt64) { generator = SplitMix64(seed: seed) }

  /// Strictly between 0 and 1.
  mutating func uniform() -> Double { (Double(generator.next() >> 11) + 0.5) * 0x1p-53 }

  /// 0 ..< bound.
  mutating func index(below bound: Int) -> Int { generator.index(below: bound) }

  /// Standard normal, by Box and Muller's transformation.
  mutating func normal() -> Double { (-2 * log(uniform())).squareRoot() * cos(2 * .pi * uniform()) }

  /// Mean 1.
  mutating func exponential() -> Double { -log(uniform()) }
}
