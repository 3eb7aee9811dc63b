// SplitMix64 against the published sequence.

import Testing
import Workloads

@Suite struct SeedTests {
  /// The first five outputs for the seed 1234567, as Rosetta Code lists them for the reference implementation
  /// (Sebastiano Vigna, https://prng.di.unimi.it/splitmix64.c).
  @Test func `gives the published sequence`() {
    var generator = SplitMix64(seed: 1_234_567)
    let expected: [UInt64] = [
      6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423, 4_593_380_528_125_082_431,
      16_408_922_859_458_223_821,
    ]
    #expect((0..<5).map { _ in generator.next() } == expected)
  }

  @Test func `a draw can be computed from its place alone`() {
    var generator = SplitMix64(seed: 42)
    for place in 0..<100 as Range<UInt64> {
      #expect(generator.next() == SplitMix64.mix(42 &+ place &* 0x9E37_79B9_7F4A_7C15))
    }
  }

  @Test func `words become numbers from 0 up to and without 1`() {
    #expect(SplitMix64.unit(0) == 0)
    #expect(SplitMix64.unit(.max) == 1 - 0x1p-53)
    #expect(SplitMix64.unit(1 << 63) == 0.5)
  }
}
