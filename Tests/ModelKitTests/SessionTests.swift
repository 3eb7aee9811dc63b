// A trial's conversation: edges, drain, end of file, in the order in which the harness may send them.

import CLinux
import Testing
import Workloads

@testable import ModelKit

@Suite struct SessionTests {
  let input = Pipe()
  let output = Pipe()
  let session: Session

  static func request(parameters: [String: ParameterValue] = [:], backendPort: UInt16? = 40_000) -> TrialRequest {
    TrialRequest(
      workload: "fan-out", variant: nil, parameters: parameters, seed: 1, workers: 1, backendPort: backendPort)
  }

  init() {
    session = Session(
      request: Self.request(), channel: LineChannel(input: input.readEnd, output: output.writeEnd))
  }

  static let open = #"{"command":"edge","edge":"open"}"# + "\n"
  static let close = #"{"command":"edge","edge":"close"}"# + "\n"
  static let drain = #"{"command":"drain"}"# + "\n"

  /// The replies by name, in order.
  func replies() -> [String] {
    output.readAll().split(separator: "\n").map { line in
      ModelReply.names.first { line.contains(#""reply":"\#($0)""#) } ?? String(line)
    }
  }

  @Test func `serves edges, drains once, and returns at the end of the input`() throws {
    input.write(Self.open + Self.close + Self.drain)
    input.closeWriteEnd()
    var drains = 0
    try session.serve(ledger: { ["requestsReceived": drains] }, drain: { drains += 1 })
    #expect(drains == 1)
    #expect(replies() == ["edge", "edge", "result"])
  }

  @Test func `the end of the input alone is an order to drain and to print the ledger`() throws {
    input.closeWriteEnd()
    var drains = 0
    try session.serve(ledger: { ["requestsReceived": drains] }, drain: { drains += 1 })
    #expect(drains == 1)
    #expect(output.readAll() == #"{"ledger":{"requestsReceived":1},"reply":"result"}"# + "\n")
  }

  @Test func `the result is printed once, however often it is asked for`() throws {
    input.write(Self.drain + Self.drain)
    input.closeWriteEnd()
    var drains = 0
    try session.serve(ledger: { [:] }, counters: { ["steals": 3] }, drain: { drains += 1 })
    #expect(drains == 1)
    #expect(output.readAll() == #"{"counters":{"steals":3},"ledger":{},"reply":"result"}"# + "\n")
  }

  @Test func `a model that finishes twice of its own accord prints one result, the first`() throws {
    try session.finish(ledger: ["requestsReceived": 1])
    try session.finish(ledger: ["requestsReceived": 2])
    #expect(output.readAll() == #"{"ledger":{"requestsReceived":1},"reply":"result"}"# + "\n")
  }

  @Test(arguments: [
    #"{"command":"trial","protocol":1}"#, #"{"command":"describe","protocol":1}"#, #"{"command":"edge"}"#,
  ])
  func `a command that has no place in a trial is a failure that names it`(line: String) {
    input.write(line + "\n")
    let failure = #expect(throws: ModelFailure.self) { try session.nextEvent() }
    #expect(failure?.state == .failed)
    #expect(failure?.reason.contains("'\(line.split(separator: "\"")[3])'") == true)
  }

  @Test func `a model that may not block gets whatever has arrived, and the end last`() throws {
    clinux_set_nonblocking(input.readEnd, 1)
    #expect(try session.receive() == [])
    input.write(Self.open + Self.close + "{\"comm")
    #expect(try session.receive() == [.edge(.open), .edge(.close)])
    input.write("and\":\"drain\"}\n")
    input.closeWriteEnd()
    #expect(try session.receive() == [.drain, .end])
  }

  @Test func `ready and an edge's report carry what PROTOCOL.md lists`() throws {
    try session.ready(port: 40_567)
    try session.report(.open, ledger: ["requestsReceived": 5])
    let lines = output.readAll().split(separator: "\n")
    #expect(lines.first == #"{"port":40567,"reply":"ready"}"#)
    let edge = try #require(lines.last)
    for part in [
      #""reply":"edge""#, #""edge":"open""#, #""requestsReceived":5"#, "monotonicNanoseconds", "userNanoseconds",
      "systemNanoseconds", "voluntarySwitches", "involuntarySwitches", "minorFaults", "majorFaults",
    ] {
      #expect(edge.contains(part))
    }
  }

  @Test func `a trial without a backend, or with parameters that are not fan-out's, is refused`() throws {
    let channel = LineChannel(input: -1, output: -1)
    let bare = Session(request: Self.request(backendPort: nil), channel: channel)
    #expect(throws: ModelFailure.self) { try bare.backendPort() }
    let wide = Session(request: Self.request(parameters: ["width": .integer(65)]), channel: channel)
    let failure = #expect(throws: ModelFailure.self) { try wide.fanOut() }
    #expect(failure?.reason.contains("'65'") == true)
    #expect(try session.backendPort() == 40_000)
    #expect(try session.fanOut().width == 8)
  }
}

extension ModelReply {
  fileprivate static let names = ["description", "ready", "edge", "result", "failure"]
}
