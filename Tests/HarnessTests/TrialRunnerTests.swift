// The runner against models and rigs that misbehave: each is caught and named, and none becomes a number.

import Foundation
import Glibc
import ResultFormat
import Testing
import Workloads

@testable import Harness

@Suite struct TrialRunnerTests {
  let installation: FakeInstallation
  let folder: String

  init() throws {
    installation = try FakeInstallation()
    folder = "\(installation.folder)/trials/1"
  }

  private func run(
    _ behaviour: String, rig: String = "honest-rig", interruption: Interruption = Interruption(),
    _ change: (inout TrialOrder) -> Void = { _ in }
  ) async throws -> Trial? {
    var order = TrialOrder.quick(try installation.model(behaviour))
    change(&order)
    let runner = TrialRunner(executables: try installation.executables(rig: rig), interruption: interruption)
    let result = try await runner.run(order, folder: folder)
    let planned = PlannedTrial(number: 1, round: 3, case: "fan-out/fixed-rate", model: behaviour, variant: nil, seed: 1)
    return Trial(planned, of: order, startedAt: "2026-01-31T12:00:00Z", result)
  }

  private func reason(_ behaviour: String, _ text: String) -> String {
    "model '\(behaviour)' failed fan-out/fixed-rate (round 3): \(text); its stderr is in trials/1/stderr"
  }

  @Test func `an honest model gets figures, ledgers and its counters`() async throws {
    let trial = try #require(try await run("honest"))
    #expect(trial.state == .ok)
    #expect(trial.reason == nil)
    let figures = try #require(trial.figures)
    #expect(figures.operations == 20)
    #expect(figures.cpu != nil)
    #expect(try #require(figures.memory?.idlePSSBytes) > 0)
    #expect(try #require(figures.memory?.peakRSSBytes) > 0)
    #expect(figures.cpu?.peakThreadsSampled == 1)
    #expect(trial.ledger?["requestsAnswered"] == 20)
    #expect(trial.rigLedger?["requestsSent"] == 20)
    #expect(trial.counters == ["jokes": 1])
    let replies = try #require(contents(of: "\(folder)/reply.jsonl"))
    #expect(replies.split(separator: "\n").count == 4)
    #expect(try #require(contents(of: "\(folder)/request.json")).contains("\"workload\":\"fan-out\""))
  }

  @Test(arguments: [
    ("exits-with-3", TrialState.crashed, "exited with status 3"),
    ("exits-with-0", .crashed, "exited with status 0 before it had printed its result"),
    ("dies-in-the-window", .crashed, "was killed by SIGKILL (9)"),
    ("declares-limit", .limit, "gave up: creating a thread failed (reached 31872)"),
    ("declares-memory", .outOfMemory, "gave up: no memory"),
    ("declares-failure", .crashed, "gave up: boom"),
    ("exits-badly", .crashed, "exited with status 4 after its result"),
  ]) func `a model that ends early is named with its state`(_ behaviour: String, _ state: TrialState, _ text: String)
    async throws
  {
    let trial = try #require(try await run(behaviour))
    #expect(trial.state == state)
    #expect(trial.reason == reason(behaviour, text))
    #expect(trial.figures == nil)
  }

  @Test(arguments: [
    ("hangs-before-ready", "gave no 'ready' within 300 ms"), ("hangs-at-the-edge", "gave no 'edge' within 300 ms"),
    ("hangs-at-drain", "gave no 'result' within 300 ms"),
    ("never-exits", "did not exit within 300 ms after its result and the end of its input"),
  ]) func `a model that hangs is stopped and named`(_ behaviour: String, _ text: String) async throws {
    let trial = try #require(
      try await run(behaviour) { order in
        let short = Duration.milliseconds(300)
        switch behaviour {
        case "hangs-before-ready": order.deadlines.ready = short
        case "hangs-at-the-edge": order.deadlines.edge = short
        case "hangs-at-drain": order.deadlines.drain = short
        default: order.deadlines.exit = short
        }
      })
    #expect(trial.state == .timeout)
    #expect(trial.reason == reason(behaviour, text))
  }

  @Test(arguments: [
    ("prints-garbage", "protocol: printed 'Hello, world!' where 'ready' was due"),
    ("never-ends-its-line", "protocol: a line of more than 1048576 bytes on standard output"),
    ("talks-without-end", "protocol: printed '{}' where 'ready' was due"),
    ("mixes-up-edges", "protocol: answered edge 'open' with 'close'"),
    ("closes-its-output", "protocol: closed its standard output and went on running"),
    ("answers-one-too-few", "units: counted 171 started and 171 finished, expected 180 each"),
    ("leaves-a-socket-open", "left-open: 1 TCP sockets still open after the result"),
    ("goes-on-talking", "protocol: printed '{\"reply\": \"result\""),
    ("lies-about-its-port", "protocol: 'ready' names the port "),
  ]) func `a model that breaks a rule is wrong, and the rule is named`(_ behaviour: String, _ text: String)
    async throws
  {
    let trial = try #require(
      try await run(behaviour) { order in
        if behaviour == "closes-its-output" { order.deadlines.exit = .milliseconds(300) }
      })
    #expect(trial.state == .wrong)
    #expect(try #require(trial.reason).hasPrefix("model '\(behaviour)' failed fan-out/fixed-rate (round 3): \(text)"))
    #expect(try #require(trial.findings.first).description.hasPrefix(String(text.prefix { $0 != ":" })))
    #expect(trial.figures == nil)
  }

  @Test func `200 MB on standard error neither block the model nor fill the disk`() async throws {
    let trial = try #require(try await run("floods-stderr"))
    #expect(trial.state == .ok)
    let kept = try #require(contents(of: "\(folder)/stderr"))
    #expect(kept.utf8.count < (1 << 20) + 100)
    #expect(kept.hasSuffix("[\(199 << 20) more bytes were not kept]\n"))
  }

  @Test func `what a model leaves in its group dies with it`() async throws {
    #expect(try await run("leaves-a-grandchild")?.state == .ok)
    let text = try #require(contents(of: "\(folder)/stderr")).split(separator: "\n")[0]
    let grandchild = try #require(pid_t(text))
    // Killed, it dies when it next gets a processor, and stays a zombie until whoever inherited it looks after it.
    let deadline = ContinuousClock.now + .seconds(120)
    func isGone() -> Bool { [nil, "Z"].contains(Probe(pid: grandchild).status().state) }
    while !isGone() && .now < deadline { try await Task.sleep(for: .milliseconds(5)) }
    #expect(isGone())
  }

  @Test func `a model that declines is unsupported, in its own words`() async throws {
    let trial = try #require(try await run("declares-unsupported"))
    #expect(trial.state == .unsupported)
    #expect(trial.reason == "gave up: not in my idiom")
  }

  @Test func `a program that cannot be started is a crash`() async throws {
    try installation.write("#!/nowhere/at-all\n", as: "no-program")
    let trial = try #require(try await run("no-program"))
    #expect(trial.state == .crashed)
    #expect(try #require(contents(of: "\(folder)/stderr")).hasPrefix("switchyard-launch: cannot run"))
  }

  @Test(arguments: [
    ("dying-rig", "the rig exited with status 3 before it was done"),
    ("failing-rig", "the rig failed: the moon is in the way"),
  ]) func `a rig at fault voids the trial`(_ rig: String, _ text: String) async throws {
    let trial = try #require(try await run("honest", rig: rig))
    #expect(trial.state == .voided)
    #expect(trial.reason == text)
  }

  @Test func `what the window lost to others is recorded, also where the trial failed`() async throws {
    for behaviour in ["honest", "answers-one-too-few"] {
      // Long enough for the kernel's ticks, however late a loaded machine reads the edges.
      let trial = try #require(try await run(behaviour) { $0.window = .seconds(1) })
      let host = try #require(trial.host, "\(trial.reason ?? "")")
      #expect(host.othersProcessors >= 0 && host.othersProcessors <= 1_024)
    }
  }

  @Test func `a mute rig voids the trial and no model is started`() async throws {
    let trial = try #require(
      try await run("honest", rig: "mute-rig") { $0.deadlines.rig = .milliseconds(300) })
    #expect(trial.state == .voided)
    #expect(contents(of: "\(folder)/reply.jsonl") == "")
  }

  @Test func `an interruption ends the trial at once and leaves no trial`() async throws {
    let interruption = Interruption()
    let folder = folder
    async let trial = run("honest", interruption: interruption) { $0.window = .seconds(3600) }
    // The model's first reply is in its transcript: the trial is under way.
    while contents(of: "\(folder)/reply.jsonl")?.contains("ready") != true {
      try await Task.sleep(for: .milliseconds(5))
    }
    interruption.request()
    #expect(try await trial == nil)
  }
}
