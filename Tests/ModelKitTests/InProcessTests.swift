// An in-process trial's conversation: the model owns the window and reports its edges unasked.

import CLinux
import Testing
import Workloads

@testable import ModelKit

@Suite struct InProcessTests {
  let input = Pipe()
  let output = Pipe()

  static let begin = #"{"command":"begin"}"# + "\n"
  static let drain = #"{"command":"drain"}"# + "\n"

  func session(
    warmUp: UInt64? = 1_000_000, window: UInt64? = 2_000_000, parameters: [String: ParameterValue] = [:],
    isGated: Bool? = nil, iterationsPerMillisecond: Int? = nil
  ) -> Session {
    let request = TrialRequest(
      workload: "pipeline", variant: nil, parameters: parameters, seed: 1, workers: 2, warmUpNanoseconds: warmUp,
      windowNanoseconds: window, isGated: isGated, iterationsPerMillisecond: iterationsPerMillisecond)
    return Session(request: request, channel: LineChannel(input: input.readEnd, output: output.writeEnd))
  }

  /// The replies, in order.
  func replies() throws -> [ModelReply] {
    let written = Pipe()
    written.write(output.readAll())
    written.closeWriteEnd()
    let channel = LineChannel(input: written.readEnd, output: -1)
    var replies: [ModelReply] = []
    while let reply: ModelReply = try channel.next() { replies.append(reply) }
    return replies
  }

  @Test func `ready has no port`() throws {
    try session().ready()
    #expect(output.readAll() == #"{"reply":"ready"}"# + "\n")
  }

  @Test func `begin fixes the window: the warm-up from now, and then its length`() throws {
    input.write(Self.begin)
    let before = monotonicNanoseconds()
    let window = try session().awaitBegin()
    let after = monotonicNanoseconds()
    #expect(window.opens >= before + 1_000_000 && window.opens <= after + 1_000_000)
    #expect(window.closes - window.opens == 2_000_000)
  }

  @Test func `anything but begin is a failure that names it`() {
    for (line, named) in [(Self.drain, "drain"), (#"{"command":"edge","edge":"open"}"# + "\n", "edge")] {
      input.write(line)
      let failure = #expect(throws: ModelFailure.self) { try session().awaitBegin() }
      #expect(failure?.reason.contains("'\(named)'") == true)
    }
    input.closeWriteEnd()
    let failure = #expect(throws: ModelFailure.self) { try session().awaitBegin() }
    #expect(failure?.reason.contains("the input ended") == true)
  }

  @Test func `a trial without a window's length cannot begin`() {
    input.write(Self.begin)
    #expect(throws: ModelFailure.self) { try session(window: nil).awaitBegin() }
    #expect(throws: ModelFailure.self) { try session(window: 0).window() }
    #expect(throws: ModelFailure.self) { try session(warmUp: nil).window() }
    #expect(throws: ModelFailure.self) { try session(warmUp: .max).window() }
  }

  @Test func `conduct reports both edges in their time, drains, and prints what was measured`() throws {
    input.write(Self.begin + Self.drain)
    let session = session(warmUp: 3_600_000_000_000)
    let window = try session.awaitBegin()
    // The drain is there already, and yet ends nothing but the wait for it, since the window is over.
    let quiet = Window(opens: monotonicNanoseconds(), closes: monotonicNanoseconds())
    #expect(quiet.opens < window.opens)
    var count = 0
    var drains = 0
    try session.conduct(
      quiet,
      operations: {
        count += 40
        return count
      }, ledger: { ["items": count, "drains": drains] }, counters: { ["steals": 7] },
      drain: {
        drains += 1
        return InProcessResult(latencies: ["all": [[5, 2]]], measures: [Measure("spread", unit: "ratio", 1.5)])
      })
    let replies = try replies()
    #expect(replies.map(\.reply) == [.edge, .edge, .result])
    #expect(replies.map(\.edge) == [.open, .close, nil])
    #expect(replies.map { $0.ledger?["items"] } == [40, 80, 80])
    let result = try #require(replies.last)
    #expect(result.operations == 40)
    #expect(result.latencies == ["all": [[5, 2]]])
    #expect(result.measures == [Measure("spread", unit: "ratio", 1.5)])
    #expect(result.counters == ["steals": 7])
    #expect(result.ledger == ["items": 80, "drains": 1])
  }

  @Test func `the edges are not before the window's ends`() throws {
    let session = session()
    let opens = monotonicNanoseconds() + 3_000_000
    let window = Window(opens: opens, closes: opens + 4_000_000)
    input.write("")
    try withoutInput(session, window) { InProcessResult(operations: 3) }
    let replies = try replies()
    let edges = replies.compactMap { $0.usage?.monotonicNanoseconds }
    #expect(edges.count == 2)
    #expect(edges[0] >= window.opens && edges[1] >= window.closes)
    #expect(replies.last?.operations == 3)
  }

  /// Conducts a trial whose input ends as soon as the closing edge has been asked for.
  func withoutInput(_ session: Session, _ window: Window, _ drain: () throws -> InProcessResult) throws {
    var edges = 0
    try session.conduct(
      window,
      ledger: {
        edges += 1
        if edges == 2 { input.closeWriteEnd() }
        return [:]
      }, drain: drain)
  }

  @Test func `a harness that goes away ends the trial at once`() throws {
    let session = session()
    let opens = monotonicNanoseconds() + 3_600_000_000_000
    input.closeWriteEnd()
    var drains = 0
    try session.conduct(
      Window(opens: opens, closes: opens + 1), operations: { 9 }, ledger: { [:] },
      drain: {
        drains += 1
        return InProcessResult()
      })
    #expect(drains == 1)
    let replies = try replies()
    #expect(replies.map(\.reply) == [.result])
    #expect(replies.last?.operations == 0)
  }

  @Test func `a drain within the window leaves the rest of it out`() throws {
    let session = session()
    input.write(Self.drain)
    try session.conduct(
      Window(opens: 0, closes: .max), ledger: { [:] }, drain: { InProcessResult(operations: 1) })
    #expect(try replies().map(\.reply) == [.edge, .result])
  }

  @Test func `begin and edge have no place after the beginning`() {
    for line in [Self.begin, #"{"command":"edge","edge":"close"}"# + "\n"] {
      input.write(line)
      let failure = #expect(throws: ModelFailure.self) {
        try session().conduct(Window(opens: 0, closes: 0), ledger: { [:] }, drain: { InProcessResult(operations: 0) })
      }
      #expect(failure?.state == .failed)
    }
  }

  @Test func `a model that may not block gets the window with the event`() throws {
    clinux_set_nonblocking(input.readEnd, 1)
    let session = session()
    #expect(try session.receive() == [])
    input.write(Self.begin + Self.drain)
    let events = try session.receive()
    guard case .begin(let window)? = events.first else {
      Issue.record("no window in \(events)")
      return
    }
    #expect(window.closes - window.opens == 2_000_000)
    #expect(events.last == .drain)
    try session.finish(ledger: ["a": 1], result: InProcessResult(operations: 5))
    try session.finish(ledger: ["a": 2], result: InProcessResult(operations: 6))
    #expect(output.readAll() == #"{"ledger":{"a":1},"operations":5,"reply":"result"}"# + "\n")
  }

  @Test func `a result without operations is refused`() {
    #expect(throws: ModelFailure.self) { try session().finish(ledger: [:], result: InProcessResult()) }
  }

  @Test func `gates, CPU work and parameters come from the request`() throws {
    #expect(!session().isGated)
    #expect(session(isGated: true).isGated)
    #expect(throws: ModelFailure.self) { try session().iterations(nanoseconds: 1_000) }
    #expect(try session(iterationsPerMillisecond: 500_000).iterations(nanoseconds: 20_000) == 10_000)
    #expect(try session(parameters: ["width": .integer(3)]).parameters(FanOut.Parameters.init).width == 3)
    let failure = #expect(throws: ModelFailure.self) {
      try session(parameters: ["width": .integer(65)]).parameters(FanOut.Parameters.init)
    }
    #expect(failure?.reason.contains("'65'") == true)
  }
}
