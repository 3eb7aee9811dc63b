// System calls and events that are known, counted by the kernel; and runs with probed rounds. Where the kernel does not
// allow it, what is left to test is that it says so.

import CLinux
import Foundation
import Glibc
import ResultFormat
import Testing

@testable import Harness

@Suite(.serialized) struct SystemCallProbeTests {
  /// Why nothing can be counted here; nil if it can.
  static let refusal: ProbeRefusal? = {
    do throws(ProbeRefusal) {
      _ = try SystemCallProbe(getpid())
      return nil
    } catch {
      return error
    }
  }()
  static var isAllowed: Bool { refusal == nil }

  /// Nobody else in this process asks for it.
  private static let call = "sched_getscheduler"
  private static let number = (0..<Int(CLINUX_CALL_NUMBERS)).first { SystemCallProbe.name(of: $0) == call }!

  private func onThread(_ body: @escaping @Sendable () -> Void) async {
    await withCheckedContinuation { continuation in
      Thread {
        body()
        continuation.resume()
      }.start()
    }
  }

  @Test(.enabled(if: isAllowed)) func `every call of every thread is counted once, from the attaching on`() async throws
  {
    _ = sched_getscheduler(0)
    let probe = try SystemCallProbe(getpid())
    let before = try #require(probe.read())
    #expect(before[Self.number] == 0)
    for _ in 0..<1_000 { _ = sched_getscheduler(0) }
    for _ in 0..<4 { await onThread { for _ in 0..<250 { _ = sched_getscheduler(0) } } }
    let after = try #require(probe.read())
    #expect(after[Self.number] == 2_000)
    #expect(zip(before, after).allSatisfy { $0 <= $1 })
    // Reading is done by calls of this process, too.
    let bpf = try #require((0..<before.count).first { SystemCallProbe.name(of: $0) == "bpf" })
    #expect(after[bpf] - before[bpf] >= UInt64(CLINUX_CALL_NUMBERS))
  }

  @Test(.enabled(if: isAllowed)) func `the calls of another process are counted, and none of anybody else's`() throws {
    let child = Process()
    child.executableURL = URL(filePath: "/usr/bin/env")
    child.arguments = [
      "python3", "-c",
      "import os, sys\nsys.stdin.readline()\nfor _ in range(1234): os.sched_getscheduler(0)\nprint(flush=True)\n"
        + "sys.stdin.readline()",
    ]
    let (input, output) = (Pipe(), Pipe())
    child.standardInput = input
    child.standardOutput = output
    try child.run()
    defer {
      try? input.fileHandleForWriting.close()
      child.waitUntilExit()
    }
    let (own, its) = (try SystemCallProbe(getpid()), try SystemCallProbe(child.processIdentifier))
    try input.fileHandleForWriting.write(contentsOf: Data("\n".utf8))
    _ = output.fileHandleForReading.availableData
    let (ownCounts, itsCounts) = (try #require(own.read()), try #require(its.read()))
    #expect(itsCounts[Self.number] == 1_234)
    #expect(ownCounts[Self.number] == 0)
  }

  @Test(.enabled(if: isAllowed)) func `what counting costs is measured`() throws {
    let cost = try SystemCallProbe.cost(readings: 3, calls: 20_000)
    print("a system call under the probe takes \(cost.own) ns more, elsewhere \(cost.elsewhere) ns")
    #expect(cost.own.isFinite && cost.elsewhere.isFinite)
  }

  @Test func `a process that cannot be probed is refused with the step that failed`() {
    guard let refusal = Self.refusal else { return }
    #expect(refusal.reason.contains("failed ("), "\(refusal.reason)")
  }

  @Test func `events of threads that were started later, and have ended, are counted`() async throws {
    let probe: EventProbe
    do throws(ProbeRefusal) {
      probe = try EventProbe(getpid(), type: clinux_software_events, config: clinux_page_faults)
    } catch {
      #expect(error.reason.hasPrefix("not permitted: ") || error.reason.contains("perf_event_open"), "\(error.reason)")
      return
    }
    let before = try #require(probe.read())
    let pages = 64
    await onThread {
      let page = Int(sysconf(Int32(_SC_PAGESIZE)))
      let memory = mmap(nil, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
      madvise(memory, pages * page, MADV_NOHUGEPAGE)
      for index in 0..<pages { memory.storeBytes(of: 1, toByteOffset: index * page, as: UInt8.self) }
      munmap(memory, pages * page)
    }
    let after = try #require(probe.read())
    #expect(after >= before + UInt64(pages))
  }

  @Test func `counts are divided by the operations between the two readings`() throws {
    var calls = [UInt64](repeating: 0, count: Int(CLINUX_CALL_NUMBERS))
    calls[Self.number] = 10
    let before = ProbeReading(calls: calls, instructions: 1_000, cycles: nil, monotonicNanoseconds: 1_000_000_000)
    calls[Self.number] = 2_010
    calls[511] = 500
    let after = ProbeReading(calls: calls, instructions: 5_001_000, cycles: 7, monotonicNanoseconds: 3_000_000_000)
    let counts = try #require(ProbeCounts(from: before, to: after, operationsPerSecond: 500, cpuNanoseconds: 4))
    #expect(counts.systemCalls == [Self.call: 2, "call 511": 0.5])
    #expect(counts.instructions == 5_000)
    #expect(counts.cycles == nil)
    #expect(counts.cpuNanoseconds == 4)
    #expect(ProbeCounts(from: after, to: before, operationsPerSecond: 500, cpuNanoseconds: nil) == nil)
  }

  // MARK: Runs

  /// The fake says the same figures in every trial, and calls what nobody else calls.
  private struct Told: Encodable {
    var operations = 2_000
    var window: UInt64 = 1_000_000_000
    var latencies: [[UInt64]] = [[1_000_000, 2_000]]
    var usage = ["userNanoseconds": 2_000_000]
    var calls = 1_000
  }

  @Test func `probed rounds come after the timed ones and touch none of their figures`() async throws {
    let installation = try FakeInstallation.ofOwnPrograms()
    let file = "\(installation.folder)/figures.json"
    try JSONEncoder().encode([Told()]).write(to: URL(filePath: file))
    try installation.writeModel("known", running: "known_figures.py", file)
    let known = try await KnownRun(
      installation,
      [
        "timer-storm/paced", "--rounds", "4", "--warm-up", "0", "--window", "0.1", "--set", "cancelShare=0", "--probe",
      ])
    #expect(known.run.plan.probeRounds == 3)
    #expect(known.run.trials.map(\.number) == [1, 2, 3, 4])
    #expect(known.run.trials.allSatisfy { $0.figures?.operationsPerSecond == 2_000 })
    #expect(known.run.trials.allSatisfy { $0.figures?.latencies["all"]?.count == 2_000 })
    #expect(try known.metrics("known")["throughput"]?.values == [2_000, 2_000, 2_000, 2_000])
    let probes = try #require(known.run.probes)
    #expect(probes.probes.map(\.name) == ProbeState.Name.allCases)
    let usable = probes.probes.filter { $0.unavailable == nil }.count
    let began = try #require(contents(of: "\(file).trials")?.utf8.count)
    guard usable > 0 else {
      #expect(probes.trials.isEmpty && began == 4)
      #expect(known.markdown.contains("Not counted: system calls: "))
      return
    }
    #expect(began == 7)
    #expect(probes.trials.map(\.number) == [1, 2, 3])
    #expect(probes.trials.allSatisfy { $0.state == .ok })
    guard Self.isAllowed else { return }
    // On a host that stands still for half a second a trial's calls lie before the first reading.
    #expect(probes.trials.contains { ($0.counts?.systemCalls?[Self.call] ?? 0) > 0 })
    let cost = try #require(probes.probes.first?.nanosecondsPerCall)
    #expect(cost >= 0)
    #expect(known.markdown.contains("Counting costs the model "))
    #expect(known.markdown.contains("| all calls (/"))
    #expect(known.markdown.contains(" \(Self.call) (/"))
    print("known figures: per operation \(probes.trials.last?.counts?.systemCalls ?? [:])")
  }

  @Test func `a run that was cut short among its probed rounds makes them again`() async throws {
    var fake = try await FakeRun(rounds: 1)
    fake.plan.probeRounds = 1
    let interruption = Interruption()
    let execution = RunExecution(
      environment: fake.environment, plan: fake.plan, rows: fake.rows, folder: fake.folder,
      runner: TrialRunner(executables: fake.executables, interruption: interruption), processors: fake.processors)
    let completion = try await execution.run { event in
      if case .probing = event { interruption.request() }
    }
    guard completion.run.probes == nil else {
      #expect(completion.run.probes?.trials.isEmpty == true, "no probe can be used, so there was nothing to cut short")
      return
    }
    #expect(completion.isInterrupted && !completion.run.isComplete)
    #expect(completion.run.trials.count == fake.plan.trials.count)
    let run = try await fake.resume()
    #expect(run.isComplete)
    // Read and not made again; JSON does not tell 2000 from 2000.0.
    #expect(run.trials == (try RunFiles.readTrials(from: fake.folder)))
    #expect(run.trials.map(\.startedAt) == completion.run.trials.map(\.startedAt))
    #expect(run.trials.map(\.figures) == completion.run.trials.map(\.figures))
    #expect(run.probes?.trials.map(\.number) == fake.plan.trials.map(\.number))
    #expect(validate(runAt: fake.folder).map(\.description) == [])
  }
}
