// A small made-up run with one of everything that can happen to a trial. Golden/run.json is made from it; the tests
// here and those of the reports read the file.

import FoundationEssentials
import Glibc
import ResultFormat
import Workloads

enum Fixture {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Golden").path
  static var isUpdating: Bool { getenv("SWITCHYARD_UPDATE_GOLDEN") != nil }

  private static let rows: [(name: String, idiom: String, isGuest: Bool)] = [
    ("threads", "one thread per connection; a pool of threads for the sub-requests", false),
    ("async-loop", "one task per request on an epoll executor; a task group for the sub-requests", false),
    ("snake", "asyncio; gather for the sub-requests", true),
  ]
  private static let cases: [(name: String, changes: [String: ParameterValue])] = [
    ("fan-out/fixed-rate", [:]),
    ("fan-out/closed", ["load": .text("closed"), "connections": .integer(256), "backendConnections": .integer(2_048)]),
  ]

  static func run() throws -> Run {
    let plannedCases = try cases.map { name, changes in
      PlannedCase(
        name: name, workload: "fan-out", parameters: try Workload.fanOut.values(changes), windowSeconds: 6,
        workers: 1, rigProcessors: [0], modelProcessors: [1])
    }
    var planned: [PlannedTrial] = []
    for round in 1...3 {
      for (name, _) in cases {
        for row in rows {
          let number = planned.count + 1
          planned.append(
            PlannedTrial(
              number: number, round: round, case: name, model: row.name, variant: nil,
              seed: SplitMix64.mix(UInt64(number))))
        }
      }
    }
    let models = rows.map {
      PlannedModel(
        name: $0.name, variant: nil, idiom: $0.idiom, allocator: $0.isGuest ? nil : "jemalloc 5.3.0",
        isGuest: $0.isGuest)
    }
    let plan = Plan(
      preset: "quick", seed: .max - 1, rounds: 3, warmUpSeconds: 1, claims: false,
      families: [
        ClaimFamily(workload: "fan-out", case: "fan-out/fixed-rate", metric: "cpuPerOperation"),
        ClaimFamily(workload: "fan-out", case: "fan-out/fixed-rate", metric: "addedLatency"),
        ClaimFamily(workload: "fan-out", case: "fan-out/closed", metric: "throughput"),
      ],
      models: models, cases: plannedCases, trials: planned, pairs: ClaimPair.all(among: models))
    let environment = RunEnvironment(
      startedAt: "2026-01-31T12:00:00Z", label: "made-up-9000", operatingSystem: "Debian GNU/Linux 13 (trixie)",
      kernel: "6.12.0", architecture: "x86_64", processor: "Made-Up 9000", processors: 2,
      memoryBytes: 8 << 30, virtualization: "KVM", clockSource: "tsc", compiler: "Swift 6.3", build: "release",
      revision: "0123456789ab", loadAverage: 0.07,
      warnings: ["The processor is shared with other virtual machines: its speed may change without notice."])
    let trials = try planned.map { planned in
      try trial(planned, plannedCases.first { $0.name == planned.case }!)
    }
    return Run(environment: environment, plan: plan, trials: trials)
  }

  private static func trial(_ planned: PlannedTrial, _ shape: PlannedCase) throws -> Trial {
    var trial = Trial(
      number: planned.number, model: planned.model, variant: nil, workload: shape.workload, case: shape.name,
      parameters: shape.parameters, seed: planned.seed, round: planned.round,
      startedAt: "2026-01-31T12:\(planned.number < 10 ? "0" : "")\(planned.number):00Z", state: .ok)
    func fail(_ state: TrialState, _ reason: String, findings: [Finding] = []) -> Trial {
      trial.state = state
      trial.reason = reason
      trial.findings = findings
      return trial
    }
    let isClosed = shape.name == "fan-out/closed"
    switch (planned.model, isClosed, planned.round) {
    case ("snake", false, 1):
      return fail(.crashed, "model 'snake' died by signal 9 (Killed) in the window; its stderr is in trials/3/stderr")
    case ("snake", false, 3):
      trial.ledger = ledger(requests: 14_010, width: 8, received: 14_010 * 8)
      trial.rigLedger = rigLedger(requests: 14_010, width: 8, received: 14_010 * 8 - 2)
      return fail(
        .wrong, "model 'snake' failed fan-out (round 3)",
        findings: [
          Finding("sub-requests", "counted 112078 sub-requests, expected 112080"),
          Finding("balance", "subRequestsSent is 112080, expected 112078"),
        ])
    case ("snake", true, _):
      return fail(.unsupported, "closed | loop is not for <snakes>")
    case ("threads", true, 2):
      return fail(.voided, "the rig lost its processor for 1.3 s")
    case (_, true, 2):
      return fail(.voided, "fan-out/closed is void for all models in round 2, since trial 10 was")
    default:
      break
    }

    // Every figure is the model's base times a wobble of the round: +0, +2, -1 percent.
    let wobble = [1, 1.02, 0.99][planned.round - 1]
    let base = ["threads": 2.0, "async-loop": 1.0, "snake": 9.0][planned.model]!
    let rate = isClosed ? 12_345 / base.squareRoot() : 2_000
    let operations = Int(rate * 6 / (isClosed ? wobble : 1))
    let requests = operations * 7 / 6
    trial.ledger = ledger(requests: requests, width: 8, received: requests * 8)
    trial.rigLedger = rigLedger(requests: requests, width: 8, received: requests * 8)
    trial.counters = planned.model == "async-loop" ? ["wakeups": 40_321 * planned.round] : nil
    let busy = isClosed ? (planned.model == "async-loop" ? 0.91 : 0.62) : 0.31
    if busy > 0.8 { trial.warnings.append(.rigSaturated) }
    if busy > 0.5 { trial.warnings.append(.rigBusy) }
    if isClosed && planned.model == "threads" { trial.warnings.append(.setByParameters) }
    let lateness = try LatencySummary(recorded: spread(from: 900, scale: isClosed ? 9_000 : 4_000, samples: requests))
    trial.figures = Figures(
      operations: operations, operationsPerSecond: Double(operations) * 1e9 / 6e9,
      offeredPerSecond: isClosed ? nil : rate, windowNanoseconds: 6_000_000_000,
      latencies: [
        "all": try LatencySummary(
          recorded: spread(from: 1_100_000 + 50_000 * base, scale: 60_000 * base * wobble, samples: operations)),
        "added": try LatencySummary(
          recorded: spread(
            from: planned.model == "async-loop" ? 100 : 30_000 * base, scale: 4_500 * base * base * wobble,
            samples: operations)),
      ],
      measures: [],
      memory: MemoryFigures(
        peakRSSBytes: Int(9e6 * base), steadyRSSBytes: Int(8e6 * base), steadyPSSBytes: Int(7e6 * base * wobble),
        idlePSSBytes: 4_300_000, kernelBytes: planned.model == "threads" ? 14_000_000 : 180_000,
        heapAllocatedBytes: planned.model == "snake" ? nil : Int(2e6 * base),
        allocationsPerOperation: planned.model == "snake" ? nil : 21.25 * base * wobble),
      cpu: CPUFigures(
        userNanosecondsPerOperation: 21_000 * base * wobble, systemNanosecondsPerOperation: 33_000 * base * wobble,
        voluntarySwitches: Int(Double(operations) * 1.5 * base), involuntarySwitches: 17, pageFaults: 1_234,
        peakThreadsSampled: planned.model == "threads" ? 577 : 1),
      rig: RigFigures(
        busyShare: busy, cpuNanosecondsPerOperation: 48_000 * wobble, sendLateness: lateness,
        backendLateness: lateness))
    return trial
  }

  /// An exponential distribution above `from`, by its quantiles.
  private static func spread(from: Double, scale: Double, samples: Int) -> RecordedCounts {
    (0..<samples).map { [UInt64(from - scale * log1p(-(Double($0) + 0.5) / Double(samples))), 1] }
  }

  private static func ledger(requests: Int, width: Int, received: Int) -> Ledger {
    [
      "requestsReceived": requests, "requestsAnswered": requests, "subRequestsSent": received,
      "subRepliesReceived": received, "unitsStarted": requests * (1 + width), "unitsFinished": requests * (1 + width),
      "clientConnectionsAccepted": 64, "clientConnectionsClosed": 64, "backendConnectionsOpened": 512,
      "backendConnectionsClosed": 512,
    ]
  }

  private static func rigLedger(requests: Int, width: Int, received: Int) -> Ledger {
    var ledger = Ledger()
    for name in FanOut.RigCount.allCases { ledger[name.rawValue] = 0 }
    ledger["requestsSent"] = requests
    ledger["requestsAnswered"] = requests
    ledger["subRequestsReceived"] = received
    ledger["backendConnectionsPeak"] = 512
    return ledger
  }
}
