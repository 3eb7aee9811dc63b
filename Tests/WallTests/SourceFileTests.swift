// The wall's own eyes: every form of import is seen, and nothing else is taken for one.

import Testing

@Suite struct SourceFileTests {
  @Test(arguments: [
    "import Dispatch", "  import   Dispatch", "public import Dispatch", "@testable import Dispatch",
    "@_spi(Testing) @preconcurrency import Dispatch", "@testable\nimport Dispatch", "private import Dispatch;",
    "import struct Dispatch.DispatchTime", "import class Dispatch.DispatchQueue", "import func Dispatch.dispatchMain",
    "import Dispatch.queue", "import `Dispatch`", "/* why */ import /* this */ Dispatch // because",
    "@_exported import Dispatch", "package import Dispatch", "import\n  Dispatch",
    "let a = 1; import Dispatch", "#if canImport(Dispatch)\nimport Dispatch\n#endif",
    "#if os(Windows)\n#else\n  @preconcurrency internal import Dispatch\n#endif",
    "let text = \"a\\\"b\" ; import Dispatch", "let text = #\"a\"b\"# ; import Dispatch",
    "let text = \"\\(f(\"x\"))\"\nimport Dispatch", "/* /* nested */ still */ import Dispatch",
  ])
  func `an import is seen in every form`(source: String) {
    #expect(SourceFile(source).imports.map(\.module) == ["Dispatch"])
  }

  @Test(arguments: [
    "// import Dispatch", "/* import Dispatch */", "/* a /* b */ import Dispatch */", "let s = \"import Dispatch\"",
    "let s = \"\"\"\n  import Dispatch\n  \"\"\"", "let s = #\"\"\"\n  import Dispatch \"\"\" \\(x)\n  \"\"\"#",
    "let `import` = 1", "importDispatch()", "#if canImport(Dispatch)\n#endif", "f(import: Dispatch)", "x.import",
    "let s = \"\\\"import Dispatch\"", "/// import Dispatch",
  ])
  func `what is no import is not taken for one`(source: String) {
    #expect(SourceFile(source).imports == [])
  }

  @Test func `imports carry their lines`() {
    let source = "// one\nimport A\n\n/*\n*/ @testable import B\nlet s = \"\"\"\n\n\"\"\"\nimport C\n"
    #expect(
      SourceFile(source).imports == [
        .init(line: 2, module: "A"), .init(line: 5, module: "B"), .init(line: 9, module: "C"),
      ])
  }

  @Test func `a forbidden import is reported with file, line, module and what the room allows`() {
    let room = Room("Sources/Models/Threads", "ModelKit", "Workloads")
    let source = "import ModelKit\nimport Swift\n@testable import Dispatch\nimport Workloads\n"
    #expect(
      room.trespasses(source, at: "Sources/Models/Threads/FanOut.swift") == [
        "Sources/Models/Threads/FanOut.swift:3: imports Dispatch; "
          + "Sources/Models/Threads may import ModelKit, Workloads"
      ])
  }

  @Test func `no model's room allows another model's runtime, nor the harness`() {
    for room in Room.all where room.folder.hasPrefix("Sources/Models/") {
      let runtimes = room.allows.intersection(["Dispatch", "GreenThreads", "EventLoop"])
      #expect(runtimes.count <= 1)
      #expect(room.allows.isDisjoint(with: ["Harness", "Foundation", "FoundationEssentials", "ResultFormat", "Rig"]))
    }
  }
}
