// How claims, resolutions and disturbances are shown: what is in every format, and what no table may lack.

import FoundationEssentials
import Glibc
import ResultFormat
import Statistics
import Testing

@testable import Reports

/// a and b are equal, c is slower and d by far.
private func fourModels(rounds: Int = 12) -> Run {
  madeUpRun(models: ["a", "b", "c", "d"], rounds: rounds) { _, model, round in
    let speed = ["a": 1_000, "b": 1_002, "c": 800, "d": 100.0][model]!
    let turn = Double((round * (model == "b" ? 5 : model == "c" ? 3 : 7)) % 4) - 1.5
    return MadeUpFigures(throughput: speed * (1 + 0.01 * turn))
  }
}

@Test("who leads stands before all cases: the ratio to the best, and those that no claim puts behind another")
func leaders() throws {
  let document = Document(fourModels())
  let overview = try #require(document.overview)
  let table = try #require(overview.tables.first)
  #expect(table.columns.map(\.title) == ["headline", "a", "b", "c", "d", "resolves", "leads"])
  let row = table.rows[0].map(\.text)
  #expect(row[0] == "made-up/x throughput")
  #expect([row[1], row[2]].contains("1") && [row[1], row[2]].contains { $0.hasPrefix("~×1.00") }, "\(row)")
  #expect(row[3] == "×1.25" && row[4] == "×10.0", "\(row)")
  #expect(row[5].hasPrefix("×1.0"))
  #expect(row[6] == "a, b" || row[6] == "b, a", "\(row)")
  #expect(
    document.notices.contains { $0.hasPrefix("6 claims were declared beforehand, corrected per workload: 5 hold") })
}

@Test("one that is claimed to be better than all is marked, unless its trials failed")
func marked() throws {
  func best(_ state: TrialState) -> String? {
    let run = madeUpRun(models: ["a", "b"], rounds: 14) { _, model, round in
      MadeUpFigures(
        throughput: model == "a" ? 1_000 : 500 + Double(round), state: model == "a" && round == 1 ? state : .ok)
    }
    return Document(run).overview?.tables.first?.rows[0][1].text
  }
  #expect(best(.ok) == "◆ 1")
  #expect(best(.crashed) == "1")
}

@Test("every table says its rounds, the level of its intervals, and what it resolves")
func basis() throws {
  let run = fourModels()
  let document = Document(run)
  let section = try #require(document.sections.first)
  #expect(
    section.tables[0].caption == "Speed and cost, in-process, as fast as it goes · n = 12 rounds · 95 % intervals")
  #expect(section.tables[0].footers.first?.first?.text == "resolves")
  #expect(section.tables[0].footers.count == 1)
  let claims = try #require(document.sections.last)
  #expect(claims.tables[0].caption.hasPrefix("throughput on made-up/x · n = 12 rounds · resolves ×1.0"))
  #expect(claims.tables[0].columns.map(\.title).contains("95 % t interval"))
  #expect(
    claims.notes[0]
      == "Every verdict is by the paired t test on log-ratios within rounds, corrected by Holm for 6 claims.")
  let few = try #require(Document(fourModels(rounds: 3)).sections.first)
  #expect(
    few.tables[0].caption
      == "Speed and cost, in-process, as fast as it goes · n = 3 rounds · lowest to highest · resolves nothing below 8 rounds"
  )
  #expect(few.tables[0].footers.isEmpty)
}

@Test("the resolution is that of the pooled spread of ratios, at the rule's level and power")
func resolution() throws {
  let run = madeUpRun(models: ["a", "b"], rounds: 12) { _, model, round in
    MadeUpFigures(throughput: model == "a" ? 1_000 : 1_000 * (round % 2 == 0 ? 1.05 : 1 / 1.05))
  }
  let found = CaseSummary(run.plan.cases[0], of: run).resolution
  #expect(found.rounds == 12 && found.familySize == 1)
  let spread = log(1.05) * (12.0 / 11).squareRoot()
  let expected = try #require(PowerAnalysis(spread: spread).smallestRatio(rounds: 12))
  let own = try #require(found.own["throughput"])
  #expect(abs(own - expected) < 1e-6)
}

@Test("a calibration of the same host stands beside the run's own resolution; another host's does not")
func calibrated() throws {
  let run = fourModels()
  let figure = ResolvedFigure(
    workload: "made-up", case: "made-up/x", metric: "throughput", windowSeconds: 1, spread: 0.03,
    degreesOfFreedom: 52, familySize: 1, smallestRatio: 1.04)
  var calibration = HostResolution(
    host: HostIdentity(run.environment), measuredAt: "2026-02-01T08:00:00Z", revision: nil, models: ["a"],
    level: 0.05, power: 0.95, rounds: 14, figures: [figure])
  // For this run's rounds and family, not for the calibration's.
  let expected = try #require(
    Resolution(spread: 0.03, degreesOfFreedom: 52)?.smallestRatio(rounds: 12, familySize: 6))
  let shown = "×\(significant(expected))"
  let text = render(run, as: .terminal, calibration: calibration, colour: false, width: 120)
  #expect(text.contains("A/A \(shown)"))
  #expect(text.split(separator: "\n").contains { $0.hasPrefix("resolves, A/A") && $0.contains(shown) })
  #expect(text.contains("(2026-02-01, 14 rounds of 1 s)"))
  #expect(render(run, as: .json, calibration: calibration, colour: false, width: nil).contains("\"calibrated\""))
  calibration.host.kernel = "5.0"
  #expect(!render(run, as: .terminal, calibration: calibration, colour: false, width: 120).contains("A/A"))
}

@Test("machines get every claim as it was declared, with the name of its test")
func machine() throws {
  struct Read: Decodable {
    struct Family: Decodable {
      struct Claim: Decodable {
        var base: RowName
        var head: RowName
        var test: String
        var check: String
        var rounds: Int
        var ratio: Double
        var interval: [Double]
        var adjustedP: Double
        var verdict: String
      }
      var workload: String
      var size: Int
      var claims: [Claim]
    }
    var families: [Family]
  }
  let text = render(fourModels(), as: .json, colour: false, width: nil)
  let read = try JSONDecoder().decode(Read.self, from: Data(text.utf8))
  let family = try #require(read.families.first)
  #expect(family.workload == "made-up" && family.size == 6)
  #expect(
    family.claims.map { "\($0.base)\($0.head) \($0.verdict)" }.filter { !$0.hasPrefix("ab") } == [
      "ac slower", "ad slower", "bc slower", "bd slower", "cd slower",
    ])
  #expect(family.claims.allSatisfy { $0.test.contains("paired t test on log-ratios") && $0.check.contains("Wilcoxon") })
  // b and d: the others agree to the last digit in every round.
  let last = family.claims[4]
  #expect(last.rounds == 12 && last.interval[0] < last.ratio && last.ratio < last.interval[1] && last.ratio < 0.13)
}

@Test("a median stands with the interval of the median, uneven where its rounds are")
func medianIntervals() throws {
  let values = [100, 101, 102, 103, 104, 150, 200, 99, 98, 97, 96, 95.0]
  let run = madeUpRun(models: ["a", "b"], rounds: 12) { _, _, round in MadeUpFigures(throughput: values[round - 1]) }
  let figure = try #require(CaseSummary(run.plan.cases[0], of: run).rows[0].metrics["throughput"])
  let expected = try medianInterval(values, resamples: 1_999).get()
  #expect(figure.range?.low == expected.low && figure.range?.high == expected.high)
  #expect(expected.low <= 100.5 && expected.high >= 100.5)
  let cell = try #require(Document(run).sections[0].tables[0].rows[0].first { $0.text == "101" || $0.text == "100" })
  #expect(cell.spread == offsets(expected.low, expected.high, around: 100.5))
}

@Test("drifts, steps and odd rounds of headlines are noted, with their rounds, and change no figure")
func disturbances() throws {
  let run = madeUpRun(models: ["drifts", "steps", "jumps", "calm"], rounds: 16) { _, model, round in
    let wobble = 1 + 0.002 * Double((round * 7) % 5)
    let course =
      switch model {
      case "drifts": 1 + 0.02 * Double(round)
      case "steps": round < 9 ? 1 : 1.5
      case "jumps": round == 4 ? 3.0 : 1
      default: 1.0
      }
    return MadeUpFigures(throughput: 1_000 * wobble * course)
  }
  let notes = CaseSummary(run.plan.cases[0], of: run).disturbances(["throughput"])
  let drift = try #require(notes.first { $0.hasPrefix("Drift over the rounds (Mann-Kendall): ") })
  #expect(drift.contains("throughput of drifts +") && !drift.contains("calm") && !drift.contains("jumps"))
  let step = try #require(notes.first { $0.hasPrefix("Step between rounds (Pettitt): ") })
  #expect(step.contains("throughput of steps ×1.50 from round 9"), "\(step)")
  let odd = try #require(notes.first { $0.hasPrefix("Odd rounds") })
  #expect(odd.contains("throughput of jumps in 4 (×") && !odd.contains("calm"), "\(odd)")
  #expect(notes.allSatisfy { $0.hasSuffix("None was left out.") })
  #expect(claimsOf(run).allSatisfy { $0.test?.rounds == 16 })
  #expect(CaseSummary(run.plan.cases[0], of: run).disturbances([]) == [])
}

private func claimsOf(_ run: Run) -> [JudgedClaim] {
  WorkloadClaims.all(of: run, run.plan.cases.map { CaseSummary($0, of: run) }).flatMap(\.claims)
}

@Test("no line of a report with claims is wider than asked for", arguments: [80, 120])
func claimWidths(width: Int) {
  let text = render(fourModels(), as: .terminal, colour: false, width: width)
  for line in text.split(separator: "\n") { #expect(displayWidth(String(line)) <= width, "\(line)") }
  #expect(text.contains("Who leads") && text.contains("made-up: claims"))
}
