// The documents agree with the code: PROTOCOL.md with the messages and the oracle, README.md with the commands.

import Foundation
import Testing
import Workloads

@Suite struct DocumentTests {
  static func protocolPage() throws -> String { try Repository.text("PROTOCOL.md") }

  @Test func `PROTOCOL.md carries the version that the code speaks`() throws {
    let page = try Self.protocolPage()
    #expect(page.hasPrefix("# The model protocol, version \(protocolVersion)\n"))
    #expect(page.contains("\"protocol\":\(protocolVersion)"))
    #expect(!page.contains("\"protocol\":\(protocolVersion + 1)"))
  }

  @Test func `PROTOCOL.md names every count, rule, parameter and variant of fan-out`() throws {
    let page = try Self.protocolPage()
    for count in FanOut.ModelCount.allCases { #expect(page.contains("`\(count.rawValue)`"), "\(count)") }
    for rule in FanOut.Rule.allCases { #expect(page.contains("| `\(rule.rawValue)` |"), "\(rule)") }
    for parameter in Workload.fanOut.parameters {
      #expect(page.contains("\"\(parameter.name)\":"), "\(parameter.name)")
    }
    for variant in Workload.fanOut.variants { #expect(page.contains("`\(variant.name)`"), "\(variant.name)") }
  }

  @Test func `PROTOCOL.md gives the header's size, the kinds and the checksum of its example`() throws {
    let page = try Self.protocolPage()
    #expect(page.contains("a header of \(FanOut.Header.bytes) bytes"))
    #expect(page.contains("`length` - \(FanOut.Header.bytes) bytes"))
    let kinds: [(FanOut.Header.Kind, String)] = [
      (.request, "request"), (.subRequest, "sub-request"), (.subReply, "sub-reply"), (.answer, "answer"),
    ]
    #expect(page.contains(kinds.map { "\($0.rawValue) \($1)" }.joined(separator: ", ")))

    var bytes = [UInt8](repeating: 0, count: FanOut.Header.bytes)
    bytes.withUnsafeMutableBytes { FanOut.Header(.answer, length: 24, id: 1, value: 5).write(to: $0) }
    let groups = stride(from: 0, to: 24, by: 8).map { start in
      bytes[start..<start + 8].map { String(format: "%02x", $0) }.joined(separator: " ")
    }
    #expect(page.contains("`" + groups.joined(separator: " | ") + "`"))
    #expect(page.contains(String(format: "0x%016llx", bytes.withUnsafeBytes { FanOut.checksum($0) })))
  }

  /// The examples are indented objects, some over several lines, with `{...}` for a ledger that is left out.
  @Test func `every example message of PROTOCOL.md is one that the code reads`() throws {
    let examples = try Self.protocolPage().replacing("{...}", with: "{}").components(separatedBy: "\n\n")
      .filter { $0.hasPrefix("    {") }
    #expect(examples.count >= 7)
    var names: Set<String> = []
    for example in examples {
      let data = Data(example.utf8)
      if example.contains("\"command\"") {
        let command = try JSONDecoder().decode(ModelCommand.self, from: data)
        if command.command == .trial {
          let trial = try #require(command.trial)
          if trial.workload == "fan-out" {
            #expect(Set(trial.parameters.keys) == Set(Workload.fanOut.parameters.map(\.name)))
            #expect(try Workload.fanOut.values(trial.parameters) == Workload.fanOut.defaults)
          }
          #expect((trial.backendPort == nil) == (trial.windowNanoseconds != nil))
          #expect((trial.warmUpNanoseconds == nil) == (trial.windowNanoseconds == nil))
        }
        names.insert("command \(command.command.rawValue)")
      } else {
        let reply = try JSONDecoder().decode(ModelReply.self, from: data)
        if reply.reply == .edge { #expect(reply.usage != nil && reply.ledger != nil) }
        if reply.operations != nil {
          #expect(reply.latencies?["all"]?.isEmpty == false && reply.measures?.isEmpty == false)
          names.insert("in-process result")
        }
        if reply.reply == .failure { #expect(reply.failure?.reached == 31_872) }
        names.insert("reply \(reply.reply.rawValue)")
      }
    }
    #expect(
      names == [
        "command describe", "command trial", "command begin", "command edge", "command drain", "reply description",
        "reply ready", "reply edge", "reply result", "reply failure", "in-process result",
      ])
  }

  @Test func `PROTOCOL.md names every state of a failure`() throws {
    let page = try Self.protocolPage()
    for state in [ModelFailure.State.unsupported, .limit, .outOfMemory, .failed] {
      #expect(page.contains("`\(state.rawValue)`"))
    }
  }

  @Test func `README.md gives the two scripts at its top and names every subcommand`() throws {
    let page = try Repository.text("README.md")
    let top = page.split(separator: "\n", omittingEmptySubsequences: false).prefix(40).joined(separator: "\n")
    #expect(top.contains("scripts/suite"))
    #expect(top.contains("scripts/test"))
    let pattern = #/commandName:\s*"([a-z-]+)"/#
    let sources = try Repository.files(in: "Sources/switchyard").filter { $0.hasSuffix(".swift") }
      .map { try Repository.text($0) }
    let commands = Set(sources.flatMap { $0.matches(of: pattern).map { String($0.1) } }).subtracting(["switchyard"])
    #expect(commands.isSuperset(of: ["list", "describe", "run", "check", "report", "validate"]))
    for command in commands { #expect(page.contains("switchyard \(command)"), "\(command)") }
  }

  @Test func `the pages that every reader is sent to exist`() throws {
    for page in ["README.md", "METHODOLOGY.md", "PROTOCOL.md", "CHANGELOG.md"] {
      #expect(try !Repository.text(page).isEmpty)
    }
  }

  @Test func `links from one page to a file of the repository lead somewhere`() throws {
    let link = #/\]\((?!https?:|#|mailto:)([^)#\s]+)/#
    for path in Repository.files() where path.hasSuffix(".md") {
      let folder = Repository.root.appending(path: path).deletingLastPathComponent()
      for match in try Repository.text(path).matches(of: link) {
        let target = folder.appending(path: String(match.1)).path(percentEncoded: false)
        #expect(FileManager.default.fileExists(atPath: target), "\(path) links to \(match.1)")
      }
    }
  }

  @Test func `no text names the folder that this checkout stands in`() throws {
    let here = Repository.root.path(percentEncoded: false)
    // A checkout directly under the root has a name that any text may hold by chance.
    guard here.split(separator: "/").count >= 2 else { return }
    let place = here.hasSuffix("/") ? String(here.dropLast()) : here
    for path in Repository.files() where path != "Package.resolved" {
      guard let text = try? Repository.text(path) else { continue }  // not a text
      #expect(!text.contains(place), "\(path) names \(place)")
    }
  }

  @Test func `packages come from public addresses, never from a folder`() throws {
    let manifest = try Repository.text("Package.swift")
    let packages = manifest.matches(of: #/\.package\(\s*([a-z]+):\s*"([^"]*)"/#)
    #expect(!packages.isEmpty)
    for package in packages {
      #expect(package.1 == "url")
      #expect(package.2.hasPrefix("https://github.com/"), "\(package.2)")
    }
  }

  @Test func `scripts can be run and stop at the first failure`() throws {
    let scripts = Repository.files(in: "scripts") + [".ci/run"]
    #expect(Set(scripts).isSuperset(of: ["scripts/bootstrap", "scripts/suite", "scripts/test", ".ci/run"]))
    for path in scripts {
      guard let text = try? Repository.text(path), text.hasPrefix("#!") else { continue }
      #expect(FileManager.default.isExecutableFile(atPath: Repository.root.appending(path: path).path()), "\(path)")
      if text.prefix(while: { !$0.isNewline }).hasSuffix("bash") {
        #expect(text.contains("set -euo pipefail"), "\(path)")
      }
    }
  }
}
