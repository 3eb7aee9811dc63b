// timer-storm's contract: the oracle finds each breach by its rule, and the schedule keeps the pace that it promises.

import Testing
import Workloads

@Suite struct TimerStormTests {
  static let slots = 100
  static let checksums: Set = ["armedChecksum", "endedChecksum"]

  /// Paced, half of the timers cancelled: 4,000 fired, 4,000 cancelled, 10 cancels too late.
  static let trial = MadeUpTrial(
    workload: .timerStorm, changes: ["outstanding": .integer(slots), "cancelShare": .number(0.5)],
    model: [
      "unitsStarted": slots, "unitsFinished": slots, "slotsArmedAtStart": slots, "timersArmed": 8_090,
      "timersFired": 4_000, "timersCancelled": 4_000, "timersLeft": 90, "firedEarly": 0, "firedAfterCancel": 0,
      "cancelsTried": 4_010, "cancelsMissed": 10, "armedChecksum": -77, "endedChecksum": -77,
    ], operations: 6_000, samples: ["all": 3_000])

  static let flatOut: MadeUpTrial = {
    var trial = TimerStormTests.trial
    trial.changes["load"] = .text("flat-out")
    trial.model["timersFired"] = 0
    trial.model["timersArmed"] = 4_090
    trial.operations = 3_000
    trial.samples = [:]
    return trial
  }()

  static let breaches: [LedgerBreach] = [
    LedgerBreach(TimerStorm.Rule.accounted, "a timer is lost", [8_091, 8_090]) { $0.model["timersArmed"] = 8_091 },
    LedgerBreach(TimerStorm.Rule.accounted, "a timer ends twice", [8_090, 8_091]) { $0.model["timersFired"] = 4_001 },
    LedgerBreach(TimerStorm.Rule.accounted, "more timers are left than there are slots", [101, 100]) {
      $0.model["timersLeft"] = 101
      $0.model["timersArmed"] = 8_101
    },
    LedgerBreach(TimerStorm.Rule.checksum, "one timer ends twice and another not at all", [78]) {
      $0.model["endedChecksum"] = 78
    },
    LedgerBreach(TimerStorm.Rule.early, "a timer fires early", [3]) { $0.model["firedEarly"] = 3 },
    LedgerBreach(TimerStorm.Rule.afterCancel, "a timer fires after its cancel", [4]) {
      $0.model["firedAfterCancel"] = 4
    },
    LedgerBreach(TimerStorm.Rule.outstanding, "fewer timers than slots", [99, 100]) {
      $0.model["slotsArmedAtStart"] = 99
    },
    LedgerBreach(TimerStorm.Rule.outstanding, "gated, slots are served one after another", [1, 100]) {
      $0.isGated = true
      $0.model["slotsArmedAtStart"] = 1
    },
    LedgerBreach(TimerStorm.Rule.pacer, "cancels vanish", [4_011, 4_010]) { $0.model["cancelsTried"] = 4_011 },
    LedgerBreach(TimerStorm.Rule.pacer, "most cancels find no timer", [4_000, 16_010]) {
      $0.model["cancelsTried"] = 16_010
      $0.model["cancelsMissed"] = 12_010
    },
    LedgerBreach(TimerStorm.Rule.pacer, "hardly a timer fires", [900, 4_000]) {
      $0.model["timersFired"] = 900
      $0.model["timersArmed"] = 4_990
      $0.operations = 1_000
      $0.samples = ["all": 500]
    },
    LedgerBreach(TimerStorm.Rule.lateness, "more samples than timers that fired", [4_001, 4_000]) {
      $0.samples = ["all": 4_001]
    },
    LedgerBreach(TimerStorm.Rule.lateness, "samples are left out", [700, 6_000, 3_000]) { $0.samples = ["all": 700] },
    LedgerBreach(TimerStorm.Rule.lateness, "no samples at all", [0, 6_000]) { $0.samples = [:] },
    LedgerBreach(TimerStorm.Rule.units, "slots share units", [10, 100]) { $0.model["unitsStarted"] = 10 },
    LedgerBreach(TimerStorm.Rule.units, "a unit is not joined", [99, 100]) { $0.model["unitsFinished"] = 99 },
    LedgerBreach(TimerStorm.Rule.units, "callback starts units after all", [100]) { $0.variant = "callback" },
    LedgerBreach(TimerStorm.Rule.window, "operations counted twice", [8_001, 8_000]) { $0.operations = 8_001 },
    LedgerBreach(TimerStorm.Rule.window, "nothing is done in the window", [0]) {
      $0.operations = 0
      $0.samples = [:]
    },
  ]

  @Test(arguments: breaches)
  func `each breach is found by its rule and no other, with counts`(breach: LedgerBreach) {
    breach.expectNamed(in: Self.trial)
  }

  @Test func `samples where nothing may fire are a breach`() {
    #expect(Self.flatOut.findings == [])
    var trial = Self.flatOut
    trial.samples = ["all": 1]
    #expect(trial.brokenRules == ["lateness"])
  }

  @Test func `every rule has a breach here, and every count is needed`() {
    #expect(
      Set(Self.breaches.map(\.rule)).union(["balance"]) == Set(TimerStorm.Rule.allCases.map(\.rawValue)))
    #expect(Set(Self.trial.model.counts.keys) == Set(TimerStorm.ModelCount.allCases.map(\.rawValue)))
    expectEveryCountIsNeeded(in: Self.trial, checksums: Self.checksums)
    expectNoNumberIsTooMuch(in: Self.trial)
  }

  @Test func `callback balances without units`() {
    var trial = Self.trial
    trial.variant = "callback"
    trial.model["unitsStarted"] = 0
    trial.model["unitsFinished"] = 0
    #expect(trial.findings == [])
  }

  @Test func `few cancels and few timers are not judged by their shares`() {
    var trial = Self.trial
    trial.model["cancelsTried"] = 300
    trial.model["timersCancelled"] = 20
    trial.model["cancelsMissed"] = 280
    trial.model["timersFired"] = 3
    trial.model["timersArmed"] = 113
    trial.operations = 23
    trial.samples = ["all": 3]
    #expect(trial.findings == [])
  }

  @Test(arguments: [0.0, 1.0])
  func `a storm of nothing but fires, or nothing but cancels, is judged by what it has`(share: Double) {
    var trial = Self.trial
    trial.changes["cancelShare"] = .number(share)
    let cancels = share == 0 ? 0 : 4_000
    trial.model["timersCancelled"] = cancels
    trial.model["cancelsTried"] = cancels + 10
    trial.model["timersFired"] = 4_000 - cancels
    trial.model["timersArmed"] = 4_090
    trial.operations = 3_000
    trial.samples = share == 0 ? ["all": 3_000] : [:]
    #expect(trial.findings == [])
  }

  @Test func `parameters arrive typed`() throws {
    #expect(try TimerStorm.Parameters([:]).load == .paced(rate: 20_000, cancelShare: 0.9))
    #expect(try TimerStorm.Parameters([:]).outstanding == 10_000)
    let flat = try TimerStorm.Parameters(["load": .text("flat-out"), "outstanding": .integer(7)])
    #expect(flat.load == .flatOut && flat.outstanding == 7)
    #expect(throws: ParameterError.self) { try TimerStorm.Parameters(["outstanding": .integer(0)]) }
    #expect(throws: ParameterError.self) { try TimerStorm.Parameters(["cancelShare": .number(1.1)]) }
  }

  @Test func `delays have the mean that lets the timers fire in their share, and an exponential's tail`() throws {
    let parameters = try TimerStorm.Parameters([:])
    let schedule = TimerStorm.Schedule(parameters, seed: 42, isGated: false)
    let delays = (0..<10_000).flatMap { slot in (0..<10).map { Double(schedule.delay(slot: slot, round: $0)) } }
    let mean = delays.reduce(0, +) / Double(delays.count)
    // 10,000 slots of which 2,000 a second fire: 5 s. The standard error of 100,000 draws is 0.3 %.
    #expect(abs(mean / 5e9 - 1) < 0.02)
    for multiple in [0.1, 1.0, 3.0] {
      let beyond = Double(delays.count { $0 > multiple * 5e9 }) / Double(delays.count)
      #expect(abs(beyond - expectedTail[multiple]!) < 0.01)
    }
  }
  /// e to the minus 0.1, 1, 3.
  private let expectedTail = [0.1: 0.9048, 1: 0.3679, 3: 0.0498]

  @Test func `the schedule repeats with its seed and differs with another, another slot, another round`() throws {
    let parameters = try TimerStorm.Parameters([:])
    func schedule(_ seed: UInt64) -> TimerStorm.Schedule { .init(parameters, seed: seed, isGated: false) }
    #expect(schedule(1).delay(slot: 3, round: 4) == schedule(1).delay(slot: 3, round: 4))
    let others = [
      schedule(2).delay(slot: 3, round: 4), schedule(1).delay(slot: 4, round: 3), schedule(1).delay(slot: 3, round: 5),
    ]
    #expect(!others.contains(schedule(1).delay(slot: 3, round: 4)))
    #expect((0..<100).map { schedule(1).slot(ofCancel: $0) } == (0..<100).map { schedule(1).slot(ofCancel: $0) })
    #expect((0..<100).map { schedule(1).slot(ofCancel: $0) } != (0..<100).map { schedule(2).slot(ofCancel: $0) })
  }

  @Test func `the pacer's cancels come at their rate and reach every slot`() throws {
    let parameters = try TimerStorm.Parameters(["outstanding": .integer(100)])
    let schedule = TimerStorm.Schedule(parameters, seed: 7, isGated: false)
    #expect(schedule.cancelsDue(afterNanoseconds: 0) == 0)
    #expect(schedule.cancelsDue(afterNanoseconds: 1_000_000) == 18)
    #expect(schedule.cancelsDue(afterNanoseconds: 10_000_000_000) == 180_000)
    let slots = (0..<5_000).map { schedule.slot(ofCancel: $0) }
    #expect(Set(slots) == Set(0..<100))
  }

  @Test func `nothing fires where nothing may`() throws {
    let onlyCancels = try TimerStorm.Parameters(["cancelShare": .integer(1)])
    let paced = TimerStorm.Schedule(onlyCancels, seed: 1, isGated: false)
    let gated = TimerStorm.Schedule(try TimerStorm.Parameters([:]), seed: 1, isGated: true)
    let flat = TimerStorm.Schedule(
      try TimerStorm.Parameters(["load": .text("flat-out")]), seed: 1, isGated: false)
    for slot in 0..<1_000 {
      #expect(paced.delay(slot: slot, round: slot) == TimerStorm.Schedule.longestDelayNanoseconds)
      #expect(gated.delay(slot: slot, round: 0) == TimerStorm.Schedule.longestDelayNanoseconds)
      #expect((60_000_000_000..<120_000_000_000).contains(flat.delay(slot: slot, round: slot)))
    }
    #expect(gated.delay(slot: 0, round: 1) < TimerStorm.Schedule.longestDelayNanoseconds)
    #expect(
      TimerStorm.Schedule(try TimerStorm.Parameters(["cancelShare": .integer(0)]), seed: 1, isGated: false)
        .cancelsDue(afterNanoseconds: .max) == 0)
  }

  /// The numbers of PROTOCOL.md's example.
  @Test func `the example of the specification`() throws {
    let schedule = TimerStorm.Schedule(try TimerStorm.Parameters([:]), seed: 42, isGated: false)
    #expect(schedule.delay(slot: 2, round: 1) / 1_000 == 7_897_837)
    #expect((0..<3).map { schedule.slot(ofCancel: $0) } == [2_195, 5_799, 8_111])
    #expect(TimerStorm.token(slot: 2, round: 1) == 0xC485_8308_E594_9C49)
    let flat = TimerStorm.Schedule(
      try TimerStorm.Parameters(["load": .text("flat-out")]), seed: 42, isGated: false)
    #expect(flat.delay(slot: 2, round: 1) == 73_996_943_574)
  }
}
