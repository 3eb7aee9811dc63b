// How to read claims and resolutions.

import ResultFormat
import Statistics

extension Document {
  static func resolutions(_ claims: [WorkloadClaims], _ calibration: HostResolution?) -> [String] {
    let rule = DecisionRule()
    var legend = [
      "resolves: the smallest ratio between two rows that a claim would find with \(trimmed(rule.power * 100)) % "
        + "probability in these rounds, corrected for its workload's family, by the spread of the ratios within the rounds "
        + "of this run."
    ]
    if let calibration {
      legend.append(
        "A/A: the same by the spread of models compared with themselves on this host (\(calibration.measuredAt.prefix(10)), "
          + "\(counted(calibration.rounds, "round")) of \(calibration.windowWords) s).")
    }
    return legend
  }

  static func claims(_ families: [WorkloadClaims]) -> [String] {
    guard let rule = families.first?.rule else { return [] }
    return [
      "times: how many times better the first of two is, the geometric mean of the ratios within rounds.",
      "would do: rounds that find a ratio of \(trimmed(rule.smallestRatio)) with \(trimmed(rule.power * 100)) % probability, by "
        + "the spread that was seen; no claim: they were there; cannot tell: they were not.",
      "p (t, Holm ...) decides, at \(trimmed(rule.level * 100)) % for each workload's family: the \(RatioTest.Design.pairedWithinRounds), "
        + "corrected by Holm. p (Wilcoxon) is the signed-rank test, exact up to \(SignedRank.exactUpTo) rounds, uncorrected: a check that never decides.",
      "Drifts, steps and odd rounds are reported and never removed; chance alone shows one in up to 7 % of the series.",
    ]
  }
}

extension HostResolution {
  /// `2`, `2 to 6`.
  fileprivate var windowWords: String {
    let windows = figures.map(\.windowSeconds)
    let (shortest, longest) = (trimmed(windows.min() ?? 0), trimmed(windows.max() ?? 0))
    return shortest == longest ? longest : "\(shortest) to \(longest)"
  }
}

extension Plan {
  /// The headline metrics that the plan declares for a case.
  func headlines(of name: String) -> [String] { families.filter { $0.case == name }.map(\.metric) }
}
