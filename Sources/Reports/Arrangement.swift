// What it is worth to run models side by side in rounds, and not one after the other in blocks: measured on equal things,
// whose ratio is known to be 1, so that all that is seen of a difference is error.
//
// Both arrangements are read from the same trials. A model and its copy are one program, and which trial is called whose
// is arbitrary: the first half of the rounds against the second half is what a run in blocks would have seen within the
// same time, with as many trials on either side as the rounds have.

import Glibc
import Statistics

struct Arrangement: Sendable {
  /// Comparisons behind it, and the cases and models that they are of.
  let comparisons: Int
  let cells: Int
  /// The error of the ratio that is seen at the end, as the absolute value of its logarithm: medians over comparisons.
  let interleavedError: Double
  let blockedError: Double
  /// The variance of that logarithm in blocks over that in rounds, each comparison in units of its own scatter.
  let ratio: VarianceRatio
  /// What a test of independent halves would have called different.
  let blocked: FalseAlarms

  /// - Returns: nil where nothing varied.
  init?(_ compared: [SelfComparison], level: Double) {
    let errors = compared.compactMap { Errors($0) }
    guard let interleaved = median(errors.map { abs($0.interleaved) }),
      let inBlocks = median(errors.map { abs($0.blocked) })
    else { return nil }
    comparisons = errors.count
    cells = Set(errors.map(\.comparison.id.cell)).count
    interleavedError = interleaved
    blockedError = inBlocks
    func variance(_ error: (Errors) -> Double) -> Double {
      errors.reduce(0) { $0 + pow(error($1) / $1.scatter, 2) } / Double(errors.count)
    }
    // The mean is known to be 0, so that no degree of freedom is spent on it.
    guard
      let ratio = VarianceRatio(variance(\.blocked), degrees: cells, to: variance(\.interleaved), degrees: cells)
    else { return nil }
    self.ratio = ratio
    let rejected = Set(errors.filter { $0.p <= level }.map(\.comparison.id))
    blocked = FalseAlarms(errors.map(\.comparison)) { rejected.contains($0.id) }
  }
}

/// The logarithm of the ratio of one comparison, as either arrangement sees it; the truth is 0.
private struct Errors {
  let comparison: SelfComparison
  let interleaved: Double
  let blocked: Double
  /// The standard deviation of the logarithm of the ratio within rounds.
  let scatter: Double
  /// Of Welch's test between the halves.
  let p: Double

  /// - Returns: nil below 4 rounds, or where the ratios do not vary.
  init?(_ comparison: SelfComparison) {
    guard let rounds = comparison.ratios?.rounds, rounds.count >= 4, let scatter = comparison.claim.test?.spread,
      scatter > 0
    else { return nil }
    // With an odd number of them the middle one is left out.
    let half = rounds.count / 2
    let early = rounds.prefix(half)
    let late = rounds.suffix(half)
    func values(_ rounds: ArraySlice<Int>) -> [Double] {
      rounds.flatMap { round in [comparison.base[round], comparison.head[round]].compactMap { $0 } }
    }
    func mean(_ values: [Double]) -> Double { values.reduce(0) { $0 + log($1) } / Double(values.count) }
    let rest = early + late
    interleaved =
      mean(rest.compactMap { comparison.head[$0] }) - mean(rest.compactMap { comparison.base[$0] })
    blocked = mean(values(late)) - mean(values(early))
    guard let test = try? RatioTest(independentBase: values(early), head: values(late)) else { return nil }
    p = test.p
    self.scatter = scatter
    self.comparison = comparison
  }
}
