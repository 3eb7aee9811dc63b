// blocking-mix: the rate, the frames, and an oracle that finds each breach by its rule.

import Testing
import Workloads

@Suite struct BlockingMixTests {
  typealias Rule = BlockingMix.Rule

  struct TrialCounts: Sendable {
    var model: Ledger = [
      "requestsReceived": 600, "requestsAnswered": 600, "hogsReceived": 50, "hogsOffloaded": 50, "blockingCalls": 50,
      "clientConnectionsAccepted": 64, "clientConnectionsClosed": 64,
    ]
    var rig: Ledger = [
      "requestsSent": 600, "requestsAnswered": 600, "hogsSent": 50, "hogsReplaced": 70, "hogsAtOncePeak": 1,
      "hogsOvertaken": 47, "hogsInTheWay": 1,
    ]
    var parameters: [String: ParameterValue] = [
      "hogKind": .text("blocking-call"), "mitigation": .text("offload"),
    ]
    var isGated = true
    var openSockets: Int? = 0

    var findings: [Finding] {
      Workload.blockingMix.judge(
        Evidence(
          parameters: parameters, variant: nil, isGated: isGated, model: model, rig: rig, openSockets: openSockets))
    }
  }

  struct Breach: Sendable, CustomTestStringConvertible {
    let rule: Rule
    let name: String
    let commit: @Sendable (inout TrialCounts) -> Void
    init(_ rule: Rule, _ name: String, _ commit: @escaping @Sendable (inout TrialCounts) -> Void) {
      self.rule = rule
      self.name = name
      self.commit = commit
    }
    var testDescription: String { "\(rule.rawValue): \(name)" }
  }

  static let breaches: [Breach] = [
    Breach(.answeredOnce, "an id is never answered") {
      $0.rig["requestsAnswered"] = 599
      $0.rig["requestsUnanswered"] = 1
      $0.model["requestsAnswered"] = 599
    },
    Breach(.answeredOnce, "an id is answered twice") {
      $0.rig["answersRepeated"] = 3
      $0.model["requestsAnswered"] = 603
    },
    Breach(.answeredOnce, "an unknown id is answered") {
      $0.rig["answersUnknown"] = 2
      $0.model["requestsAnswered"] = 602
    },
    Breach(.answeredOnce, "client connections are closed early") { $0.rig["clientConnectionsLost"] = 4 },
    Breach(.checksum, "work is left out") { $0.rig["answersWrong"] = 7 },
    Breach(.blocked, "a call is left out") { $0.rig["answersTooSoon"] = 5 },
    Breach(.offload, "hogs block the workers") {
      $0.rig["hogsOvertaken"] = 3
      $0.rig["hogsInTheWay"] = 40
    },
    Breach(.frames, "a frame has another length") { $0.rig["framesMalformed"] = 15 },
    Breach(.balance, "a request is counted twice") { $0.model["requestsReceived"] = 601 },
    Breach(.balance, "hogs are not told apart") { $0.model["hogsReceived"] = 600 },
    Breach(.balance, "hogs are not moved") { $0.model["hogsOffloaded"] = 0 },
    Breach(.balance, "hogs burn instead of blocking") { $0.model["blockingCalls"] = 0 },
    Breach(.balance, "a connection is not closed") { $0.model["clientConnectionsClosed"] = 63 },
    Breach(.leftOpen, "sockets are open after the result") { $0.openSockets = 16 },
  ]

  @Test(arguments: breaches)
  func `each breach is found by its rule and no other`(breach: Breach) {
    var trial = TrialCounts()
    #expect(trial.findings == [])
    breach.commit(&trial)
    #expect(Set(trial.findings.map(\.rule)) == [breach.rule.rawValue], "\(trial.findings)")
  }

  @Test func `every rule has a breach here`() {
    #expect(Set(Self.breaches.map(\.rule)) == Set(Rule.allCases))
  }

  @Test func `without mitigation nothing is moved, and nobody need overtake a hog`() {
    var trial = TrialCounts()
    trial.parameters["mitigation"] = .text("none")
    trial.rig["hogsOvertaken"] = 0
    trial.rig["hogsInTheWay"] = 50
    #expect(trial.findings.map(\.rule) == ["balance"])
    trial.model["hogsOffloaded"] = 0
    #expect(trial.findings == [])
  }

  @Test func `hogs that burn call nothing, and a trial that is not gated shows no overtaking`() {
    var trial = TrialCounts()
    trial.isGated = false
    trial.rig["hogsOvertaken"] = 0
    trial.rig["hogsInTheWay"] = 0
    trial.parameters["hogKind"] = .text("cpu")
    trial.model["blockingCalls"] = 0
    #expect(trial.findings == [])
  }

  @Test(arguments: BlockingMix.ModelCount.allCases)
  func `a ledger that lacks a count is found by balance and the count named`(count: BlockingMix.ModelCount) {
    var trial = TrialCounts()
    trial.model[count.rawValue] = nil
    #expect(trial.findings.map(\.rule) == ["balance"])
    #expect(trial.findings.first?.message.contains(count.rawValue) == true)
  }

  @Test func `the rate keeps the workers as busy as offered, hogs that burn included`() throws {
    let cpu = try BlockingMix.Parameters([:])
    // 0.99 x 20 us + 0.01 x 10 ms = 119.8 us a request.
    #expect(abs(cpu.rate(workers: 1) - 0.6 / 119.8e-6) < 1e-6)
    #expect(cpu.rate(workers: 4) == 4 * cpu.rate(workers: 1))
    let call = try BlockingMix.Parameters(["hogKind": .text("blocking-call")])
    #expect(abs(call.rate(workers: 1) - 0.6 / 19.8e-6) < 1e-6)
    let none = try BlockingMix.Parameters(["hogShare": .integer(0)])
    #expect(abs(none.rate(workers: 2) - 60_000) < 1e-6)
  }

  /// Ten microseconds a request for sockets and switches, and nobody else to do the work.
  @Test(arguments: Workload.blockingMix.cases.map { ($0.name, $0.changes) })
  func `a model of one worker that every hog holds gets through each case but the overload`(
    name: String, changes: [String: ParameterValue]
  ) throws {
    let parameters = try BlockingMix.Parameters(changes)
    // Where hogs are moved to other threads, those that block hold nobody.
    let hogs = parameters.hogKind == .cpu || parameters.mitigation == .none ? parameters.hogShare : 0
    let nanoseconds =
      10_000 + (1 - parameters.hogShare) * Double(BlockingMix.interactiveNanoseconds)
      + hogs * Double(parameters.hogNanoseconds)
    let busy = parameters.rate(workers: 1) * nanoseconds / 1e9
    #expect(name.contains("overload") ? busy > 1 : busy < 0.75, "\(busy)")
  }

  @Test func `blocking hogs leave half of the connections to the others`() throws {
    let parameters = try BlockingMix.Parameters(["hogsAtOnce": .integer(8), "connections": .integer(64)])
    #expect(parameters.blockingHogs(workers: 1) == 8)
    #expect(parameters.blockingHogs(workers: 16) == 32)
    #expect(try BlockingMix.Parameters(["connections": .integer(2)]).blockingHogs(workers: 1) == 1)
  }

  @Test func `parameters arrive typed`() throws {
    let parameters = try BlockingMix.Parameters([
      "hogTime": .number(2.5), "hogShare": .number(5), "mitigation": .text("offload"), "goodLatency": .number(0.5),
    ])
    #expect(parameters.hogNanoseconds == 2_500_000)
    #expect(parameters.hogShare == 0.05)
    #expect(parameters.hogKind == .cpu && parameters.mitigation == .offload)
    #expect(parameters.goodLatencyNanoseconds == 500_000)
    #expect(throws: ParameterError.self) { try BlockingMix.Parameters(["hogShare": .number(51)]) }
    #expect(throws: ParameterError.self) { try BlockingMix.Parameters(["hogKind": .text("io")]) }
  }

  @Test(arguments: [
    BlockingMix.Work.interactive(iterations: 4_000), .hog(iterations: 2_000_000), .blockingHog(nanoseconds: 10_000_000),
  ])
  func `a request survives the wire`(work: BlockingMix.Work) {
    let request = BlockingMix.Request(id: 77, value: .max - 1, work: work)
    withUnsafeTemporaryAllocation(byteCount: 32, alignment: 8) { frame in
      request.write(to: frame)
      #expect(BlockingMix.Request(reading: UnsafeRawBufferPointer(frame)) == request)
      #expect(BlockingMix.Request(reading: UnsafeRawBufferPointer(rebasing: frame[..<31])) == nil)
      for (offset, byte) in [(0, UInt8(24)), (4, 4), (6, 3), (7, 1)] {
        let kept = frame[offset]
        frame[offset] = byte
        #expect(BlockingMix.Request(reading: UnsafeRawBufferPointer(frame)) == nil)
        frame[offset] = kept
      }
    }
  }

  @Test func `PROTOCOL's example is what goes over the wire`() {
    var bytes = [UInt8](repeating: 0, count: 32)
    bytes.withUnsafeMutableBytes { BlockingMix.Request(id: 1, value: 1, work: .hog(iterations: 3)).write(to: $0) }
    #expect(bytes == [32, 0, 0, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0])
    #expect(CPUWork.burn(seed: 1, iterations: 3) == 0xB18A_02F4_6D8D_86C3)
    #expect(CPUWork.burn(seed: 42, iterations: 1_000) == 0x3E5C_FA13_BC96_B328)
  }

  @Test func `iterations that no integer holds are clamped, not a crash`() {
    withUnsafeTemporaryAllocation(byteCount: 32, alignment: 8) { frame in
      BlockingMix.Request(id: 1, value: 1, work: .interactive(iterations: 0)).write(to: frame)
      frame.storeBytes(of: UInt64.max, toByteOffset: 24, as: UInt64.self)
      #expect(BlockingMix.Request(reading: UnsafeRawBufferPointer(frame))?.work == .interactive(iterations: .max))
    }
  }
}
