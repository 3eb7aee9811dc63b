// The rate at which half of the trials still pass, from trials that passed or failed. All that is assumed is that a
// higher rate is never easier. A logistic curve would assume its shape as well, and has no estimate where all passes lie
// below all failures, which is what a model with a sharp limit gives. A bootstrap of the monotone fit is no way either:
// it does not converge to the right distribution (Sen, Banerjee and Woodroofe, "Inconsistency of bootstrap: the Grenander
// estimator", Annals of Statistics 38(4), 2010), and where passes and failures do not overlap it has no width at all.

import Glibc

/// The rate at which half of the trials pass, and the interval of that rate.
public struct PassingThreshold: Sendable, Hashable {
  /// Between the highest rate at which the fit says that half pass or more, and the lowest at which half or fewer do; nil
  /// where it crosses one half nowhere.
  public let estimate: Double?
  /// The interval's ends are rates that were tried; nil where the trials do not bound it on that side.
  public let low: Double?
  public let high: Double?
  /// 0.95 for a 95 % interval.
  public let level: Double

  /// The monotone fit is the one of greatest likelihood (Ayer, Brunk, Ewing, Reid and Silverman, "An empirical
  /// distribution function for sampling with incomplete information", Annals of Mathematical Statistics 26(4), 1955). The
  /// interval holds every rate at which the likelihood ratio does not reject "half of the trials pass here": Banerjee and
  /// Wellner, "Likelihood ratio tests for monotone functions", Annals of Statistics 29(6), 2001, and "Confidence intervals
  /// for current status data", Scandinavian Journal of Statistics 32(3), 2005.
  ///
  /// Their limit for many trials rejects above 2.27 at 95 %. With the three dozen of a search that covers as little as
  /// 84 %, where passes and failures overlap widely; the 3.84 of chi-squared with one degree of freedom, taken here, covers
  /// 97 % and more as long as a trial's own threshold scatters by up to 10 %, and 92 % at 20 % (simulated: see the tests
  /// of ``RateSearch``). In plain words: where no pass lies above a failure, the
  /// interval goes from the third pass from above to the third failure from below.
  /// - Precondition: all rates are positive and finite, and the level lies within 0 ... 1.
  public init(_ trials: [(rate: Double, passes: Bool)], level: Double = 0.95) {
    precondition(trials.allSatisfy { $0.rate > 0 && $0.rate.isFinite }, "rates are positive and finite")
    precondition(level > 0 && level < 1, "a level lies within 0 ... 1")
    self.level = level
    let groups = Dictionary(grouping: trials, by: \.rate).sorted { $0.key < $1.key }.map { rate, trials in
      Group(rate: rate, count: trials.count, passes: trials.count(where: \.passes))
    }
    let fit = nonincreasingShares(groups)
    // The two change sides where the fit is one half over a range: its middle then.
    if let below = groups.indices.last(where: { fit[$0] >= 0.5 }),
      let above = groups.indices.first(where: { fit[$0] <= 0.5 })
    {
      estimate = (groups[below].rate * groups[above].rate).squareRoot()
    } else {
      estimate = nil
    }

    let quantile = Normal.quantile((1 + level) / 2)
    let rejected = quantile * quantile
    let best = logLikelihood(groups, fit)
    // Between two neighbouring rates the ratio is the same everywhere. Gap i lies below group i.
    let accepted = (0...groups.count).filter { gap in
      let below = nonincreasingShares(Array(groups[..<gap])).map { max($0, 0.5) }
      let above = nonincreasingShares(Array(groups[gap...])).map { min($0, 0.5) }
      return 2 * (best - logLikelihood(groups, below + above)) <= rejected
    }
    // The gap in which the fit crosses one half is accepted always: its ratio is 0.
    guard let first = accepted.first, let last = accepted.last else {
      preconditionFailure("the likelihood is greatest in some gap")
    }
    low = first > 0 ? groups[first - 1].rate : nil
    high = last < groups.count ? groups[last].rate : nil
  }
}

/// The trials at one rate.
private struct Group {
  var rate: Double
  var count: Int
  var passes: Int
}

/// The share that passes at each rate, as likely as can be among those that never rise: neighbours that would rise are
/// pooled (the pool-adjacent-violators algorithm, Ayer and others 1955).
private func nonincreasingShares(_ groups: [Group]) -> [Double] {
  var blocks: [(count: Int, passes: Int, groups: Int)] = []
  for group in groups {
    blocks.append((group.count, group.passes, 1))
    while blocks.count > 1 {
      let last = blocks[blocks.count - 1]
      let before = blocks[blocks.count - 2]
      guard before.passes * last.count < last.passes * before.count else { break }
      blocks.removeLast(2)
      blocks.append((before.count + last.count, before.passes + last.passes, before.groups + last.groups))
    }
  }
  return blocks.flatMap { block in
    Array(repeating: Double(block.passes) / Double(block.count), count: block.groups)
  }
}

private func logLikelihood(_ groups: [Group], _ shares: [Double]) -> Double {
  zip(groups, shares).reduce(0) { sum, pair in
    let (group, share) = pair
    // What never happened at a rate says nothing, and its logarithm may be infinite.
    let passes = group.passes == 0 ? 0 : Double(group.passes) * log(share)
    let failures = group.passes == group.count ? 0 : Double(group.count - group.passes) * log(1 - share)
    return sum + passes + failures
  }
}
