import Testing
import Workloads

@testable import Rig

@Suite("Trials of honest models")
struct HonestTrialTests {
  @Test("a load bounded by count sends that many requests and every count balances", arguments: [false, true])
  func counted(spins: Bool) throws {
    let outcome = try trial(spins: spins)
    #expect(outcome.replies == [.listening, .edge, .edge, .drained, .result])
    #expect(outcome.status == 0)
    #expect(outcome.offences == [:])
    #expect(outcome.count(.requestsSent) == 40)
    #expect(outcome.count(.requestsAnswered) == 40)
    #expect(outcome.count(.subRequestsReceived) == 320)
    #expect(outcome.count(.backendConnectionsPeak) == 32)
    let result = outcome.result
    #expect(result.isComplete)
    #expect(result.operations == 40)
    #expect(result.offered == 40)
    for counts in [result.latencies["all"]!, result.latencies["added"]!, result.sendLateness] {
      #expect(counts.reduce(0) { $0 + $1[1] } == 40)
    }
    #expect(result.backendLateness.reduce(0) { $0 + $1[1] } == 320)
    #expect(result.windowCloseNanoseconds > result.windowOpenNanoseconds)
    #expect(result.busyNanoseconds > 0)
    #expect(result.cpuNanoseconds > 0)
  }

  @Test("a load bounded by time records what was intended in the window and announces its edges")
  func timed() throws {
    let outcome = try trial(
      .none, ["load": .text("poisson"), "rate": .number(1_000)], operations: nil, warmUpMilliseconds: 50,
      windowMilliseconds: 200)
    let result = outcome.result
    #expect(outcome.replies == [.listening, .edge, .edge, .drained, .result])
    #expect(outcome.offences == [:])
    #expect(result.isComplete)
    #expect(result.windowCloseNanoseconds - result.windowOpenNanoseconds == 200_000_000)
    // The schedule is the seed's, so the numbers are exact: those due in 50 to 250 ms, and all up to there.
    var schedule = LoadSchedule(seed: 42, rate: 1_000, burst: 1)
    var due: [UInt64] = []
    while schedule.nextNanoseconds < 250_000_000 {
      due.append(schedule.nextNanoseconds)
      schedule.advance()
    }
    #expect(outcome.count(.requestsSent) == due.count)
    #expect(result.offered == due.count { $0 >= 50_000_000 })
    #expect(result.latencies["all"]!.reduce(0) { $0 + $1[1] } == UInt64(result.offered))
  }

  @Test("a request that waits for an idle connection counts from its intended start")
  func waitCounts() throws {
    // One connection, 10 ms a request, 20 requests due at once: the last waits for 19 others.
    let outcome = try trial(
      .none,
      [
        "load": .text("bursts"), "burst": .integer(20), "rate": .number(1_000), "connections": .integer(1),
        "serviceTime": .text("fixed(10ms)"),
      ], operations: 20)
    #expect(outcome.offences == [:])
    #expect(outcome.result.latencies["all"]!.last![0] >= 199_000_000)
    #expect(outcome.result.latencies["all"]!.first![0] >= 10_000_000)
    // The wait is the model's doing, the request's own 10 ms are not; both values are good to a thousandth.
    let (added, all) = (outcome.result.latencies["added"]!.last![0], outcome.result.latencies["all"]!.last![0])
    #expect(Double(added) <= Double(all) * 1.002 - 10e6)
  }

  @Test("frames larger than a socket buffer are put together on both sides")
  func large() throws {
    let outcome = try trial(
      .none, ["requestBytes": .integer(65_536), "replyBytes": .integer(65_536)])
    #expect(outcome.offences == [:])
    #expect(outcome.count(.requestsAnswered) == 40)
  }

  @Test("frames that arrive byte by byte are put together")
  func byteByByte() throws {
    let outcome = try trial(.writesByteByByte, operations: 10)
    #expect(outcome.offences == [:])
    #expect(outcome.count(.requestsAnswered) == 10)
  }

  @Test("gated: siblings that are sent together pass the gate")
  func gated() throws {
    let outcome = try trial(isGated: true)
    #expect(outcome.offences == [:])
    #expect(outcome.count(.gateReached) == 0)
    #expect(outcome.count(.requestsAnswered) == 40)
  }

  @Test("a width of 64 uses all bits of the arrival map")
  func wide() throws {
    let outcome = try trial(
      .none, ["width": .integer(64), "backendConnections": .integer(256)], operations: 12, isGated: true)
    #expect(outcome.offences == [:])
    #expect(outcome.count(.subRequestsReceived) == 12 * 64)
  }
}

@Suite("Trials of models that break the contract")
struct FaultyTrialTests {
  /// With 40 requests, ids 5, 10, ... 40 are served wrongly: 8 of them.
  @Test(
    "a fault is counted under its own name, as often as it happened, and under no other",
    arguments: [
      (Fault.answersTwice, ["answersRepeated": 8]),
      (.answersUnknownId, ["answersUnknown": 8]),
      (.answersWithWrongSum, ["answersWrong": 8]),
      (.answersEarly, ["answersEarly": 8, "answersWrong": 8, "subRequestsUnknown": -1]),
      (.skipsSubRequest, ["answersEarly": 8, "answersWrong": 8]),
      (.repeatsSubRequest, ["subRequestsRepeated": 8]),
      (.inventsSubRequest, ["subRequestsUnknown": 8]),
      (.altersToken, ["subRequestsAltered": 8]),
      (.altersPayload, ["subRequestsAltered": 8]),
    ])
  func named(fault: Fault, expected: [String: Int]) throws {
    let outcome = try trial(fault)
    // -1: as often as the threads' timing has it.
    #expect(outcome.offences.filter { expected[$0.key] != -1 } == expected.filter { $0.value != -1 })
    #expect(outcome.offences.keys.allSatisfy { expected[$0] != nil })
    #expect(outcome.count(.requestsAnswered) == 40)
    #expect(outcome.result.isComplete)
  }

  @Test("sub-requests that overlap on a connection are counted, and still answered in order")
  func overlaps() throws {
    let outcome = try trial(.overlapsSubRequests, ["serviceTime": .text("fixed(5ms)")])
    #expect(outcome.offences == ["subRequestsOverlapping": 8])
    #expect(outcome.count(.requestsAnswered) == 40)
  }

  @Test("more backend connections than allowed are served, and their peak is reported")
  func tooManyConnections() throws {
    let outcome = try trial(.opensTooManyBackendConnections)
    #expect(outcome.count(.backendConnectionsPeak) == 4 * (8 + 32))
    #expect(outcome.offences == [:])
  }

  @Test("gated: children that run one after another are released after patience, and counted")
  func stuckGate() throws {
    // Patience counts from the last progress: a thread of the model's may come to its first sub-request too late.
    let isCounted = try givenTime([1, 5, 30]) { factor in
      let outcome = try trial(.oneChildAtATime, isGated: true, patienceMilliseconds: factor * 1_000)
      return outcome.offences == ["gatesStuck": 4] && outcome.count(.gateReached) == 1
        && outcome.count(.requestsAnswered) == 40
    }
    #expect(isCounted)
  }

  @Test(
    "malformed answers are counted and their connections closed; the requests on them stay unanswered",
    arguments: [Fault.answersGarbage, .answersShortFrame])
  func garbage(fault: Fault) throws {
    let outcome = try trial(fault)
    // Each of the four connections is closed at the first id that it answers with garbage.
    #expect(outcome.offences == ["framesMalformed": 4, "requestsUnanswered": 4])
    #expect(!outcome.result.isComplete)
  }

  @Test("malformed sub-requests are counted and their connections closed")
  func garbageAtBackend() throws {
    let outcome = try trial(.sendsGarbageToBackend)
    #expect(outcome.count(.framesMalformed) == 8)
    #expect(outcome.offences == ["framesMalformed": 8, "answersEarly": 8, "answersWrong": 8])
  }

  @Test("client connections that the model closes are counted; the load goes on over the others")
  func closesSome() throws {
    let outcome = try trial(.closesClientConnection)
    #expect(outcome.offences == ["clientConnectionsLost": 4, "requestsUnanswered": 4])
    #expect(outcome.replies == [.listening, .edge, .edge, .drained, .result])
  }

  @Test("when no client connection is left, a timed load ends early and both edges are announced")
  func closesAll() throws {
    let outcome = try trial(
      .closesAllClientConnections, operations: nil, warmUpMilliseconds: 60_000, windowMilliseconds: 60_000)
    #expect(outcome.offences == ["clientConnectionsLost": 4, "requestsUnanswered": 4])
    #expect(outcome.replies == [.listening, .edge, .edge, .drained, .result])
    #expect(!outcome.result.isComplete)
  }

  @Test("a model that stops answering is given up after patience, long before the load would end")
  func stopsAnswering() throws {
    let outcome = try trial(
      .neverAnswers, operations: nil, warmUpMilliseconds: 0, windowMilliseconds: 60_000, patienceMilliseconds: 3_000)
    #expect(outcome.offences == ["requestsUnanswered": 4])
    #expect(!outcome.result.isComplete)
    #expect(outcome.result.windowCloseNanoseconds - outcome.result.windowOpenNanoseconds < 60_000_000_000)
  }

  @Test("a backend connection that is closed while a reply is due frees its place")
  func closesWhileOwed() throws {
    let outcome = try trial(
      .closesBackendConnectionWhileOwed, ["serviceTime": .text("fixed(2ms)")])
    #expect(outcome.count(.requestsAnswered) == 40)
    #expect(outcome.count(.subRequestsRepeated) == 8)
    #expect(outcome.count(.backendConnectionsPeak) <= 32)
  }
}
