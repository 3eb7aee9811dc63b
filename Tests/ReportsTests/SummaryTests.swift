// Aggregation on exact values, and what a report may never leave out.

import ResultFormat
import Statistics
import Testing
import Workloads

@testable import Reports

private func summary(_ run: Run, _ index: Int = 0) -> CaseSummary { CaseSummary(run.plan.cases[index], of: run) }

@Test("a row's figure is the median over its good rounds, and nothing of the others")
func medians() throws {
  var run = try fixture()
  let cost = try #require(summary(run).rows[0].metrics["cpuPerOperation"])
  // 54,000 ns times 2, times the wobble of each round.
  #expect(cost.spread.values.map { $0.rounded() } == [108_000, 110_160, 106_920])
  #expect(cost.spread.median == 108_000 && cost.spread.count == 3)
  #expect(cost.standing == .claimed)
  // A failed trial has no figures to contribute, whatever round it is of.
  let snake = summary(run).rows[2]
  #expect(snake.state == "1 of 3 ok, 1 wrong, 1 crashed")
  #expect(snake.metrics["cpuPerOperation"]?.spread.count == 1)
  #expect(!snake.competes)
  run.trials.removeAll()
  #expect(summary(run).rows.map(\.state) == Array(repeating: "0 of 3 ok, 3 not run", count: 3))
  #expect(summary(run).rows.map(\.metrics.count) == [0, 0, 0])
}

@Test("the best of a column is marked only among rows that all carry a claim")
func best() throws {
  var run = try fixture()
  func marked(_ key: String) -> [String] {
    summary(run).rows.filter { $0.metrics[key]?.isBest == true }.map(\.name)
  }
  #expect(marked("cpuPerOperation") == ["async-loop"])
  #expect(marked("rigBusyPerOperation") == [])
  // A percentile below the rig's own lateness.
  #expect(summary(run).rows[1].metrics["latency.added.p50"]?.standing == .noClaim)
  #expect(marked("latency.added.p50") == [])
  // One trial of three whose two clocks differ is scatter; two take the claim from the column.
  run.trials[0].warnings.append(.cpuDisagrees)
  #expect(summary(run).rows[0].metrics["cpuPerOperation"]?.standing == .claimed)
  run.trials[6].warnings.append(.cpuDisagrees)
  #expect(summary(run).rows[0].metrics["cpuPerOperation"]?.standing == .noClaim)
  #expect(marked("cpuPerOperation") == [])
  // A variant does not compete.
  run = try fixture()
  run.plan.models[1].variant = "gather"
  for index in run.plan.trials.indices where run.plan.trials[index].model == "async-loop" {
    run.plan.trials[index].variant = "gather"
    run.trials[index].variant = "gather"
  }
  #expect(summary(run).rows[1].name == "async-loop (gather)")
  #expect(marked("cpuPerOperation") == [])
}

@Test("in closed loop latency carries no claim, and a saturated rig makes throughput a lower bound")
func closedLoop() throws {
  let closed = summary(try fixture(), 1)
  #expect(closed.drive == .closedLoop)
  #expect(closed.rows[0].metrics["throughput"]?.standing == .noClaim)
  #expect(closed.rows[1].metrics["throughput"]?.standing == .lowerBound)
  #expect(closed.rows[0].metrics["latency.all.p99"]?.standing == .noClaim)
  #expect(closed.rows[2].state == "unsupported")
  #expect(closed.changes == ["connections=256", "backendConnections=2048", "load=closed"])
}

@Test("below ten thousand samples there is no column for p99")
func noColumn() throws {
  var run = try fixture()
  for index in run.trials.indices { run.trials[index].figures?.latencies["all"]?.p99 = nil }
  let table = try #require(Table(summary(run), .speed, caption: ""))
  #expect(table.columns.map(\.title).contains("latency p50") && !table.columns.map(\.title).contains("latency p99"))
}

@Test(
  "three significant digits",
  arguments: [
    (0, "0"), (0.012_34, "0.0123"), (0.999_6, "1.00"), (1, "1.00"), (9.994, "9.99"), (9.996, "10.0"), (53.14, "53.1"),
    (99.96, "100"), (123.4, "123"), (999.6, "1,000"), (12_345, "12,300"), (1_234_567, "1,230,000"), (-4.2, "−4.20"),
    (.nan, "?"), (1e-9, "0"),
  ])
func digits(value: Double, expected: String) { #expect(significant(value) == expected) }

@Test("how far rounds reach is never understated, and told for each side where the sides differ")
func spreads() {
  let reaches: [Double] = [0, 0.001, 0.01, 0.011, 1.5, 20]
  #expect(
    reaches.map { offsets(10 - 10 * $0, 10 + 10 * $0, around: 10) }
      == ["±0%", "±1%", "±1%", "±2%", "±150%", "±>999%"])
  #expect(offsets(97, 104.5, around: 100) == "−3/+5%")
  #expect(offsets(-55, -40, around: -50) == "−10/+20%")
  #expect(offsets(-1, 1, around: 0) == "")
  #expect([0, 0.00004, 0.0123, 0.5, 0.9999].map { probability($0) } == ["<0.0001", "<0.0001", "0.0123", "0.5", "1"])
  #expect(trimmed(0.07) == "0.07" && trimmed(6) == "6" && trimmed(100) == "100" && trimmed(2.5) == "2.5")
}

@Test("one unit a column: the largest in which its smallest value reaches 1")
func units() {
  #expect(Unit.time.scale(for: [900, 2e6]) == ("ns", 1))
  #expect(Unit.time.scale(for: [54_000, 2e6]) == ("µs", 1e3))
  #expect(Unit.bytes.scale(for: [3_200_000]).symbol == "MiB")
  #expect(Unit.rate.scale(for: []).symbol == "/s")
}

@Test("a debug build and an interruption are said before everything else")
func alarms() throws {
  var run = try fixture()
  run.environment.build = "debug"
  run.trials.removeLast(8)
  for format in [ReportFormat.terminal, .markdown] {
    let text = render(run, as: format, colour: false, width: 100)
    let head = text.prefix(500)
    #expect(head.contains("DEBUG BUILD: these figures mean nothing"))
    #expect(head.contains("INTERRUPTED: 10 of 18 trials were run."))
  }
}

@Test("colour adds nothing but weight: without it the same text remains")
func colourCarriesNoMeaning() throws {
  let run = try fixture()
  let plain = render(run, as: .terminal, colour: false, width: 90)
  let coloured = render(run, as: .terminal, colour: true, width: 90)
  #expect(coloured != plain)
  #expect(coloured.replacing(/\u{1b}\[[0-9;]*m/, with: "") == plain)
  #expect(!plain.contains("\u{1b}"))
}

@Test("no line is wider than asked for", arguments: [60, 80, 100, 120])
func widths(width: Int) throws {
  let text = render(try fixture(), as: .terminal, colour: false, width: width)
  for line in text.split(separator: "\n") { #expect(displayWidth(String(line)) <= width, "\(line)") }
  // Split or not, every column is there.
  for title in ["CPU/request", "latency p99", "throughput", "above idle", "allocations"] {
    #expect(text.contains(title))
  }
}

@Test("a terminal's columns, not characters, are counted")
func columns() {
  #expect(displayWidth("µs ±2%") == 6)
  #expect(displayWidth("日本") == 4)
  #expect(displayWidth("e\u{301}") == 1)
}

@Test("a hostile name becomes neither markup nor a table's cell nor a line")
func hostileNames() throws {
  var run = try fixture()
  run.plan.models[0].idiom = "a | b <script> `x` *y* [z](u)\n# heading\u{1b}[31m"
  let text = render(run, as: .markdown, colour: false, width: nil)
  #expect(text.contains("a \\| b \\<script\\> \\`x\\` \\*y\\* \\[z](u) # heading \\[31m"))
  #expect(!render(run, as: .terminal, colour: false, width: 100).contains("\u{1b}"))
}

@Test("a run of five rounds has intervals, and its tables and legend say so")
func intervals() throws {
  var run = try fixture()
  run.plan.rounds = 5
  for round in 4...5 {
    for (planned, trial) in zip(run.plan.trials, run.trials) where planned.round == 1 {
      var (planned, trial) = (planned, trial)
      planned.round = round
      trial.round = round
      planned.number += 18 * round
      trial.number = planned.number
      run.plan.trials.append(planned)
      run.trials.append(trial)
    }
  }
  let figure = try #require(summary(run).rows[0].metrics["cpuPerOperation"])
  #expect(figure.spread.count == 5 && figure.hasInterval)
  let text = render(run, as: .markdown, colour: false, width: nil)
  #expect(text.contains("± or −/+ after a median: how far the ends of its 95 % interval lie from it (BCa"))
  #expect(text.contains("n = 1 to 5 rounds · 95 % intervals"))
  // The closed loop has a voided round, and four are none too many.
  #expect(text.contains("n = 4 rounds · lowest to highest"))
}
