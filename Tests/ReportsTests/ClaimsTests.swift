// What is claimed of figures that are known: verdicts, families, what is withheld and what is refused.

import Glibc
import ResultFormat
import Statistics
import Testing

@testable import Reports

private func families(_ run: Run) -> [WorkloadClaims] {
  WorkloadClaims.all(of: run, run.plan.cases.map { CaseSummary($0, of: run) })
}

private func claims(_ run: Run) -> [JudgedClaim] { families(run).flatMap(\.claims) }

/// Rounds that scatter by a factor of 1 ± `by`, up and down in turn.
private func scatter(_ round: Int, _ by: Double) -> Double { round % 2 == 0 ? 1 + by : 1 / (1 + by) }

@Test("a difference is claimed by the paired test within rounds, with its ratio and its interval")
func claimed() throws {
  // What hits a whole round hits both models alike, and is gone in the ratio.
  let run = madeUpRun(models: ["a", "b"], rounds: 12) { _, model, round in
    let weather = Double(round)
    return MadeUpFigures(
      throughput: model == "a" ? 1_000 * weather : 1_100 * weather * scatter(round, 0.01))
  }
  let claim = try #require(claims(run).first)
  #expect(claim.outcome == .judged(.faster) && claim.isMade && claim.familySize == 1)
  #expect(
    claim.declared.pair == ClaimPair(base: RowName(model: "a", variant: nil), head: RowName(model: "b", variant: nil)))
  #expect(claim.ahead.model == "b" && claim.behind.model == "a")
  let test = try #require(claim.test)
  #expect(test.rounds == 12)
  #expect(abs(test.ratio - 1.1) < 1e-9)
  // Six logarithms above and six below: the standard error is log(1.01) / sqrt(11); t for 11 degrees of freedom.
  let interval = try #require(claim.factorInterval(level: 0.95))
  let reach = 2.200_985_160_082_949 * log(1.01) / 11.0.squareRoot()
  #expect(abs(interval.low - exp(log(1.1) - reach)) < 1e-6)
  #expect(abs(interval.high - exp(log(1.1) + reach)) < 1e-6)
  #expect(claim.check?.p == 2.0 / 4_096)
  #expect(claim.testName == "paired t test on log-ratios within rounds")
}

@Test("lower is better where the metric is a cost, and the better one is named first with a factor above 1")
func costs() throws {
  let run = madeUpRun(models: ["a", "b"], headlines: ["cpuPerOperation"], rounds: 12) { _, model, round in
    MadeUpFigures(cpu: model == "a" ? 4_000 : 8_000 * scatter(round, 0.02))
  }
  let claim = try #require(claims(run).first)
  #expect(claim.outcome == .judged(.slower))
  #expect(claim.ahead.model == "a")
  let factor = try #require(claim.factor)
  #expect(abs(factor - 2) < 1e-9)
  let interval = try #require(claim.factorInterval(level: 0.95))
  #expect(interval.low < 2 && interval.high > 2 && interval.low > 1.9)
  let text = render(run, as: .markdown, colour: false, width: nil)
  #expect(text.contains("| a / b "))
  #expect(text.contains("cheaper"))
}

@Test("all headlines and pairs of a workload are one family, corrected together")
func correction() throws {
  let run = madeUpRun(
    models: ["a", "b", "c"], cases: ["made-up/x", "made-up/y"], headlines: ["throughput", "cpuPerOperation"],
    rounds: 14
  ) { _, model, round in
    MadeUpFigures(
      throughput: 1_000 * (model == "c" ? 1.5 : 1) * scatter(round * (model == "a" ? 3 : 5) / 2, 0.05),
      cpu: 5_000 * scatter(round / (model == "b" ? 2 : 3), 0.04))
  }
  let found = try #require(families(run).first)
  #expect(found.familySize == 12 && found.claims.count == 12 && found.headlines.count == 4)
  #expect(found.fewestRounds == DecisionRule().fewestRounds(familySize: 12))
  let adjusted = holmAdjusted(found.claims.map { $0.test?.p ?? 1 })
  #expect(found.claims.map(\.adjustedP) == adjusted)
  #expect(found.claims.allSatisfy { $0.testName.hasSuffix("corrected by Holm for 12 claims") })
  for claim in found.claims where claim.isMade {
    #expect([claim.declared.pair.base.model, claim.declared.pair.head.model].contains("c"))
  }
  #expect(found.claims.contains { $0.isMade })
}

@Test("a model that declines is in no family; one that fails makes none of the other claims easier")
func declining() throws {
  func size(_ state: TrialState) -> Int {
    let run = madeUpRun(models: ["a", "b", "c"], rounds: 12) { _, model, _ in
      MadeUpFigures(state: model == "c" ? state : .ok)
    }
    return families(run).first?.familySize ?? 0
  }
  #expect(size(.unsupported) == 1)
  #expect(size(.crashed) == 3)
  let run = madeUpRun(models: ["a", "b"], rounds: 12) { _, model, round in
    MadeUpFigures(
      throughput: model == "a" ? 1_000 : 2_000 * scatter(round, 0.01), state: round > 3 || model == "a" ? .ok : .crashed
    )
  }
  let claim = try #require(claims(run).first)
  #expect(claim.test?.rounds == 9)
  let notes = Document(run).sections.last?.notes ?? []
  #expect(notes.contains { $0.contains("not all trials of b were ok") }, "\(notes)")
}

@Test("a variant is compared with its own model and with the same variant of others, and with nothing else")
func variants() {
  func row(_ name: String, _ variant: String?) -> PlannedModel {
    PlannedModel(name: name, variant: variant, idiom: "", allocator: nil, isGuest: false)
  }
  let pairs = ClaimPair.all(among: [row("a", nil), row("a", "gather"), row("b", nil), row("b", "gather")])
  #expect(
    pairs.map { "\($0.base) : \($0.head)" } == [
      "a : a (gather)", "a : b", "a (gather) : b (gather)", "b : b (gather)",
    ])
}

@Test("with fewer rounds than a claim takes nothing is claimed, in one sentence")
func tooFew() throws {
  let run = madeUpRun(models: ["a", "b"], rounds: 5) { _, model, round in
    MadeUpFigures(throughput: model == "a" ? 1_000 : 9_000 * scatter(round, 0.001))
  }
  #expect(claims(run).first?.outcome == .judged(.tooFewRounds(have: 5, need: 6)))
  let document = Document(run)
  #expect(document.overview == nil)
  let section = try #require(document.sections.last)
  #expect(section.name == "made-up: claims" && section.tables.isEmpty)
  #expect(section.setting.last == "TOO FEW ROUNDS for any: 5, and 6 are the least")
}

@Test("a difference that more rounds might show is said to want them, with their number")
func undecided() throws {
  let run = madeUpRun(models: ["a", "b"], rounds: 8) { _, model, round in
    MadeUpFigures(throughput: model == "a" ? 1_000 : 1_000 * [0.8, 1.3, 0.9, 1.2, 1.4, 0.7, 1, 1.1][round - 1])
  }
  let claim = try #require(claims(run).first)
  guard case .judged(.tooFewRounds(let have, let need?)) = claim.outcome else {
    Issue.record("\(claim.outcome)")
    return
  }
  #expect(have == 8 && need > 50)
  let text = render(run, as: .markdown, colour: false, width: nil)
  #expect(text.contains("cannot tell: too few rounds"))
  #expect(text.contains(" \(grouped(need)) |"))
  #expect(text.contains("not told apart") && text.contains("1 cannot be told with so few rounds"))
}

@Test("a run that may not claim says what would, in its second line, and judges nothing")
func indicative() {
  let run = madeUpRun(models: ["a", "b"], rounds: 12, claims: false) { _, model, _ in
    MadeUpFigures(throughput: model == "a" ? 1_000 : 2_000)
  }
  #expect(families(run).isEmpty)
  let document = Document(run)
  #expect(document.overview == nil && document.sections.count == 1)
  #expect(
    document.notices[1]
      == "Claims take the standard preset or more, uncut, and with these models at least 6 rounds.")
}

@Test("a claim is withheld where half of a model's trials carry none, and not for a single one")
func withheld() throws {
  func outcome(_ warned: Int, _ warning: Warning) -> JudgedClaim.Outcome? {
    let run = madeUpRun(models: ["a", "b"], rounds: 12) { _, model, round in
      MadeUpFigures(
        throughput: model == "a" ? 1_000 : 2_000 * scatter(round, 0.01),
        warnings: model == "b" && round <= warned ? [warning] : [])
    }
    return claims(run).first?.outcome
  }
  #expect(outcome(5, .hostBusy) == .judged(.faster))
  #expect(outcome(6, .hostBusy) == .withheld("the figure of b carries no claim (~)"))
  // The better one may be better still: that is no reason to withhold.
  #expect(outcome(12, .rigSaturated) == .judged(.faster))
}

@Test("of a figure that is a lower bound nobody claims that it is the lower one")
func lowerBounds() throws {
  func run(_ saturated: Set<String>) -> Run {
    madeUpRun(models: ["a", "b"], rounds: 12) { _, model, round in
      MadeUpFigures(
        throughput: model == "a" ? 1_000 : 2_000 * scatter(round, 0.01),
        warnings: saturated.contains(model) ? [.rigSaturated] : [])
    }
  }
  #expect(claims(run(["a"])).first?.outcome == .withheld("the figure of a is a lower bound (≥)"))
  #expect(claims(run(["a", "b"])).first?.outcome == .withheld("both are lower bounds (≥)"))
  let text = render(run(["a"]), as: .markdown, colour: false, width: nil)
  #expect(text.contains("nothing is claimed: the figure of a is a lower bound (≥)."))
}

@Test("figures without a ratio are not compared, and the reason is given")
func noRatio() throws {
  let run = madeUpRun(models: ["a", "b"], headlines: ["kernelMemory"], rounds: 12) { _, model, round in
    MadeUpFigures(kernelBytes: model == "a" && round == 3 ? 0 : 4_096)
  }
  let claim = try #require(claims(run).first)
  guard case .withheld(let reason) = claim.outcome else {
    Issue.record("\(claim.outcome)")
    return
  }
  #expect(reason.contains("no ratio in round 3"))
  #expect(claim.test == nil && claim.adjustedP == 1)
}
