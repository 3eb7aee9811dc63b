// How claims are shown to people: first, on one page, who leads where; then for each workload every claim of its family,
// the better of the two named first.

import ResultFormat
import Statistics

extension Document.Section {
  /// A table for each headline; one sentence where the rounds allow no claim at all.
  init(_ family: WorkloadClaims) {
    name = "\(family.workload): claims"
    question = "Which differences between models hold?"
    let size = counted(family.familySize, "claim")
    setting = ["a family of \(size)", "at most \(trimmed(family.rule.level * 100)) % risk that any is false"]
    tables = []
    idioms = []
    failures = []
    notes = []
    guard !family.hasTooFewRounds else {
      setting.append("TOO FEW ROUNDS for any: \(family.mostRounds), and \(family.fewestRounds) are the least")
      return
    }
    tables = family.headlines.map { Table($0, of: family) }
    if let name = family.claims.first?.testName { notes.append("Every verdict is by the \(name).") }
    notes += family.reservations
  }

  /// Who leads on every headline; nil where nothing is claimed.
  init?(leadersOf families: [WorkloadClaims], among models: [PlannedModel]) {
    let families = families.filter { !$0.hasTooFewRounds }
    guard !families.isEmpty else { return nil }
    name = "Who leads"
    question = "How many times worse than the best is each model, and who may be the best?"
    setting = [
      "◆ claimed to be better than every other", "~ not claimed to be worse than the best",
      "leads: nobody is claimed to be better, of those that carry a claim",
    ]
    let rows = models.map { RowName($0) }
    var table = Table(
      caption: "", columns: [Table.Column(title: "headline", isNumeric: false)], rows: [])
    table.columns += rows.map { Table.Column(title: oneLine($0.description)) }
    table.columns += [Table.Column(title: "resolves"), Table.Column(title: "leads", isNumeric: false)]
    var counts: [Int] = []
    for headline in families.flatMap(\.headlines) {
      counts += headline.claims.compactMap(\.test?.rounds)
      var cells = [Cell(text: "\(headline.headline.case) \(headline.title)")]
      cells += rows.map { headline.standing(of: $0) }
      cells.append(Cell(text: headline.resolved.own.map { "×\(significant($0))" } ?? "–"))
      cells.append(Cell(text: headline.leadersInWords))
      table.rows.append(cells)
    }
    let rounds = Table.roundCount(counts.min() ?? 0, counts.max() ?? 0)
    table.caption =
      "Ratios to the best · n = \(rounds) · 95 % intervals stand with the claims of each workload · "
      + "\(RatioTest.Design.pairedWithinRounds), corrected by Holm for each workload's family"
    tables = [table]
    idioms = []
    failures = []
    notes = []
  }
}

extension HeadlineClaims {
  /// `◆ 1` or `1` for the best, `×1.24` for others.
  fileprivate func standing(of row: RowName) -> Cell {
    guard let best = contenders.first, ranked.contains(row) else { return .none }
    guard row != best else {
      let opponents = contenders.dropFirst().map { claim(best, $0) }
      let leadsAll = !opponents.isEmpty && opponents.allSatisfy { $0?.isMade == true && $0?.ahead == best }
      return Cell(text: leadsAll && sound.contains(best) ? "◆ 1" : "1")
    }
    guard let claim = claim(best, row), let factor = claim.factor else { return .none }
    // By the rounds that both have, the order may be another than by all.
    let ratio = claim.ahead == best ? factor : 1 / factor
    return Cell(text: "\(claim.isMade ? "" : "~")×\(significant(ratio))")
  }

  fileprivate var leadersInWords: String {
    if claims.allSatisfy(\.isWithheld) { return "not claimed" }
    let leaders = self.leaders
    if leaders.count > 1 && leaders.count == contenders.count { return "not told apart" }
    return leaders.isEmpty ? "–" : leaders.map { oneLine($0.description) }.joined(separator: ", ")
  }
}

extension JudgedClaim {
  /// `faster`, or why nothing is said.
  fileprivate func verdict(_ comparative: String) -> String {
    switch outcome {
    case .withheld: "not claimed"
    case .judged(.faster), .judged(.slower): comparative
    case .judged(.noClaim): "no claim"
    case .judged(.tooFewRounds): "cannot tell: too few rounds"
    }
  }
}

extension Table {
  fileprivate init(_ headline: HeadlineClaims, of family: WorkloadClaims) {
    let level = 1 - family.rule.level
    columns = [
      Column(title: "better / worse", isNumeric: false), Column(title: "times"),
      Column(title: "\(trimmed(level * 100)) % t interval"), Column(title: "n"), Column(title: "would do"),
      Column(title: "p (t, Holm for \(family.familySize))"), Column(title: "p (Wilcoxon)"),
      Column(title: "claim", isNumeric: false),
    ]
    let order = Dictionary(
      headline.ranked.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
    func place(_ claim: JudgedClaim) -> (Int, Int) {
      (order[claim.ahead] ?? .max, order[claim.behind] ?? .max)
    }
    rows = headline.claims.sorted { place($0) < place($1) }.map { claim in
      let pair = "\(oneLine(claim.ahead.description)) / \(oneLine(claim.behind.description))"
      let needed = claim.isWithheld ? "–" : claim.roundsNeeded.map(grouped) ?? "∞"
      let interval = claim.factorInterval(level: level).map { "\(significant($0.low)) to \(significant($0.high))" }
      let texts: [String] = [
        pair, claim.factor.map { "×\(significant($0))" } ?? "–", interval ?? "–", "\(claim.test?.rounds ?? 0)", needed,
        claim.isWithheld ? "–" : probability(claim.adjustedP), claim.check.map { probability($0.p) } ?? "–",
        claim.verdict(headline.comparative),
      ]
      return texts.map { Cell(text: $0) }
    }
    let counts = headline.claims.map { $0.test?.rounds ?? 0 }
    caption = "\(headline.title) on \(headline.headline.case) · n = "
    caption += Self.roundCount(counts.min() ?? 0, counts.max() ?? 0)
    if let own = headline.resolved.own { caption += " · resolves ×\(significant(own))" }
    if let calibrated = headline.resolved.calibrated { caption += " · A/A ×\(significant(calibrated))" }
  }
}

extension WorkloadClaims {
  /// What a reader of the claims has to know besides: claims withheld, checks that disagree, models with failures.
  fileprivate var reservations: [String] {
    var notes: [String] = []
    for headline in headlines {
      let place = "\(headline.title) on \(headline.headline.case)"
      var reasons: [String] = []
      for claim in headline.claims {
        if case .withheld(let reason) = claim.outcome, !reasons.contains(reason) { reasons.append(reason) }
      }
      if !reasons.isEmpty {
        let all = headline.claims.allSatisfy(\.isWithheld)
        notes.append(
          "\(place): \(all ? "nothing is claimed" : "some claims are not made"): \(oneLine(reasons.joined(separator: "; ")))."
        )
      }
      let doubtful = headline.claims.filter { $0.isMade && ($0.check?.p ?? 1) > rule.level }
      if !doubtful.isEmpty {
        let pairs = doubtful.map { "\($0.ahead) / \($0.behind)" }.joined(separator: ", ")
        notes.append(
          "\(place): the Wilcoxon check does not bear out \(oneLine(pairs)): a few rounds carry the whole claim.")
      }
      let failing = headline.ranked.filter { !headline.sound.contains($0) }
      if !failing.isEmpty {
        notes.append(
          "\(place): not all trials of \(oneLine(failing.map(\.description).joined(separator: ", "))) were ok; its claims "
            + "are of the rounds that were.")
      }
    }
    return notes
  }
}

extension Document {
  /// What the rounds of a plan can claim, in one sentence.
  static func claimSummary(_ run: Run, _ families: [WorkloadClaims]) -> String? {
    let sizes = Set(run.plan.families.map(\.workload)).map { run.declaredClaims(of: $0).count }.filter { $0 > 0 }
    guard let largest = sizes.max() else { return nil }
    guard run.plan.claims else {
      let least = DecisionRule().fewestRounds(familySize: largest)
      return "Claims take the standard preset or more, uncut, and with these models at least \(least) rounds."
    }
    let claims = families.flatMap(\.claims)
    var counts: [(Int, String)] = [(claims.count(where: \.isMade), "hold")]
    counts.append((claims.count { $0.outcome == .judged(.noClaim) }, "do not"))
    counts.append((claims.count(where: \.isUndecided), "cannot be told with so few rounds"))
    counts.append((claims.count(where: \.isWithheld), "are withheld"))
    let parts = counts.filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
    let declared =
      run.plan.pairs != nil
      ? "\(claims.count == 1 ? "was" : "were") declared beforehand"
      : "by the headline metrics of the plan, from before plans declared pairs"
    return
      "\(counted(claims.count, "claim")) \(declared), corrected per workload: "
      + "\(parts.joined(separator: ", "))."
  }
}

extension JudgedClaim {
  fileprivate var isUndecided: Bool {
    if case .judged(.tooFewRounds) = outcome { return true }
    return false
  }
}
