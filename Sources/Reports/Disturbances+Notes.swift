// What the rounds show beyond scatter, in sentences below a case's tables. Every round stays in every figure: the rule
// was declared before the data.

import ResultFormat
import Statistics

extension CaseSummary {
  /// Drifts, steps and odd rounds of the headline metrics; one line for each kind.
  func disturbances(_ headlines: [String]) -> [String] {
    var drifts: [String] = []
    var steps: [String] = []
    var outliers: [String] = []
    for headline in headlines {
      for row in rows {
        let series = headlineValues(headline, of: RowName(row.model)).sorted { $0.key < $1.key }
        let found = Disturbances(series.map(\.value))
        let name = "\(title(ofHeadline: headline)) of \(oneLine(row.name))"
        if let drift = found.drift {
          // A slope that comes to more than the figure itself is no percentage of it.
          let change = drift.relativeChange.flatMap {
            abs($0) > 1 ? nil : "\($0 < 0 ? "" : "+")\(significant($0 * 100)) %"
          }
          let course = change ?? (drift.slopePerRound < 0 ? "falling" : "rising")
          drifts.append("\(name) \(course) (p \(probability(drift.test.p)))")
        }
        if let step = found.step {
          let ratio = step.ratio.map { " ×\(significant($0))" } ?? ""
          let round = series[step.test.firstAfter].key
          steps.append("\(name)\(ratio) from round \(round) (p \(probability(step.test.p)))")
        }
        if !found.outliers.isEmpty {
          let middle = median(series.map(\.value)) ?? 0
          let odd = found.outliers.map { outlier in
            let ratio = middle > 0 ? significant(outlier.value / middle) : ""
            // What differs in the fourth digit only is odd for how little the others differ.
            let shown = ratio.isEmpty || ratio == "1.00" ? "" : " (×\(ratio))"
            return "\(series[outlier.index].key)\(shown)"
          }
          outliers.append("\(name) in \(odd.joined(separator: ", "))")
        }
      }
    }
    return [
      ("Drift over the rounds (Mann-Kendall)", drifts), ("Step between rounds (Pettitt)", steps),
      ("Odd rounds (modified z score), ratio to the median", outliers),
    ].compactMap { kind, found in found.isEmpty ? nil : "\(kind): \(found.joined(separator: "; ")). None was left out."
    }
  }
}
