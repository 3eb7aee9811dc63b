// The decision rule on machines whose noise is known. Equal models are compared as a run does it: in rounds, each round
// in a random order. The rule has to stay at its level whatever the noise looks like, and to find what it says it finds.

import Glibc
import Testing

@testable import Statistics

/// How a figure varies from trial to trial; all of it about 6 %.
enum HostNoise: String, CaseIterable, CustomTestStringConvertible {
  case normal
  /// Exponential: mostly fast, now and then slow.
  case skewed
  /// Normal, on a host that loses 30 % over the run.
  case drifting
  /// A slow wave, most of it shared by neighbouring trials: autoregressive, 0.9 from one trial to the next.
  case correlated

  var testDescription: String { rawValue }

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

/// Runs of four equal models, and the comparisons of all six pairs.
struct Simulation {
  static let models = 4
  var noise: Noise
  let host: HostNoise
  let rounds: Int

  init(_ host: HostNoise, rounds: Int, seed: UInt64) {
    noise = Noise(seed: seed)
    self.host = host
    self.rounds = rounds
  }

  /// The six p values of a run that interleaves: one trial of each model per round, in random order.
  mutating func interleaved() -> [Double] {
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
  mutating func inBlocks() -> [Double] {
    let trials = host.trials(rounds * Self.models, &noise)
    return compare((0..<Self.models).map { Array(trials[($0 * rounds)..<(($0 + 1) * rounds)]) })
  }

  private func compare(_ figures: [[Double]]) -> [Double] {
    var p: [Double] = []
    for head in figures.indices {
      for base in 0..<head {
        p.append(RatioTest(LogRatios(zip(figures[head], figures[base]).map { $0 - $1 }))?.p ?? 1)
      }
    }
    return p
  }
}

@Suite struct SimulationTests {
  @Test("equal models are told apart by chance only, whatever the noise", arguments: HostNoise.allCases)
  func sameAgainstSame(host: HostNoise) {
    var simulation = Simulation(host, rounds: 12, seed: 7)
    var uncorrected = 0
    var corrected = 0
    var families = 0
    let runs = 5_000
    for _ in 0..<runs {
      let p = simulation.interleaved()
      uncorrected += p.count { $0 <= 0.05 }
      let adjusted = holmAdjusted(p).count { $0 <= 0.05 }
      corrected += adjusted
      families += adjusted > 0 ? 1 : 0
    }
    let comparisons = Double(runs * 6)
    let rates = [Double(uncorrected) / comparisons, Double(corrected) / comparisons, Double(families) / Double(runs)]
    print("\(host.rawValue) noise: A/A rejections \(rates)")
    #expect((0.02...0.09).contains(rates[0]), "uncorrected")
    #expect(rates[1] <= 0.01, "corrected")
    #expect(rates[2] <= 0.06, "families with any false claim")
  }
  @Test("without interleaving the same hosts make equal models unlike", arguments: [HostNoise.drifting, .correlated])
  func blocks(host: HostNoise) {
    var simulation = Simulation(host, rounds: 12, seed: 7)
    let rejected = (0..<200).reduce(0) { count, _ in count + simulation.inBlocks().count { $0 <= 0.05 } }
    print("\(host.rawValue) noise in blocks: \(Double(rejected) / 1_200)")
    #expect(Double(rejected) / 1_200 > 0.3)
  }
  @Test func powers() {
    let analysis = PowerAnalysis(spreadPerTrial: 0.06, familySize: 6)
    for n in 5...30 { print(n, analysis.power(ratio: 1.1, rounds: n), analysis.smallestRatio(rounds: n)!) }
    print(analysis.rounds(toFind: 1.1)!)
  }
}
