// A run of a made-up workload whose figures are set, so that what is claimed of them is known.

import ResultFormat
import Workloads

/// What one trial is to show; nil fields are figures that it lacks.
struct MadeUpFigures {
  var throughput = 1_000.0
  var cpu = 5_000.0
  var kernelBytes: Int?
  var warnings: [Warning] = []
  var state = TrialState.ok
}

/// One case `made-up/x`, or several, whose models drive themselves as fast as they go.
/// - Parameter figures: by case, model and round (from 1).
func madeUpRun(
  models: [String], cases: [String] = ["made-up/x"], headlines: [String] = ["throughput"], rounds: Int,
  claims: Bool = true, figures: (_ name: String, _ model: String, _ round: Int) -> MadeUpFigures
) -> Run {
  let planned = cases.map {
    PlannedCase(
      name: $0, workload: "made-up", parameters: [:], windowSeconds: 2, workers: 2, rigProcessors: [],
      modelProcessors: [0, 1])
  }
  let rows = models.map { PlannedModel(name: $0, variant: nil, idiom: "works", allocator: nil, isGuest: false) }
  var order: [PlannedTrial] = []
  var trials: [Trial] = []
  for round in 1...rounds {
    for name in cases {
      for model in models {
        let number = order.count + 1
        order.append(PlannedTrial(number: number, round: round, case: name, model: model, variant: nil, seed: 1))
        let shown = figures(name, model, round)
        trials.append(
          Trial(
            number: number, model: model, variant: nil, workload: "made-up", case: name, parameters: [:], seed: 1,
            round: round, startedAt: "2026-01-31T12:00:00Z", state: shown.state,
            reason: shown.state == .ok ? nil : "it was to be so", warnings: shown.warnings,
            figures: shown.state == .ok ? shown.asFigures : nil))
      }
    }
  }
  let plan = Plan(
    preset: "standard", seed: 1, rounds: rounds, warmUpSeconds: 1, claims: claims,
    families: cases.flatMap { name in
      headlines.map { ClaimFamily(workload: "made-up", case: name, metric: $0) }
    },
    models: rows, cases: planned, trials: order, pairs: ClaimPair.all(among: rows))
  let environment = RunEnvironment(
    startedAt: "2026-01-31T12:00:00Z", label: "x", operatingSystem: "", kernel: "6.12.0", architecture: "",
    processor: "Made-Up 9000", processors: 2, memoryBytes: 1 << 30, virtualization: nil, clockSource: nil,
    compiler: "", build: "release", revision: nil, loadAverage: nil, warnings: [])
  return Run(environment: environment, plan: plan, trials: trials)
}

extension MadeUpFigures {
  fileprivate var asFigures: Figures {
    Figures(
      operations: Int(throughput * 2), operationsPerSecond: throughput, offeredPerSecond: nil,
      windowNanoseconds: 2_000_000_000, latencies: [:],
      memory: MemoryFigures(
        peakRSSBytes: nil, steadyRSSBytes: nil, steadyPSSBytes: nil, idlePSSBytes: nil, kernelBytes: kernelBytes,
        heapAllocatedBytes: nil, allocationsPerOperation: nil),
      cpu: CPUFigures(
        userNanosecondsPerOperation: cpu, systemNanosecondsPerOperation: 0, voluntarySwitches: 0,
        involuntarySwitches: 0, pageFaults: 0, peakThreadsSampled: nil),
      rig: nil)
  }
}
