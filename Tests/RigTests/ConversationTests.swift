import CLinux
import Glibc
import Testing
import Workloads

@testable import Rig

@Suite("The conversation with the harness")
struct ConversationTests {
  private func load(_ changes: [String: ParameterValue] = [:], workload: String = "fan-out") -> RigCommand {
    RigCommand(
      .load,
      load: RigLoad(
        workload: workload, parameters: changes, seed: 1, warmUpNanoseconds: 0, windowNanoseconds: 1_000_000_000,
        patienceNanoseconds: generousMilliseconds * 1_000_000, operations: nil, isGated: false, spins: false))
  }

  private func failure(_ rig: RigProcess) throws -> String {
    while let reply = try rig.hear() {
      if reply.reply == .failure {
        let reason = try #require(reply.reason)
        #expect(rig.end() == 1)
        return reason
      }
    }
    return "the rig said nothing and ended with \(rig.end())"
  }

  @Test("the end of the input ends the rig with status 0, before and after `load`")
  func endOfInput() throws {
    #expect(RigProcess().end() == 0)
    let rig = RigProcess()
    try rig.tell(load())
    #expect(try rig.hear()?.reply == .listening)
    #expect(rig.end() == 0)
  }

  @Test("lines that come in pieces, or many at once, are understood")
  func pieces() throws {
    let rig = RigProcess()
    rig.tell(#"{"command":"load","load":{"workload":"fan-out","parameters":{},"seed":1,"warmUpNanosec"#)
    rig.tell(#"onds":0,"windowNanoseconds":1,"patienceNanoseconds":1000000,"isGated":false,"spins":false}}"# + "\n\n")
    #expect(try rig.hear()?.reply == .listening)
    #expect(rig.end() == 0)
  }

  @Test("nonsense is refused with the line quoted")
  func nonsense() throws {
    let rig = RigProcess()
    rig.tell("hello\n")
    #expect(try failure(rig).hasPrefix("'hello' is not a command"))
  }

  @Test("commands out of turn are refused")
  func outOfTurn() throws {
    let early = RigProcess()
    try early.tell(RigCommand(.finish))
    #expect(try failure(early) == "'finish' came first: the order is load, connect, finish")
    let rig = RigProcess()
    try rig.tell(load())
    try rig.tell(RigCommand(.finish))
    #expect(try failure(rig) == "'finish' came out of turn: the order is load, connect, finish")
  }

  @Test("parameters and workloads that do not exist are refused by name")
  func parameters() throws {
    let wide = RigProcess()
    try wide.tell(load(["width": .integer(65)]))
    #expect(try failure(wide).contains("'65'"))
    let unknown = RigProcess()
    try unknown.tell(load(workload: "no-such"))
    #expect(try failure(unknown) == "'no-such' is not a workload that the rig drives: it drives fan-out, blocking-mix")
  }

  @Test("a model that does not listen is named by its port")
  func refused() throws {
    let rig = RigProcess()
    try rig.tell(load())
    _ = try rig.hear()
    // A port that is taken, so that nobody else comes to listen on it, and on which nobody does.
    let taken = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { clinux_close(taken) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
    let isBound = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(taken, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
    try #require(isBound)
    let port = UInt16(clinux_local_port(taken))
    try rig.tell(RigCommand(.connect, port: port))
    #expect(try failure(rig) == "connecting to the model at 127.0.0.1:\(port): Connection refused")
  }

  @Test("a flood without a line's end is refused")
  func flood() throws {
    var conversation = Conversation(input: open("/dev/zero", O_RDONLY), output: -1)
    defer { clinux_close(conversation.input) }
    #expect(throws: RigFailure.self) {
      while true { try conversation.read() }
    }
  }
}
