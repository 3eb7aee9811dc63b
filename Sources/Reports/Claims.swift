// The claims of a run, judged: for each workload the family that its plan declared (headline metrics × pairs of rows),
// each claim tested on the ratios within rounds and corrected for the whole family. Made once, for every format.

import Glibc
import ResultFormat
import Statistics

/// A declared claim, and what may be said of it.
struct JudgedClaim: Sendable {
  enum Outcome: Sendable, Hashable {
    case judged(Verdict)
    /// Not made whatever the test says, and why: decided from the trials' warnings, never from the ratio.
    case withheld(String)
  }
  let declared: DeclaredClaim
  let better: Statistics.Better
  let familySize: Int
  /// On the rounds in which both have the figure, also where the claim is withheld; nil below 2 of them.
  let test: RatioTest?
  /// As ``Claim/adjustedP``.
  let adjustedP: Double
  let check: SignedRank?
  let roundsNeeded: Int?
  let testName: String
  let outcome: Outcome

  /// Which of the two has the better figures, claimed or not; nil where nothing was measured.
  var headIsAhead: Bool? { test.map { ($0.meanLogRatio > 0) == (better == .higher) } }
  var ahead: RowName { headIsAhead == true ? declared.pair.head : declared.pair.base }
  var behind: RowName { headIsAhead == true ? declared.pair.base : declared.pair.head }

  var isWithheld: Bool {
    if case .withheld = outcome { return true }
    return false
  }

  /// Whether the one ahead is claimed to be.
  var isMade: Bool { outcome == .judged(.faster) || outcome == .judged(.slower) }

  /// How many times better the one ahead is: at least 1, whichever way the metric goes.
  var factor: Double? { test.map { exp(abs($0.meanLogRatio)) } }
  func factorInterval(level: Double) -> (low: Double, high: Double)? {
    guard let test, let interval = try? test.interval(level: level).get() else { return nil }
    return test.meanLogRatio < 0 ? (1 / interval.high, 1 / interval.low) : (interval.low, interval.high)
  }
}

/// The claims on one headline metric of one case.
struct HeadlineClaims: Sendable {
  let headline: ResultFormat.ClaimFamily
  let title: String
  /// What the better of two is called: `faster`, `cheaper`, `smaller`.
  let comparative: String
  /// Rows that have figures, by their geometric means, best first.
  let ranked: [RowName]
  /// Those of rows without failures.
  let sound: Set<RowName>
  /// In the order of declaration.
  let claims: [JudgedClaim]
  let resolution: CaseResolution

  /// Of the claim's own metric, by this run and by the host's calibration.
  var resolved: (own: Double?, calibrated: Double?) {
    let key = Metric.key(ofHeadline: headline.metric)
    return (resolution.own[key], resolution.calibrated[key])
  }

  func claim(_ a: RowName, _ b: RowName) -> JudgedClaim? {
    claims.first {
      ($0.declared.pair.base == a && $0.declared.pair.head == b)
        || ($0.declared.pair.base == b && $0.declared.pair.head == a)
    }
  }

  /// Those that follow the contract, if any do: they alone can lead. Best first.
  var contenders: [RowName] {
    let strict = ranked.filter { $0.variant == nil }
    return strict.isEmpty ? ranked : strict
  }

  /// Contenders that no claim puts behind another: one of them is the best, as far as this run can tell, of those whose
  /// figures carry a claim.
  var leaders: [RowName] {
    let contenders = self.contenders
    let beaten = Set(claims.filter { $0.isMade && contenders.contains($0.ahead) }.map(\.behind))
    return contenders.filter { row in
      !beaten.contains(row)
        && claims.contains { !$0.isWithheld && ($0.declared.pair.base == row || $0.declared.pair.head == row) }
    }
  }
}

/// The family of one workload.
struct WorkloadClaims: Sendable {
  private typealias Family = Statistics.ClaimFamily<DeclaredClaim>

  let workload: String
  let rule: DecisionRule
  let familySize: Int
  let headlines: [HeadlineClaims]

  var claims: [JudgedClaim] { headlines.flatMap(\.claims) }
  var fewestRounds: Int { rule.fewestRounds(familySize: familySize) }
  var mostRounds: Int { claims.compactMap(\.test?.rounds).max() ?? 0 }
  /// Whether no claim could be made, whatever the figures.
  var hasTooFewRounds: Bool { mostRounds < fewestRounds }

  /// By workload, in the order of the plan; none where the plan claims nothing.
  static func all(of run: Run, _ cases: [CaseSummary]) -> [WorkloadClaims] {
    guard run.plan.claims else { return [] }
    var workloads: [String] = []
    for headline in run.plan.families where !workloads.contains(headline.workload) {
      workloads.append(headline.workload)
    }
    return workloads.compactMap { WorkloadClaims($0, of: run, cases) }
  }

  private init?(_ workload: String, of run: Run, _ cases: [CaseSummary]) {
    let declared = run.declaredClaims(of: workload)
    guard !declared.isEmpty else { return nil }
    self.workload = workload
    let rule = DecisionRule()
    self.rule = rule
    familySize = declared.count
    let summaries = Dictionary(cases.map { ($0.planned.name, $0) }, uniquingKeysWith: { first, _ in first })

    var ratios: [DeclaredClaim: LogRatios] = [:]
    var evidence: [DeclaredClaim: Family.Evidence] = [:]
    var withheld: [DeclaredClaim: String] = [:]
    for claim in declared {
      guard let summary = summaries[claim.case] else { continue }
      do throws(NoComparison) {
        let found = try LogRatios(
          base: summary.headlineValues(claim.metric, of: claim.pair.base),
          head: summary.headlineValues(claim.metric, of: claim.pair.head))
        ratios[claim] = found
        withheld[claim] = summary.reasonToWithhold(claim)
        if withheld[claim] == nil { evidence[claim] = Family.Evidence(found) }
      } catch {
        withheld[claim] = error.description
      }
    }
    let family = Family(declared.map { (id: $0, better: Metric.better(ofHeadline: $0.metric)) }, rule: rule)
    let judged = family.judge(evidence).map { claim in
      let found = ratios[claim.id]
      let test = found.flatMap { RatioTest($0) }
      var outcome = JudgedClaim.Outcome.judged(claim.verdict)
      if let reason = withheld[claim.id] {
        outcome = .withheld(reason)
      } else if let reason = summaries[claim.id.case]?.reasonAgainst(claim) {
        outcome = .withheld(reason)
      }
      return JudgedClaim(
        declared: claim.id, better: claim.better, familySize: claim.familySize, test: test,
        adjustedP: claim.adjustedP, check: found.flatMap { $0.count > 0 ? SignedRank($0) : nil },
        roundsNeeded: claim.roundsNeeded, testName: claim.testName, outcome: outcome)
    }
    headlines = run.plan.families.filter { $0.workload == workload }.compactMap { headline in
      let own = judged.filter { $0.declared.case == headline.case && $0.declared.metric == headline.metric }
      guard !own.isEmpty, let summary = summaries[headline.case] else { return nil }
      return HeadlineClaims(headline, own, summary)
    }
  }
}

extension HeadlineClaims {
  fileprivate init(_ headline: ResultFormat.ClaimFamily, _ claims: [JudgedClaim], _ summary: CaseSummary) {
    self.headline = headline
    self.claims = claims
    title = summary.title(ofHeadline: headline.metric)
    comparative = Metric.comparative(ofHeadline: headline.metric)
    resolution = summary.resolution
    let compared = Set(claims.flatMap { [$0.declared.pair.base, $0.declared.pair.head] })
    let means = summary.rows.compactMap { row -> (row: RowName, mean: Double)? in
      let name = RowName(row.model)
      guard compared.contains(name) else { return nil }
      return geometricMean(Array(summary.headlineValues(headline.metric, of: name).values)).map { (name, $0) }
    }
    let isHigherBetter = Metric.better(ofHeadline: headline.metric) == .higher
    ranked = means.sorted { isHigherBetter ? $0.mean > $1.mean : $0.mean < $1.mean }.map(\.row)
    sound = Set(summary.rows.filter(\.hasNoFailure).map { RowName($0.model) })
  }
}

// MARK: - From trials to claims

extension CaseSummary {
  func row(_ name: RowName) -> RowSummary? { rows.first { RowName($0.model) == name } }

  /// A headline metric by round, of the trials that are ok.
  func headlineValues(_ metric: String, of name: RowName) -> [Int: Double] {
    row(name)?.values { $0.value(of: metric) } ?? [:]
  }

  /// Why nothing is claimed of a pair before its ratio is looked at; nil where something may be.
  fileprivate func reasonToWithhold(_ claim: DeclaredClaim) -> String? {
    let rows = [claim.pair.base, claim.pair.head]
    if let row = rows.first(where: { standing(claim.metric, of: $0) == .noClaim }) {
      return "the figure of \(row) carries no claim (~)"
    }
    if rows.allSatisfy({ standing(claim.metric, of: $0) == .lowerBound }) {
      return "both are lower bounds (≥)"
    }
    return nil
  }

  /// Why a claim is not made in this direction: of a figure that is a lower bound, nobody knows that it is the lower one.
  fileprivate func reasonAgainst(_ claim: Claim<DeclaredClaim>) -> String? {
    let worse: RowName
    switch claim.verdict {
    case .faster: worse = claim.id.pair.base
    case .slower: worse = claim.id.pair.head
    case .noClaim, .tooFewRounds: return nil
    }
    return standing(claim.id.metric, of: worse) == .lowerBound ? "the figure of \(worse) is a lower bound (≥)" : nil
  }

  private func standing(_ metric: String, of name: RowName) -> Standing {
    row(name)?.metrics[Metric.key(ofHeadline: metric)]?.standing ?? .claimed
  }
}
