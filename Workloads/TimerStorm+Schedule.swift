// timer-storm's schedule: how long each timer is armed for, and which slots the pacer cancels. It follows from the seed
// and from (slot, round) alone, so that it needs no memory and no order among threads.
//
// Exponential delays and cancels of slots drawn at random have no memory: the storm is stationary from its first moment
// at any number of slots, where timers armed with, say, uniform delays would all be young at first and the first fire
// of a million slots come after the window. And the pacer needs no queue of cancels to come, which would cost as much
// as the timers that are measured.

extension TimerStorm {
  public struct Schedule: Sendable {
    private let seed: UInt64
    private let outstanding: UInt64
    private let load: Parameters.Load
    private let isGated: Bool
    private let meanDelayNanoseconds: Double
    private let cancelsPerNanosecond: Double

    /// The longest delay of a paced timer, and that of every slot's first timer in a gated check: one hour.
    public static let longestDelayNanoseconds: UInt64 = 3_600_000_000_000

    /// - Parameters:
    ///   - seed: the trial's.
    ///   - isGated: every slot's first timer then waits for its cancel.
    public init(_ parameters: Parameters, seed: UInt64, isGated: Bool) {
      self.seed = SplitMix64.mix(seed)
      self.isGated = isGated
      outstanding = UInt64(parameters.outstanding)
      load = parameters.load
      switch parameters.load {
      case .paced(let rate, let cancelShare):
        meanDelayNanoseconds = Double(parameters.outstanding) * 1e9 / (rate * (1 - cancelShare))
        cancelsPerNanosecond = rate * cancelShare / 1e9
      case .flatOut:
        meanDelayNanoseconds = 0
        cancelsPerNanosecond = 0
      }
    }

    /// Nanoseconds from arming to the deadline.
    /// - Parameter round: the slot's timers so far, from 0.
    public func delay(slot: Int, round: Int) -> UInt64 {
      let word = SplitMix64.mix(
        SplitMix64.mix(seed &+ UInt64(truncatingIfNeeded: slot)) &+ UInt64(truncatingIfNeeded: round))
      guard case .paced = load else { return 60_000_000_000 + word % 60_000_000_000 }
      if isGated && round == 0 { return Self.longestDelayNanoseconds }
      // With cancelShare = 1 the mean is infinite, and infinity times 0 is not a number, which is less than nothing.
      let delay = naturalLogarithm(1 - SplitMix64.unit(word)) * -meanDelayNanoseconds
      guard delay < Double(Self.longestDelayNanoseconds) else { return Self.longestDelayNanoseconds }
      return UInt64(delay)
    }

    /// With load=paced: cancels that must have been tried that long after the pacer's start.
    public func cancelsDue(afterNanoseconds elapsed: UInt64) -> Int { Int(Double(elapsed) * cancelsPerNanosecond) }

    /// With load=paced: the slot whose timer the pacer's cancel of that number, from 0, is for.
    public func slot(ofCancel number: Int) -> Int {
      Int(SplitMix64.mix(~seed &+ UInt64(truncatingIfNeeded: number)) % outstanding)
    }
  }

  /// ln x for 0 < x <= 1, to 12 digits: this room imports no mathematics. With x = m * 2^e and m near 1, the series of
  /// 2 artanh((m - 1) / (m + 1)) converges by a factor of 34 a term.
  static func naturalLogarithm(_ x: Double) -> Double {
    var exponent = Double(x.exponent)
    var significand = x.significand
    if significand > 1.4142135623730951 {
      significand /= 2
      exponent += 1
    }
    let ratio = (significand - 1) / (significand + 1)
    let square = ratio * ratio
    var series = 0.0
    var divisor = 17.0
    while divisor > 0 {
      series = series * square + 1 / divisor
      divisor -= 2
    }
    return exponent * 0.6931471805599453 + 2 * ratio * series
  }
}
