// The interval of a median, for figures whose shape nobody knows: latencies' per-round quantiles, memory with steps.

/// The bias-corrected and accelerated (BCa) bootstrap interval of the median.
///
/// Source: Efron, "Better bootstrap confidence intervals", Journal of the American Statistical Association 82(397),
/// 1987; the acceleration by jackknife and the formulas as in Efron and Tibshirani, "An Introduction to the Bootstrap",
/// 1993, section 14.3. Resampled medians that equal the sample's count by half.
///
/// Refused below 5 rounds: no interval between values of the sample covers the median with more than 1 - 2^(1-n), 75 %
/// at n = 3, and this one comes to 74 % there, to 93 % at 5.
/// - Parameters:
///   - values: one per round, finite.
///   - seed: of the resampling.
///   - resamples: with 9,999, the 2.5 % beyond either end are known to ± 0.2 %.
/// - Precondition: all values are finite, the level lies within 0 ... 1, and there are resamples.
public func medianInterval(
  _ values: [Double], level: Double = 0.95, seed: UInt64 = 0, resamples: Int = 9_999
) -> Result<Interval, NoInterval> {
  guard values.count >= Spread.roundsForInterval else {
    return .failure(.tooFewRounds(have: values.count, need: Spread.roundsForInterval))
  }
  return .success(bcaMedian(values, level: level, seed: seed, resamples: resamples))
}

/// ``medianInterval(_:level:seed:resamples:)`` without the refusal.
func bcaMedian(_ values: [Double], level: Double, seed: UInt64, resamples: Int) -> Interval {
  precondition(values.allSatisfy(\.isFinite), "figures are finite")
  precondition(level > 0 && level < 1 && resamples > 0 && !values.isEmpty, "0 < level < 1, and something to resample")
  let sorted = values.sorted()
  let n = sorted.count

  // A resample is how often each order statistic was drawn: its median needs no sorting.
  var generator = SplitMix64(seed: seed)
  var drawn = [Int](repeating: 0, count: n)
  var medians: [Double] = []
  medians.reserveCapacity(resamples)
  for _ in 0..<resamples {
    for index in 0..<n { drawn[index] = 0 }
    for _ in 0..<n { drawn[generator.index(below: n)] += 1 }
    medians.append(medianOfDrawn(drawn, sorted))
  }
  medians.sort()

  let estimate = medianOfSorted(sorted)
  let below = medians.count { $0 < estimate }
  let equal = medians.count { $0 == estimate }
  let share = (Double(below) + Double(equal) / 2) / Double(resamples)
  // All resamples on one side: nothing to correct the bias from.
  guard share > 0 && share < 1 else { return Interval(low: medians[0], high: medians[resamples - 1], level: level) }
  let bias = Normal.quantile(share)
  let acceleration = medianAcceleration(sorted)

  func end(_ probability: Double) -> Double {
    let z = bias + Normal.quantile(probability)
    let corrected = Normal.cumulative(bias + z / (1 - acceleration * z))
    // The percentile of B resamples is the (B + 1)p-th smallest.
    let rank = Int((corrected * Double(resamples + 1)).rounded())
    return medians[min(max(rank, 1), resamples) - 1]
  }
  return Interval(low: end((1 - level) / 2), high: end((1 + level) / 2), level: level)
}

private func medianOfSorted(_ sorted: [Double]) -> Double {
  let n = sorted.count
  return n % 2 == 1 ? sorted[n / 2] : sorted[n / 2 - 1] / 2 + sorted[n / 2] / 2
}

/// The median of a sample that holds `sorted[i]` as often as `drawn[i]` says.
private func medianOfDrawn(_ drawn: [Int], _ sorted: [Double]) -> Double {
  let n = sorted.count
  let lowRank = (n + 1) / 2
  var seen = 0
  var low = 0.0
  for index in 0..<n {
    let before = seen
    seen += drawn[index]
    if before < lowRank && seen >= lowRank {
      low = sorted[index]
      if n % 2 == 1 { return low }
    }
    if seen >= lowRank + 1 { return low / 2 + sorted[index] / 2 }
  }
  return low
}

/// A sixth of the skewness of the leave-one-out medians; 0 where they do not vary.
private func medianAcceleration(_ sorted: [Double]) -> Double {
  let without = sorted.indices.map { left in
    medianOfSorted(sorted.indices.filter { $0 != left }.map { sorted[$0] })
  }
  let mean = without.reduce(0, +) / Double(without.count)
  var squares = 0.0
  var cubes = 0.0
  for value in without {
    let deviation = mean - value
    squares += deviation * deviation
    cubes += deviation * deviation * deviation
  }
  return squares > 0 ? cubes / (6 * squares * squares.squareRoot()) : 0
}
