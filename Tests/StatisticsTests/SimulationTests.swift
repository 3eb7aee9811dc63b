// The decision rule on machines whose noise is known. Equal models are compared as a run does it: in rounds, each round
// in a random order. The rule has to stay at its level whatever the noise looks like, and to find what it says it finds.

import Glibc
import Testing

@testable import Statistics

/// How a figure varies from trial to trial; all of it about 6 %.
enum HostNoise: String, CaseIterable, CustomStringConvertible {
  case normal
  /// Exponential: mostly fast, now and then slow.
  case skewed
  /// Normal, on a host that loses 30 % over the run.
  case drifting
  /// A slow wave, most of it shared by neighbouring trials: autoregressive, 0.9 from one trial to the next.
  case correlated

  var description: String { rawValue }

  /// The logarithms of the figures of consecutive trials.
  func trials(_ count: Int, _ noise: inout Noise) -> [Double] {
    var wave = 0.06 * noise.normal()
    return (0..<count).map { trial in
      switch self {
      case .normal:
        return 0.06 * noise.normal()
      case .skewed:
        return 0.06 * noise.exponential()
      case .drifting:
        return 0.06 * noise.normal() - 0.3 * Double(trial) / Double(count)
      case .correlated:
        wave = 0.9 * wave + 0.06 * (1 - 0.9 * 0.9).squareRoot() * noise.normal()
        return wave + 0.02 * noise.normal()
      }
    }
  }
}

/// Runs of four models, equal but for what is injected, and the comparisons of all six pairs.
struct Simulation {
  static let models = 4
  private var noise: Noise
  private let host: HostNoise
  private let rounds: Int
  /// By how much the last model is slower.
  private let slowdown: Double

  init(_ host: HostNoise, rounds: Int, slowdown: Double = 1, seed: UInt64) {
    noise = Noise(seed: seed)
    self.host = host
    self.rounds = rounds
    self.slowdown = slowdown
  }

  /// The tests of a run that interleaves: one trial of each model per round, in random order. The last three are those
  /// of the last model against the others.
  mutating func interleaved() -> [RatioTest] {
    let trials = host.trials(rounds * Self.models, &noise)
    var figures = [[Double]](repeating: [], count: Self.models)
    for round in 0..<rounds {
      var order = Array(0..<Self.models)
      for index in stride(from: Self.models - 1, through: 1, by: -1) {
        order.swapAt(index, noise.index(below: index + 1))
      }
      for (position, model) in order.enumerated() { figures[model].append(trials[round * Self.models + position]) }
    }
    return compare(figures)
  }

  /// The same of a run that measures one model after the other.
  mutating func inBlocks() -> [RatioTest] {
    let trials = host.trials(rounds * Self.models, &noise)
    return compare((0..<Self.models).map { Array(trials[($0 * rounds)..<(($0 + 1) * rounds)]) })
  }

  private func compare(_ figures: [[Double]]) -> [RatioTest] {
    var tests: [RatioTest] = []
    for head in figures.indices {
      let injected = head == Self.models - 1 ? log(slowdown) : 0
      for base in 0..<head {
        let ratios = LogRatios(zip(figures[head], figures[base]).map { $0 - $1 + injected })
        if let test = RatioTest(ratios) { tests.append(test) }
      }
    }
    return tests
  }
}

@Suite struct SimulationTests {
  private func percent(_ count: Int, of all: Int) -> String {
    "\((Double(count) / Double(all) * 1_000).rounded() / 10) %"
  }

  @Test("equal models are told apart by chance only, whatever the noise", arguments: HostNoise.allCases)
  func sameAgainstSame(host: HostNoise) {
    var simulation = Simulation(host, rounds: 12, seed: 7)
    let runs = 5_000
    var rejected = 0
    var corrected = 0
    var families = 0
    for _ in 0..<runs {
      let p = simulation.interleaved().map(\.p)
      rejected += p.count { $0 <= 0.05 }
      let claims = holmAdjusted(p).count { $0 <= 0.05 }
      corrected += claims
      families += claims > 0 ? 1 : 0
    }
    let comparisons = runs * 6
    print(
      "A/A under \(host) noise, \(comparisons) comparisons of 12 rounds: uncorrected \(percent(rejected, of: comparisons)),",
      "Holm \(percent(corrected, of: comparisons)), families with any \(percent(families, of: runs))")
    #expect((0.02...0.09).contains(Double(rejected) / Double(comparisons)))
    #expect(Double(corrected) / Double(comparisons) <= 0.01)
    #expect(Double(families) / Double(runs) <= 0.06)
  }

  /// What the ranges above would notice, and what the rounds are for.
  @Test("without interleaving the same hosts make equal models unlike", arguments: [HostNoise.drifting, .correlated])
  func blocks(host: HostNoise) {
    var simulation = Simulation(host, rounds: 12, seed: 7)
    let runs = 200
    let rejected = (0..<runs).reduce(0) { count, _ in count + simulation.inBlocks().count { $0.p <= 0.05 } }
    print("A/A under \(host) noise in blocks of one model each: uncorrected \(percent(rejected, of: runs * 6))")
    #expect(Double(rejected) / Double(runs * 6) > 0.3)
  }

  @Test("a slowdown of 10 % is found as often as the power analysis says")
  func injected() {
    let level = 0.05 / 6
    let runs = 1_000
    for rounds in [8, 12, 19] {
      var simulation = Simulation(.normal, rounds: rounds, slowdown: 1.1, seed: 11)
      var found = 0
      for _ in 0..<runs { found += simulation.interleaved().suffix(3).count { $0.p <= level && $0.meanLogRatio > 0 } }
      let share = Double(found) / Double(3 * runs)
      let power = PowerAnalysis(spreadPerTrial: 0.06, familySize: 6).power(ratio: 1.1, rounds: rounds)
      print("10 % injected, \(rounds) rounds: found in \(percent(found, of: 3 * runs)), power \(power)")
      // The three comparisons of a run share a model: no more than its runs are independent.
      #expect(abs(share - power) < 4 * (power * (1 - power) / Double(runs)).squareRoot())
    }
  }

  @Test("a slowdown of 10 % is found in 19 rounds whatever the noise", arguments: HostNoise.allCases)
  func injectedOnAnyHost(host: HostNoise) {
    var simulation = Simulation(host, rounds: 19, slowdown: 1.1, seed: 13)
    let runs = 300
    var found = 0
    for _ in 0..<runs {
      let tests = simulation.interleaved()
      let adjusted = holmAdjusted(tests.map(\.p))
      found += (3..<6).count { adjusted[$0] <= 0.05 && tests[$0].meanLogRatio > 0 }
    }
    print("10 % injected under \(host) noise, 19 rounds, Holm: found in \(percent(found, of: 3 * runs))")
    #expect(Double(found) / Double(3 * runs) > 0.9)
  }
}
