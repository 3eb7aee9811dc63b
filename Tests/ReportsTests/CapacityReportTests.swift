// What a report says of a capacity search: every way in which one can end, and what may not be claimed.

import FoundationEssentials
import ResultFormat
import Testing
import Workloads

@testable import Reports

/// A search whose models ended in each of the ways, in the order of ``names``.
private func search(isInterrupted: Bool = false) throws -> CapacityResult {
  let run = try fixture()
  let plan = CapacityPlan(
    case: run.plan.cases[0], rateParameter: "rate", requestsPerUnit: 1, objective: try ServiceObjective("p99<20ms"),
    latencyClass: "all", seed: 1, warmUpSeconds: 1, curveWindowSeconds: 4, startRate: 1_000, lowestRate: 500,
    highestRate: 1_000_000, bracketRatio: 1.05, majority: 2, staircaseTrials: 12, toleratedVoids: 5, level: 0.95,
    curve: [0.5, 0.8, 1, 1.2], checkShare: 0.8, checkTrials: 3, toleratesBusyHost: false)
  func model(_ name: String, _ ending: CapacityModel.Ending?) -> CapacityModel {
    CapacityModel(
      model: PlannedModel(name: name, variant: nil, idiom: "pretends", allocator: nil, isGuest: true), ending: ending)
  }
  var models = [
    model("found", .found), model("limited", .rigLimit), model("endless", .aboveHighest), model("slow", .belowLowest),
    model("shaky", .unsettled), model("idle", .unsupported),
  ]
  models[0].capacity = .init(requestsPerSecond: 11_310, low: 11_000, high: 11_600)
  models[1].sustained = 12_000
  models[2].sustained = 1_000_000
  models[4].reason = "6 trials in a row were void"
  models[4].sustained = 4_000
  models[5].reason = "no hands"
  if isInterrupted { models.append(model("cut-short", nil)) }
  var result = CapacityResult(environment: run.environment, plan: plan, models: models)
  result.isInterrupted = isInterrupted

  func add(_ index: Int, share: Double?, latency: UInt64, count: UInt64 = 20_000, busy: Double = 0.3) throws {
    let rate = models[index].reference ?? 500
    var trial = try #require(run.trials.first { $0.state == .ok && $0.case == "fan-out/fixed-rate" })
    trial.number = result.trials.count + 1
    trial.model = models[index].model.name
    trial.warnings = busy > 0.8 ? [.rigSaturated, .rigBusy] : []
    trial.figures?.offeredPerSecond = rate * (share ?? 1)
    trial.figures?.operationsPerSecond = rate * (share ?? 1)
    trial.figures?.windowNanoseconds = 4_000_000_000
    trial.figures?.latencies = [
      "all": try LatencySummary(recorded: [[1_000_000, count * 9 / 10], [latency, count / 10]])
    ]
    trial.figures?.rig?.busyShare = busy
    result.trials.append(
      CapacityTrial(rate: rate * (share ?? 1), share: share, judgement: plan.judge(trial), trial: trial))
  }
  try add(0, share: nil, latency: 2_000_000)
  try add(0, share: 0.5, latency: 2_000_000, count: 500)
  try add(0, share: 0.8, latency: 2_000_000)
  try add(0, share: 0.8, latency: 90_000_000)
  try add(0, share: 0.8, latency: 4_000_000)
  try add(0, share: 1, latency: 19_000_000, busy: 0.61)
  try add(0, share: 1.2, latency: 900_000_000)
  try add(1, share: 0.8, latency: 90_000_000)
  try add(1, share: 1.2, latency: 2_000_000, busy: 0.9)
  try add(3, share: nil, latency: 90_000_000)
  return result
}

@Suite struct CapacityReportTests {
  @Test func `every ending has its cell and its sentence`() throws {
    let document = Document(try search())
    let section = try #require(document.sections.first)
    let table = try #require(section.tables.first)
    #expect(table.columns.map(\.title).prefix(5) == ["model", "capacity", "from", "to", "at 80 %"])
    #expect(table.columns[1].unit == "k/s")
    #expect(
      table.rows.map { $0.prefix(5).map(\.text) } == [
        ["found", "11.3", "11.0", "11.6", "met (2 of 3)"], ["limited", "≥12.0", "–", "–", "NOT MET (0 of 1)"],
        ["endless", "≥1,000", "–", "–", "not known"], ["slow", "<0.500", "–", "–", "–"],
        ["shaky", "–", "–", "–", "–"], ["idle", "–", "–", "–", "–"],
      ])
    #expect(
      section.notes == [
        "found: at its capacity the rig was busy for 61 % of the window, so that a part of the latency is the rig's.",
        "limited: at least 12,000 requests/s: what lies above is the rig's own limit, not the model's.",
        "endless: at least 1,000,000 requests/s, the highest rate that rate allows.",
        "slow: below the lowest rate tried, 500 requests/s, at which a window holds just enough requests for p99; a longer "
          + "--window goes lower.",
        "shaky: no answer: 6 trials in a row were void; sustained at 4,000 requests/s.",
        "idle: unsupported: no hands",
      ])
    // Only models with a reference have a curve.
    #expect(
      document.sections.dropFirst().map(\.name) == ["fan-out/fixed-rate · found", "fan-out/fixed-rate · limited"])
  }

  @Test func `the curve has medians over the trials of a load, and claims no more than they can`() throws {
    let document = Document(try search())
    let table = try #require(document.sections[1].tables.first)
    #expect(table.columns.map(\.title).prefix(6) == ["load", "n", "offered", "answered", "goodput", "good"])
    let rows = table.rows.map { $0.map(\.text) }
    #expect(rows.map { $0[0] } == ["50 %", "80 %", "100 %", "120 %"])
    #expect(rows.map { $0[1] }.prefix(3) == ["1", "3", "1"])
    // 500 samples: 5 beyond p99, too few to be shown; p50 has enough.
    #expect(Array(rows[0].suffix(4)) == ["1.00", "–", "–", "met"])
    // 20,000 samples: 200 beyond p99 and 20 beyond p99.9.
    #expect(Array(rows[1].suffix(4)) == ["1.00", "4.00", "~4.00", "met 2, missed 1"])
    // The rig was busy for more than half of the window.
    #expect(Array(rows[2].suffix(4)) == ["~1.00", "~19.0", "~19.0", "met"])
    #expect(rows[3][5] == "90" && rows[3].last == "missed")
    #expect(document.sections[2].tables[0].rows.map { $0.last?.text } == ["missed", "the rig's limit"])
    #expect(document.sections[2].setting == ["100 % is the highest rate sustained, 12,000 requests/s"])
  }

  @Test func `an interrupted search says so, and what is known of each model`() throws {
    let document = Document(try search(isInterrupted: true))
    #expect(document.alarms == ["INTERRUPTED: what is known after 10 trials."])
    #expect(document.sections[0].notes.last == "cut-short: interrupted: nothing is decided.")
    #expect(Document(try search()).alarms == [])
  }

  @Test func `trials without figures are told once for each state, with their rates and the first reason`() throws {
    var result = try search()
    for index in [0, 1] {
      result.trials[index].trial.state = .timeout
      result.trials[index].trial.figures = nil
      result.trials[index].trial.reason = "hung\nagain"
    }
    #expect(
      Document(result).sections[0].failures == [
        "found: timeout (2 trials at 5,660 to 11,300 requests/s), the first: hung again"
      ])
    // Without any figures there is no rate to be below.
    let last = result.trials.count - 1
    result.trials[last].trial.state = .crashed
    result.trials[last].trial.figures = nil
    let section = Document(result).sections[0]
    #expect(section.notes.contains("slow: no answer: none of its trials gave figures."))
    #expect(section.tables[0].rows[3][1].text == "–")
  }

  @Test func `all formats carry the method, the host and the figures`() throws {
    let result = try search()
    let terminal = render(result, as: .terminal, colour: false, width: 100)
    let markdown = render(result, as: .markdown, colour: false, width: nil)
    for text in [terminal, markdown] {
      #expect(text.contains("Switchyard: capacity of fan-out/fixed-rate under p99"))
      #expect(text.contains("Made-Up 9000, 2 processors online"))
      #expect(text.contains("≥12.0"))
      #expect(text.contains("met (2 of 3)"))
    }
    #expect(terminal.split(separator: "\n").allSatisfy { displayWidth(String($0)) <= 100 })
    let json = try JSONDecoder().decode(
      Machine.self, from: Data(render(result, as: .json, colour: false, width: nil).utf8))
    #expect(json.objective == "p99<20ms")
    #expect(
      json.models.map(\.ending) == ["found", "rig-limit", "above-highest", "below-lowest", "unsettled", "unsupported"])
    #expect(json.models[0].capacity == 11_310 && json.models[0].low == 11_000 && json.models[0].meetsCheck == true)
    #expect(json.models[0].curve.map(\.share) == [0.5, 0.8, 1, 1.2])
    #expect(json.models[1].meetsCheck == false && json.models[2].meetsCheck == nil)
  }

  private struct Machine: Decodable {
    struct Point: Decodable { var share: Double }
    struct Model: Decodable {
      var ending: String
      var capacity: Double?
      var low: Double?
      var meetsCheck: Bool?
      var curve: [Point]
    }
    var objective: String
    var models: [Model]
  }
}
