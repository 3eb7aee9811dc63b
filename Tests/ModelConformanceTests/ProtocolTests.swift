// What PROTOCOL.md asks of every model before and around the load, tried line by line without harness or rig: a model
// must describe itself, refuse what it cannot do, and never outlive its standard input.

import Foundation
import Glibc
import Testing
import Workloads

extension Conformance {
  @Suite struct ProtocolTests {
    static let subjects = Switchyard.models.map { "model-" + $0 } + ["guest"]

    static func path(_ subject: String) -> String {
      subject == "guest" ? Switchyard.guest("fan_out_guest.py") : Switchyard.folder + "/" + subject
    }

    /// What a program answers to these lines and the end of its input.
    static func converse(_ subject: String, _ lines: [String]) async throws -> (replies: [ModelReply], end: Call) {
      let folder = try TemporaryFolder()
      let input = folder.path + "/input"
      try Data(lines.map { $0 + "\n" }.joined().utf8).write(to: URL(filePath: input))
      let call = try RunningCall(
        executable: path(subject), arguments: [], input: try FileHandle(forReadingFrom: URL(filePath: input)))
      let end = try await call.end(within: .seconds(120))
      let replies = try end.output.split(separator: "\n").map {
        try JSONDecoder().decode(ModelReply.self, from: Data($0.utf8))
      }
      return (replies, end)
    }

    static let describe = #"{"command":"describe","protocol":\#(protocolVersion)}"#

    static func trial(
      _ workload: String = "fan-out", variant: String = "null", version: Int = protocolVersion, backend: Backend
    ) throws -> String {
      let parameters = try JSONEncoder().encode(Workload.fanOut.values(["backendConnections": .integer(16)]))
      return #"{"command":"trial","protocol":\#(version),"trial":{"workload":"\#(workload)","variant":\#(variant),"#
        + #""seed":1,"workers":1,"backendPort":\#(backend.port),"parameters":"#
        + String(decoding: parameters, as: UTF8.self) + "}}"
    }

    @Test(arguments: subjects)
    func `a model describes itself as often as it is asked, and ignores keys that it does not know`(subject: String)
      async throws
    {
      let (replies, end) = try await Self.converse(
        subject, [Self.describe, #"{"later":[{}],"command":"describe","protocol":1}"#, Self.describe])
      #expect(end.status == 0 && !end.wasKilled, end.said)
      #expect(replies.map(\.reply) == [.description, .description, .description], end.said)
      #expect(replies.allSatisfy { $0.protocol == protocolVersion })
      #expect(Set(replies.map(\.description)).count == 1)
    }

    @Test(arguments: subjects) func `a model whose input ends at once leaves without a word`(subject: String)
      async throws
    {
      let (replies, end) = try await Self.converse(subject, [])
      #expect(end.status == 0 && !end.wasKilled, end.said)
      #expect(replies.isEmpty, end.said)
    }

    /// The harness may have been killed: nobody says `drain` then.
    @Test(arguments: subjects)
    func `a model whose input ends in mid-trial drains, prints a ledger that balances, and leaves`(subject: String)
      async throws
    {
      let backend = try Backend()
      let (replies, end) = try await Self.converse(
        subject, [try Self.trial(backend: backend), #"{"command":"edge","edge":"open"}"#])
      #expect(end.status == 0 && !end.wasKilled, end.said)
      #expect(replies.map(\.reply) == [.ready, .edge, .result], end.said)
      #expect((replies.first?.port ?? 0) > 0)
      let usage = try #require(replies.dropFirst().first?.usage, end.said)
      #expect(usage.userNanoseconds + usage.systemNanoseconds > 0)
      let ledger = try #require(replies.last?.ledger, end.said)
      for count in FanOut.ModelCount.allCases { #expect(ledger[count.rawValue] != nil, "\(count)") }
      let opened = try #require(ledger["backendConnectionsOpened"])
      #expect((1...16).contains(opened))
      #expect(ledger["backendConnectionsClosed"] == opened)
      #expect(ledger["requestsReceived"] == 0 && ledger["unitsStarted"] == 0)
    }

    @Test(arguments: subjects)
    func `a model refuses what it cannot do in a failure, and its exit status says so`(subject: String) async throws {
      let backend = try Backend()
      for line in [
        try Self.trial("moon-landing", backend: backend), try Self.trial(variant: "\"sideways\"", backend: backend),
        try Self.trial(version: protocolVersion + 1, backend: backend),
      ] {
        let (replies, end) = try await Self.converse(subject, [line])
        #expect(replies.map(\.reply) == [.failure], end.said)
        #expect(replies.first?.failure?.state == .unsupported, end.said)
        #expect(replies.first?.failure?.reason.isEmpty == false, end.said)
        #expect(end.status != 0 && !end.wasKilled, end.said)
      }
    }

    /// More than PROTOCOL.md asks of guests.
    @Test(arguments: Switchyard.models.map { "model-" + $0 })
    func `a line that is no command ends a model with a failure, not with a crash`(subject: String) async throws {
      for line in ["hello", #"{"command":"fly"}"#, #"{"command":"drain"}"#] {
        let (replies, end) = try await Self.converse(subject, [line])
        #expect(replies.map(\.reply) == [.failure], end.said)
        #expect(end.status != 0 && !end.wasKilled, end.said)
      }
    }

    /// A backend that takes connections and says nothing: the kernel accepts on its behalf.
    final class Backend {
      private let listener: Int32
      let port: UInt16

      init() throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.listener = listener
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) {
          $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(listener, $0, size) == 0 && listen(listener, 64) == 0 && getsockname(listener, $0, &size) == 0
          }
        }
        port = UInt16(bigEndian: address.sin_port)
        try #require(isListening, "no backend could be made: errno \(errno)")
      }

      deinit { close(listener) }
    }
  }
}
