// CPU work that every model can do alike: a fixed number of iterations of one function, whose code stands in
// PROTOCOL.md too. How many iterations take a millisecond is calibrated once per run and sent with each trial.

public enum CPUWork {
  /// Burns CPU: each iteration is one step of SplitMix64's output function fed with its own result, a dependent chain of
  /// multiplications and shifts that no compiler can shorten, touch no memory and take the same time for every input.
  /// - Parameters:
  ///   - seed: where the chain starts; different seeds give different results.
  ///   - iterations: 0 or more.
  /// - Returns: the chain's end, to be put into a checksum, so that the work cannot be left out.
  @inlinable
  public static func burn(seed: UInt64, iterations: Int) -> UInt64 {
    var value = seed
    for _ in 0..<max(0, iterations) { value = SplitMix64.mix(value) }
    return value
  }

  /// Iterations that take that long, rounded.
  /// - Parameter iterationsPerMillisecond: the calibrated speed.
  @inlinable
  public static func iterations(nanoseconds: Int, iterationsPerMillisecond: Int) -> Int {
    Int((Double(nanoseconds) * Double(iterationsPerMillisecond) / 1e6).rounded())
  }
}
