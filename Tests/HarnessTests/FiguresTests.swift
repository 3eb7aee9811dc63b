// Figures from made-up observations, on exact values.

import ResultFormat
import Testing
import Workloads

@testable import Harness

@Suite struct FiguresTests {
  /// 1,000 operations in a window of 2 s; the model's edges lie 2.5 s apart and 1 s of CPU.
  private func observation(processorNanoseconds: UInt64 = 1_000_000_000) -> Observation {
    func usage(_ at: UInt64, _ cpu: UInt64, _ allocations: Int) -> Usage {
      Usage(
        monotonicNanoseconds: at, userNanoseconds: cpu / 4, systemNanoseconds: cpu - cpu / 4,
        voluntarySwitches: allocations / 10, involuntarySwitches: 3, minorFaults: 5, majorFaults: 1,
        heapAllocatedBytes: 4096, heapAllocations: allocations)
    }
    var seen = Observation()
    seen.open = EdgeReading(
      usage: usage(1_000, 0, 0), outside: .init(processorNanoseconds: 0, monotonicNanoseconds: 1_000))
    seen.close = EdgeReading(
      usage: usage(2_500_001_000, processorNanoseconds, 12_500),
      outside: .init(processorNanoseconds: 1_000_000_000, monotonicNanoseconds: 2_500_001_000))
    seen.closing = Probe.Status(
      threads: 4, residentBytes: 8 << 20, peakResidentBytes: 9 << 20, pageTableBytes: 100_000, state: "S")
    seen.idlePSSBytes = 1 << 20
    seen.steadyPSSBytes = 7 << 20
    seen.peakThreadsSampled = 6
    return seen
  }

  private func rig(busy: UInt64 = 400_000_000, operations: Int = 1_000, lateness: RecordedCounts = [[100, 10]])
    -> RigResult
  {
    RigResult(
      windowOpenNanoseconds: 5, windowCloseNanoseconds: 2_000_000_005, operations: operations, offered: 1_000,
      latencies: ["all": [[1_000_000, 1_000]]], sendLateness: lateness, backendLateness: [[100, 10]],
      busyNanoseconds: busy, cpuNanoseconds: 2_000_000_000, isComplete: true, ledger: [:])
  }

  @Test func `costs are divided by the operations of the model's own interval`() throws {
    let figures = try Figures(observation(), rig: rig(), isOpenLoop: true)
    #expect(figures.operationsPerSecond == 500)
    #expect(figures.offeredPerSecond == 500)
    let cpu = try #require(figures.cpu)
    #expect(cpu.userNanosecondsPerOperation == 200_000)
    #expect(cpu.systemNanosecondsPerOperation == 600_000)
    #expect(cpu.voluntarySwitches == 1_250)
    #expect(cpu.peakThreadsSampled == 6)
    let memory = try #require(figures.memory)
    #expect(memory.allocationsPerOperation == 10)
    #expect(memory.kernelBytes == 100_000 + 4 * 16_384)
    #expect(memory.peakRSSBytes == 9 << 20)
    #expect(memory.heapAllocatedBytes == 4096)
    let own = try #require(figures.rig)
    #expect(own.busyShare == 0.2)
    #expect(own.cpuNanosecondsPerOperation == 400_000)
    #expect(figures.latencies["all"]?.count == 1_000)
  }

  private func warnings(
    _ seen: Observation, _ rig: RigResult, isOpenLoop: Bool = true, available: [Int] = [0, 1]
  ) throws -> [Warning] {
    let figures = try Figures(seen, rig: rig, isOpenLoop: isOpenLoop)
    return seen.warnings(figures, rig: rig, isOpenLoop: isOpenLoop, processors: ProcessorSets(available: available))
  }

  @Test func `an idle open loop has no warnings`() throws {
    #expect(try warnings(observation(), rig()) == [])
  }

  @Test func `a busy rig and a saturated one are told apart`() throws {
    #expect(try warnings(observation(), rig(busy: 1_000_000_000)) == [])
    #expect(try warnings(observation(), rig(busy: 1_000_000_001)) == [.rigBusy])
    #expect(try warnings(observation(), rig(busy: 1_600_000_001)) == [.rigSaturated, .rigBusy])
  }

  @Test func `a closed loop with nobody saturated is set by its parameters`() throws {
    #expect(try warnings(observation(), rig(), isOpenLoop: false) == [.setByParameters])
    var saturated = observation(processorNanoseconds: 2_100_000_000)
    saturated.close?.outside?.processorNanoseconds = 2_100_000_000
    #expect(try warnings(saturated, rig(), isOpenLoop: false) == [])
    #expect(try !warnings(observation(), rig(busy: 1_900_000_000), isOpenLoop: false).contains(.setByParameters))
  }

  @Test func `falling behind the offered rate shows below 95 percent`() throws {
    #expect(try warnings(observation(), rig(operations: 950)) == [])
    #expect(try warnings(observation(), rig(operations: 949)) == [.behindOfferedRate])
  }

  @Test(arguments: [(475, []), (474, [Warning.behindOfferedRate])])
  func `a paced model in its own window is told when it falls behind`(rate: Int, expected: [Warning]) throws {
    var seen = observation()
    seen.operations = 2 * rate
    seen.windowNanoseconds = 2_000_000_000
    let figures = try #require(Figures(inProcess: seen))
    #expect(seen.warnings(figures, pacedRate: 500) == expected)
    #expect(seen.warnings(figures, pacedRate: nil) == [])
  }

  @Test func `a late rig shows by its 99th percentile`() throws {
    #expect(try warnings(observation(), rig(lateness: [[100, 99], [2_000_000, 1]])) == [])
    #expect(try warnings(observation(), rig(lateness: [[100, 98], [2_000_000, 2]])) == [.rigLate])
  }

  @Test func `a model whose own CPU figures differ from the kernel's is found out`() throws {
    #expect(try warnings(observation(processorNanoseconds: 960_000_000), rig()) == [])
    #expect(try warnings(observation(processorNanoseconds: 900_000_000), rig()) == [.cpuDisagrees])
    var slight = observation(processorNanoseconds: 10_000_000)
    slight.close?.outside?.processorNanoseconds = 20_000_000
    #expect(try warnings(slight, rig()) == [])
    // Read late, but the same share of a processor.
    var late = observation()
    late.close?.outside = .init(processorNanoseconds: 1_200_000_000, monotonicNanoseconds: 3_000_001_000)
    #expect(try warnings(late, rig()) == [])
  }

  @Test func `a shared processor is said`() throws {
    #expect(try warnings(observation(), rig(), available: [0]) == [.sharedProcessor])
  }

  @Test func `a window that lost more than a tenth of a processor says so, served or not`() throws {
    var seen = observation()
    seen.operations = 1_000
    seen.windowNanoseconds = 2_000_000_000
    let figures = try #require(Figures(inProcess: seen))
    for (others, expected) in [(0.06, [Warning.hostBusy]), (0.04, [])] {
      seen.host = HostFigures(othersProcessors: others, stolenProcessors: 0.05, interruptProcessors: 0.3)
      #expect(try warnings(seen, rig()) == expected)
      #expect(seen.warnings(figures, pacedRate: nil) == expected)
    }
  }

  @Test func `a percentile of recorded counts is the smallest value that covers its share`() {
    let recorded: RecordedCounts = [[1, 50], [2, 49], [9, 1]]
    #expect(recorded.value(atPerTenThousand: 5_000) == 1)
    #expect(recorded.value(atPerTenThousand: 5_001) == 2)
    #expect(recorded.value(atPerTenThousand: 9_900) == 2)
    #expect(recorded.value(atPerTenThousand: 10_000) == 9)
    #expect(RecordedCounts().value(atPerTenThousand: 5_000) == nil)
  }
}

@Suite struct ProgressTests {
  @Test func `the time left follows the plan, then the pace`() {
    let trials = (1...4).map {
      PlannedTrial(
        number: $0, round: 1, case: "fan-out/closed", model: "threads", variant: $0 == 1 ? nil : "gather", seed: 1)
    }
    let plan = Plan(
      preset: "quick", seed: 1, rounds: 1, warmUpSeconds: 1, claims: false, families: [], models: [],
      cases: [
        PlannedCase(
          name: "fan-out/closed", workload: "fan-out", parameters: [:], windowSeconds: 4, workers: 1, rigProcessors: [],
          modelProcessors: [])
      ], trials: trials)
    var progress = Progress(plan)
    progress.start(trials[0], at: 100)
    let left = Progress.words(4 * plan.expectedSeconds(of: trials[0]))
    #expect(progress.line(at: 100) == "0/4 · fan-out/closed · threads · round 1/1 · \(left) left")
    progress.finish()
    progress.start(trials[1], at: 130)
    #expect(progress.line(at: 130) == "1/4 · fan-out/closed · threads:gather · round 1/1 · 1 min 30 s left")
    // What is skipped takes no time and says nothing about the pace.
    var short = Progress(plan, skipping: [1, 3])
    short.start(trials[0], at: 100)
    short.finish()
    #expect(short.line(at: 100) == "1/4 · done · \(Progress.words(2 * plan.expectedSeconds(of: trials[0]))) left")
  }

  @Test(arguments: [(0.4, "0 s"), (59, "59 s"), (60, "1 min"), (190, "3 min 10 s"), (3_900, "1 h 5 min"), (-3, "0 s")])
  func `durations are put in words`(_ seconds: Double, _ words: String) { #expect(Progress.words(seconds) == words) }
}
