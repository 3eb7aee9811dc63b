// How to read a comparison: the rules by which it speaks, in the words of its tables.

import Statistics

extension Comparison {
  var legend: [String] {
    let level = "\(trimmed(rule.level * 100)) %"
    let power = "\(trimmed(rule.power * 100)) % power"
    let size = "\(trimmed((rule.smallestRatio - 1) * 100)) %"
    var legend = [
      "ratio: HEAD / BASE, of geometric means; its interval is Student's t (Welch) on logarithms, not corrected, from "
        + "\(Spread.roundsForInterval) rounds of each run on.",
      "BASE, HEAD: medians over the rounds that were ok, and how far the ends of their \(trimmed(Self.intervalLevel * 100)) % "
        + "interval lie from them (BCa bootstrap), or those of their range where there is none; n: the rounds of each.",
      "verdict: faster or slower where the corrected test (p, Holm) rejects \"equal\" at \(level), by the metric's own "
        + "direction: less is better of times, CPU and memory, more of throughput. no claim: it does not, though there "
        + "were rounds enough to find a difference of \(size) with \(power). cannot tell: there were not; needs: the "
        + "rounds of each run that would do.",
      "finds: the smallest difference that so many rounds with this spread find with \(power), for a claim that stands "
        + "alone in its family: what this comparison resolves. It and needs are computed as for paired rounds: up to three rounds "
        + "more than Welch's test takes.",
      "p: \(RatioTest.Design.independentRuns), which decides; p, ranks: the rank-sum test, exact up to \(RankSum.exactUpTo) rounds of both together, a check that never "
        + "does. Neither is corrected.",
      "counts: HEAD has MORE or fewer where the medians differ by more than ±: the ranges of both runs' rounds "
        + "together, at least \(trimmed(CountRule.share * 100)) % and \(trimmed(CountRule.least)) per operation; from "
        + "\(CountRule.rounds) rounds of each run on, or \(CountRule.roundsWhereSteady) where the ranges are within "
        + "the rest.",
    ]
    let figures = workloads.flatMap(\.cases).flatMap(\.figures)
    let standings = figures.flatMap { [$0.base.standing, $0.head.standing] }
    if standings.contains(.noClaim) { legend.append("~ carries no claim in its own run, for what a note says.") }
    if standings.contains(.lowerBound) { legend.append("≥ lower bound, of which no ratio is claimed.") }
    return legend
  }
}
