// The scripts on machines that this one is not: bare, without root, without apt, with an old toolchain. A folder of
// stand-ins is their whole PATH, so nothing is installed here.

import Foundation
import Testing

@Suite struct ScriptTests {
  /// A machine as a script sees it: the commands on its PATH.
  final class Machine {
    private let folder = FileManager.default.temporaryDirectory.appending(path: "switchyard-\(UUID().uuidString)")
    private var log: URL { folder.appending(path: "log") }
    /// What apt-get has installed: its stand-in leaves a file for each package.
    private var installed: URL { folder.appending(path: "installed") }
    private var commands: URL { folder.appending(path: "commands") }

    static let ordinary = [
      "bash", "env", "dirname", "uname", "sort", "head", "sed", "realpath", "mktemp", "touch", "rm", "mkdir",
    ]

    init(swift: String? = "Swift version 6.3.1 (swift-6.3.1-RELEASE)", apt: Bool = true) throws {
      for url in [commands, installed] {
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
      }
      for name in Self.ordinary {
        let place = try #require(
          ["/usr/bin/", "/bin/"].map { $0 + name }.first(where: FileManager.default.isExecutableFile))
        try FileManager.default.createSymbolicLink(
          at: commands.appending(path: name), withDestinationURL: URL(filePath: place))
      }
      if let swift { try put("swift", "echo '\(swift)'") }
      if apt {
        try put("dpkg-query", "[ -e '\(path(installed))/'\"${!#}\" ] && printf installed")
        try put(
          "apt-get",
          """
          echo "apt-get $*" >>'\(path(log))'
          for word; do
            case "$word" in
              lib* | zlib*) touch '\(path(installed))'/"$word" ;;
              git | python3 | pkg-config) touch '\(path(commands))'/"$word"; chmod +x '\(path(commands))'/"$word" ;;
            esac
          done
          """)
        try FileManager.default.createSymbolicLink(
          at: commands.appending(path: "chmod"), withDestinationURL: URL(filePath: "/bin/chmod"))
        try put("sudo", "echo sudo >>'\(path(log))'; [ \"$1\" = -n ] && shift; exec \"$@\"")
      }
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    private func path(_ url: URL) -> String { url.path(percentEncoded: false) }

    func put(_ name: String, _ body: String) throws {
      let file = commands.appending(path: name)
      try Data("#!/bin/bash\n\(body)\n".utf8).write(to: file)
      try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path(file))
    }

    func remove(_ name: String) throws { try FileManager.default.removeItem(at: commands.appending(path: name)) }

    /// The calls of apt-get, without its options.
    var installations: [String] {
      let lines = (try? String(contentsOf: log, encoding: .utf8))?.split(separator: "\n") ?? []
      return lines.filter { $0.hasPrefix("apt-get") }.map { line in
        line.split(separator: " ").filter { !$0.hasPrefix("-") && !$0.contains("::") }.joined(separator: " ")
      }
    }

    /// Runs a script of the repository on this machine; both outputs in one.
    func run(_ script: String, _ arguments: String...) throws -> (status: Int32, output: String) {
      let process = Process()
      let pipe = Pipe()
      process.executableURL = Repository.root.appending(path: script)
      process.arguments = arguments
      process.environment = ["PATH": path(commands)]
      process.standardInput = FileHandle.nullDevice
      process.standardOutput = pipe
      process.standardError = pipe
      try process.run()
      let data = pipe.fileHandleForReading.readDataToEndOfFile()
      process.waitUntilExit()
      return (process.terminationStatus, String(decoding: data, as: UTF8.self))
    }
  }

  static let packages = ["libjemalloc-dev", "zlib1g-dev", "libc6-dev", "pkg-config", "git", "python3"]

  @Test func `bootstrap installs what is missing, says why, and does nothing the second time`() throws {
    let machine = try Machine()
    let first = try machine.run("scripts/bootstrap")
    #expect(first.status == 0, "\(first.output)")
    for package in Self.packages { #expect(first.output.contains("\n  " + package)) }
    let calls = ["apt-get update", "apt-get install " + Self.packages.joined(separator: " ")]
    #expect(machine.installations == calls)

    let second = try machine.run("scripts/bootstrap")
    #expect(second.status == 0, "\(second.output)")
    #expect(second.output.contains("nothing to install"))
    #expect(machine.installations == calls)
  }

  @Test func `bootstrap names the packages where there is no apt`() throws {
    let result = try Machine(apt: false).run("scripts/bootstrap")
    #expect(result.status == 1)
    for package in Self.packages { #expect(result.output.contains(package)) }
  }

  @Test func `bootstrap stops with the reason when apt fails`() throws {
    let machine = try Machine()
    try machine.put("apt-get", "echo 'E: no network' >&2; exit 100")
    let result = try machine.run("scripts/bootstrap")
    #expect(result.status == 1)
    #expect(result.output.contains("E: no network"))
    #expect(result.output.contains("apt-get update failed"))
  }

  @Test(arguments: ["Swift version 6.2.4 (swift-6.2.4-RELEASE)", "Swift version 5.10 (x)", "something else"])
  func `bootstrap refuses an old toolchain and says where a new one is`(version: String) throws {
    let result = try Machine(swift: version).run("scripts/bootstrap")
    #expect(result.status == 1)
    #expect(result.output.contains("6.3") || result.output.contains("'swift --version' does not say a version"))
  }

  @Test(arguments: ["Swift version 6.3 (x)", "Apple Swift version 6.10.1 (x)", "Swift version 7.0-dev (x)"])
  func `bootstrap takes a toolchain of the version needed or later`(version: String) throws {
    let result = try Machine(swift: version).run("scripts/bootstrap")
    #expect(result.status == 0, "\(result.output)")
  }

  @Test func `bootstrap says where to get a toolchain if there is none`() throws {
    let result = try Machine(swift: nil).run("scripts/bootstrap")
    #expect(result.status == 1)
    #expect(result.output.contains("https://www.swift.org/install/linux/"))
  }

  @Test func `bootstrap refuses a machine that the context switch is not written for`() throws {
    let machine = try Machine()
    try machine.remove("uname")
    try machine.put("uname", "[ \"$1\" = -m ] && echo riscv64 || echo Linux")
    let result = try machine.run("scripts/bootstrap")
    #expect(result.status == 1)
    #expect(result.output.contains("riscv64"))
  }

  @Test(arguments: ["fast", "Quick", "quick,full", ""])
  func `suite refuses a preset that there is not, quotes it, and has done nothing by then`(preset: String) throws {
    let machine = try Machine()
    let result = try machine.run("scripts/suite", preset)
    #expect(result.status == 2)
    #expect(result.output.contains("'\(preset)'"))
    #expect(result.output.contains("quick, standard or full"))
    #expect(machine.installations == [])
  }

  @Test func `suite refuses a second preset`() throws {
    let result = try Machine().run("scripts/suite", "quick", "--preset", "full")
    #expect(result.status == 2)
  }
}
