// What a capacity search says of one model, before any layout.

import ResultFormat
import Statistics

struct CapacitySummary: Sendable {
  /// A percentile, and whether it may be claimed.
  struct Percentile: Sendable {
    var nanoseconds: Double
    var isClaimed: Bool

    func text(_ unit: Double) -> String { (isClaimed ? "" : "~") + significant(nanoseconds / unit) }
  }

  /// One load of the curve: medians over its trials that have figures.
  struct Point: Sendable {
    var share: Double
    var offered: Double
    var answered: Double
    var goodput: Double
    /// 0 to 1.
    var goodShare: Double
    var p50: Percentile?
    var p99: Percentile?
    var p999: Percentile?
    /// The objective's.
    var objective: Percentile?
    var rigBusyShare: Double
    var verdict: String
    /// That have figures.
    var trials: Int
  }

  let model: CapacityModel
  let name: String
  /// Ascending.
  let points: [Point]
  let searchTrials: Int
  /// Whether any trial of the search had figures.
  let hasFigures: Bool
  /// (met, of those that tell) at the share to check.
  let check: (met: Int, of: Int)?
  let failures: [String]
  private let plan: CapacityPlan
  private let lastVoid: String?

  init(_ model: CapacityModel, of result: CapacityResult) {
    self.model = model
    plan = result.plan
    name = model.model.variant.map { "\(model.model.name) (\($0))" } ?? model.model.name
    let search = result.trials(of: model, at: nil)
    searchTrials = search.count
    hasFigures = search.contains { $0.trial.figures != nil }
    lastVoid = search.last { $0.judgement.verdict == .void }?.judgement.reason
    check = result.check(of: model)
    points = result.plan.curve.compactMap { share in
      Point(result.trials(of: model, at: share), share: share, plan: result.plan)
    }
    failures = Self.failures(result.trials.filter(model.isModel(of:)), name: name)
  }

  func point(at share: Double) -> Point? { points.first { $0.share == share } }

  /// Trials that ended in no figures, those of one state put together.
  private static func failures(_ trials: [CapacityTrial], name: String) -> [String] {
    let failed = trials.filter { $0.trial.state != .ok }
    return Dictionary(grouping: failed, by: \.trial.state).sorted { $0.key.rawValue < $1.key.rawValue }.map {
      state, group in
      let rates = group.map(\.rate)
      let range = "\(significant(rates.min() ?? 0)) to \(significant(rates.max() ?? 0)) requests/s"
      let example = group[0].trial.reason.map { ", the first: \(oneLine($0))" } ?? ""
      return "\(name): \(state.rawValue) (\(counted(group.count, "trial")) at \(range))\(example)"
    }
  }

  // MARK: - Words

  func capacityCell(_ unit: Double, lowest: Double) -> Cell {
    switch model.ending {
    case .found: model.capacity.map { Cell(text: significant($0.requestsPerSecond / unit)) } ?? Cell.none
    case .aboveHighest, .rigLimit: model.sustained.map { Cell(text: "≥" + significant($0 / unit)) } ?? Cell.none
    case .belowLowest: hasFigures ? Cell(text: "<" + significant(lowest / unit)) : Cell.none
    case .unsettled, .unsupported, nil: Cell.none
    }
  }

  var checkWords: String {
    guard let check else { return model.reference == nil ? "–" : "not known" }
    return (check.met * 2 > check.of ? "met" : "NOT MET") + " (\(check.met) of \(check.of))"
  }

  /// How the search ended, where the table alone does not say it.
  var ending: String? {
    let ends = [
      model.sustained.map { "sustained at \(significant($0))" }, model.missed.map { "missed at \(significant($0))" },
    ].compactMap { $0 }
    let bracket = ends.isEmpty ? "nothing is decided" : "\(ends.joined(separator: ", ")) requests/s"
    switch model.ending {
    case .found:
      guard let full = point(at: 1), full.rigBusyShare > 0.5 else { return nil }
      return "\(name): at its capacity the rig was busy for \(trimmed((full.rigBusyShare * 100).rounded())) % of the "
        + "window, so that a part of the latency is the rig's."
    case .belowLowest:
      guard hasFigures else { return "\(name): no answer: none of its trials gave figures." }
      return
        "\(name): below the lowest rate tried, \(significant(plan.lowestRate)) requests/s, at which a window holds "
        + "just enough requests for \(plan.objective.percentile); a longer --window goes lower."
    case .aboveHighest:
      return "\(name): at least \(significant(model.sustained ?? 0)) requests/s, the highest rate that "
        + "\(plan.rateParameter) allows."
    case .rigLimit:
      guard let sustained = model.sustained else {
        return "\(name): no answer: already the lowest rate is beyond the rig's own limit, not the model's."
      }
      return "\(name): at least \(significant(sustained)) requests/s: what lies above is the rig's own limit, not the "
        + "model's."
    case .unsettled:
      let last = lastVoid.map { " (the last void one: \(oneLine($0)))" } ?? ""
      return "\(name): no answer: \(oneLine(model.reason ?? "trials contradict each other"))\(last); \(bracket)."
    case .unsupported: return "\(name): unsupported: \(oneLine(model.reason ?? "no reason given"))"
    case nil: return "\(name): interrupted: \(bracket)."
    }
  }
}

extension CapacitySummary.Point {
  /// - Returns: nil if no trial has figures.
  init?(_ trials: [CapacityTrial], share: Double, plan: CapacityPlan) {
    // Void ones were made again.
    let telling = trials.filter { $0.judgement.verdict != .void }
    let kept = telling.isEmpty ? trials : telling
    let seen = kept.compactMap { trial -> (figures: Figures, found: Attainment, isClaimed: Bool)? in
      guard let figures = trial.trial.figures,
        let found = try? figures.attainment(of: plan.objective, in: plan.latencyClass)
      else { return nil }
      let isQuiet = (figures.rig?.busyShare ?? 0) <= 0.5
      return (figures, found, isQuiet && [.sustained, .missed].contains(trial.judgement.verdict))
    }
    func middle(_ value: (Figures, Attainment) -> Double?) -> Double? {
      median(seen.compactMap { value($0.figures, $0.found) })
    }
    func percentile(_ perTenThousand: Int) -> CapacitySummary.Percentile? {
      let slots = seen.compactMap { try? $0.figures.latencies[plan.latencyClass]?.slots() }
      let fewest = slots.map { $0.samples(beyondPerTenThousand: perTenThousand) }.min() ?? 0
      let values = slots.compactMap { $0.value(atPerTenThousand: perTenThousand) }.map { Double($0) }
      guard fewest >= 10, let value = median(values) else { return nil }
      return CapacitySummary.Percentile(
        nanoseconds: value,
        isClaimed: fewest >= LatencySummary.samplesBeyond && seen.allSatisfy(\.isClaimed))
    }
    guard let offered = middle({ figures, _ in figures.offeredPerSecond ?? figures.operationsPerSecond }),
      let answered = middle({ figures, _ in figures.operationsPerSecond }),
      let goodput = middle({ _, found in found.goodPerSecond }),
      let goodShare = middle({ _, found in Double(found.good) / Double(max(1, found.requests)) })
    else { return nil }
    self.share = share
    self.offered = offered
    self.answered = answered
    self.goodput = goodput
    self.goodShare = goodShare
    p50 = percentile(5_000)
    p99 = percentile(9_900)
    p999 = percentile(9_990)
    objective = percentile(plan.objective.perTenThousand)
    rigBusyShare = middle { figures, _ in figures.rig?.busyShare } ?? 0
    self.trials = seen.count
    let verdicts = Dictionary(kept.map { ($0.judgement.verdict, 1) }, uniquingKeysWith: +)
    verdict = CapacityVerdict.allCases.compactMap { kind in
      verdicts[kind].map { count in
        let word =
          switch kind {
          case .sustained: "met"
          case .missed: "missed"
          case .rigLimit: "the rig's limit"
          case .void: "void"
          }
        return kept.count == 1 ? word : "\(word) \(count)"
      }
    }.joined(separator: ", ")
  }
}
