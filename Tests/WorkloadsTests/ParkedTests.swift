// parked: the live state, and an oracle that finds units that never waited, never woke, or had no memory.

import Testing
import Workloads

@Suite struct ParkedTests {
  typealias Rule = Parked.Rule

  static let units = 1_000
  static let bytes = units * 16_384

  /// A thousand units with 16 KiB each.
  static let plain = InProcessTrial(
    workload: .parked, parameters: ["units": .integer(units), "liveState": .integer(16_384)],
    model: [
      "unitsStarted": units, "unitsFinished": units, "unitsParked": units, "unitsWoken": units, "parkedAtClose": units,
      "wokenByTimer": 0, "wokenEarly": 0, "statesIntact": units, "checksum": checksum(units, words: 2_048),
    ],
    operations: units, grownBytes: bytes + 3_000_000)
  static let gated: InProcessTrial = {
    var trial = plain
    trial.isGated = true
    trial.model["wokenByTimer"] = units
    // The first units had woken, and given their memory back, when the last was parked.
    trial.model["parkedAtClose"] = 700
    trial.grownBytes = 1_000_000
    return trial
  }()

  /// The long way round.
  static func checksum(_ units: Int, words: Int) -> Int {
    var sum: UInt64 = 0
    for unit in 0..<units {
      var word = SplitMix64.mix(UInt64(unit))
      for _ in 0..<words {
        sum &+= word
        word &+= 0x9E37_79B9_7F4A_7C15
      }
    }
    return Int(truncatingIfNeeded: sum)
  }

  static let breaches = [
    Breach(Rule.units, "half the units are created", [500, 1_000]) {
      $0.model["unitsStarted"] = 500
      $0.model["unitsFinished"] = 500
    },
    Breach(Rule.units, "a unit is never joined", [999, 1_000]) { $0.model["unitsFinished"] = 999 },
    Breach(Rule.parked, "a unit is never woken", [999, 1_000]) { $0.model["unitsWoken"] = 999 },
    Breach(Rule.parked, "units park in batches", [100, 1_000]) { $0.model["parkedAtClose"] = 100 },
    Breach(Rule.parked, "a unit does not wait", [999, 1_000]) { $0.model["unitsParked"] = 999 },
    Breach(Rule.state, "a state was overwritten", [999, 1_000]) { $0.model["statesIntact"] = 999 },
    Breach(Rule.state, "states are not read", [0]) { $0.model["checksum"] = 0 },
    Breach(Rule.resident, "states are not written", [3_000_000, bytes]) { $0.grownBytes = 3_000_000 },
    Breach(Rule.resident, "one state for all", [bytes / 4, bytes]) { $0.grownBytes = bytes / 4 },
    Breach(Rule.timer, "timers of no duration", [1_000, 0]) { $0.model["wokenByTimer"] = 1_000 },
    Breach(Rule.window, "fewer units in the window", [999, 1_000]) { $0.operations = 999 },
  ]
  static let gatedBreaches = [
    Breach(Rule.timer, "a timer fires early", [1, 0]) { $0.model["wokenEarly"] = 1 },
    Breach(Rule.timer, "units are woken without a timer", [0, 1_000]) { $0.model["wokenByTimer"] = 0 },
  ]

  @Test(arguments: breaches)
  func `each breach is found by its rule and no other, with counts`(breach: Breach) {
    breach.expectFound(in: Self.plain)
  }

  @Test(arguments: gatedBreaches)
  func `each breach of a gated trial is found by its rule and no other`(breach: Breach) {
    breach.expectFound(in: Self.gated)
  }

  @Test func `every rule has a breach here`() {
    let covered = Set((Self.breaches + Self.gatedBreaches).map(\.rule)).union(["balance"])
    #expect(covered == Set(Rule.allCases.map(\.rawValue)))
  }

  @Test func `the ledger is complete, and absurd numbers are findings`() {
    var trial = Self.plain
    expectGuardsItsLedger(trial, counts: Parked.ModelCount.allCases.map(\.rawValue))
    trial.grownBytes = .min
    #expect(trial.broken == ["resident"])
  }

  @Test func `memory that nobody could read is not held against the model, nor what it used again`() {
    var trial = Self.plain
    trial.grownBytes = nil
    #expect(trial.findings == [])
    trial.grownBytes = Self.bytes - 1_000_000
    #expect(trial.findings == [])
  }

  @Test(arguments: [(1, 0), (3, 1), (10, 2), (7, 8_192)])
  func `the oracle's sum is the sum of what units write`(units: Int, words: Int) throws {
    let parameters = try Parked.Parameters(["units": .integer(units), "liveState": .integer(words * 8)])
    #expect(parameters.checksum == UInt64(bitPattern: Int64(Self.checksum(units, words: words))))
    var sum: UInt64 = 0
    for unit in 0..<units {
      withUnsafeTemporaryAllocation(of: UInt64.self, capacity: words) { state in
        Parked.fill(state, unit: unit)
        let found = Parked.sum(UnsafeBufferPointer(state), unit: unit)
        #expect(found.isIntact)
        sum &+= found.sum
      }
    }
    #expect(sum == parameters.checksum)
  }

  @Test func `the sum of PROTOCOL's example comes out`() throws {
    let parameters = try Parked.Parameters(["units": .integer(3), "liveState": .integer(16)])
    #expect(parameters.checksum == 0xEFAC_8534_BF4E_76BB)
    #expect(Int(truncatingIfNeeded: parameters.checksum) == -1_176_418_941_056_158_021)
  }

  @Test func `one wrong bit anywhere is seen, and so is another unit's state`() {
    withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 128) { state in
      for index in state.indices {
        Parked.fill(state, unit: 5)
        state[index] ^= 1 << UInt64(index % 64)
        #expect(!Parked.sum(UnsafeBufferPointer(state), unit: 5).isIntact)
      }
      Parked.fill(state, unit: 6)
      #expect(!Parked.sum(UnsafeBufferPointer(state), unit: 5).isIntact)
    }
  }

  @Test func `parameters arrive typed, and a state of half a word is refused`() throws {
    let parameters = try Parked.Parameters(["units": .integer(4), "liveState": .integer(64)])
    #expect(parameters.units == 4 && parameters.liveState == 64 && parameters.liveStateWords == 8)
    #expect(throws: ParameterError.self) { try Parked.Parameters(["liveState": .integer(4)]) }
    #expect(throws: ParameterError.self) { try Parked.Parameters(["units": .integer(1_000_001)]) }
  }
}
