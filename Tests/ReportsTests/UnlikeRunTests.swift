// What two runs may differ in: what forbids a comparison, and what is said of one.

import ResultFormat
import Testing
import Workloads

@testable import Reports

private func compare(_ base: Run, _ head: Run) -> Comparison {
  Comparison(base: base, at: "before", head: head, at: "after")
}

@Suite struct UnlikeRunTests {
  @Test("what makes ratios meaningless is named with both values")
  func obstacles() throws {
    func refusals(_ change: (inout Run) -> Void) throws -> [String] {
      var head = try MadeUp.head()
      change(&head)
      return compare(try MadeUp.base(), head).refusals
    }
    #expect(try refusals { _ in } == [])
    #expect(
      try refusals { $0.plan.cases[0].parameters["width"] = .integer(16) }
        == ["width of fan-out/fixed-rate: 8 in BASE, 16 in HEAD"])
    #expect(
      try refusals { $0.plan.cases[0].parameters["burst"] = nil }
        == ["burst of fan-out/fixed-rate: 16 in BASE, none in HEAD"])
    #expect(
      try refusals { $0.plan.cases[1].windowSeconds = 2 } == ["window of fan-out/closed: 6 s in BASE, 2 s in HEAD"])
    #expect(try refusals { $0.plan.cases[1].workers = 3 } == ["workers of fan-out/closed: 1 in BASE, 3 in HEAD"])
    #expect(
      try refusals { $0.plan.cases[0].workload = "pipeline" }
        == ["workload of fan-out/fixed-rate: fan-out in BASE, pipeline in HEAD"])
    #expect(try refusals { $0.plan.warmUpSeconds = 0.5 } == ["warm-up: 1 s in BASE, 0.5 s in HEAD"])
    #expect(
      try refusals { $0.methodVersion = 0 } == ["method: version \(currentMethodVersion) in BASE, version 0 in HEAD"])
    #expect(
      try refusals { $0.methodVersion = nil }
        == ["method: version \(currentMethodVersion) in BASE, that of revision fedcba987654 in HEAD"])
    #expect(try refusals { $0.schemaVersion = 1 } == ["schema version: 2 in BASE, 1 in HEAD"])
    // Another case's parameters are nobody's obstacle, nor is another way to write the same number.
    #expect(
      try refusals {
        $0.plan.cases[1].name = "fan-out/closed+width=16"
        $0.plan.cases[1].parameters["width"] = .integer(16)
      } == [])
    #expect(try refusals { $0.plan.cases[0].parameters["rate"] = .integer(2_000) } == [])
  }

  @Test("a copy of a run is no second run")
  func copy() throws {
    let base = try MadeUp.base()
    #expect(
      compare(base, base).refusals == [
        "a copy of one run: the one of 2026-01-31T12:00:00Z in BASE, the one of 2026-01-31T12:00:00Z again in HEAD"
      ])
  }

  @Test("unlike hosts, builds and allocators are said before the tables, and in JSON")
  func unlike() throws {
    var head = try MadeUp.head()
    head.environment.kernel = "6.13.1"
    head.environment.processor = "Made-Up 9001"
    head.environment.iterationsPerMillisecond = 290_000
    head.plan.models[0].allocator = nil
    head.plan.models[1].isGuest = true
    head.plan.cases[0].modelProcessors = [1, 2]
    var base = try MadeUp.base()
    base.environment.iterationsPerMillisecond = 280_000
    let comparison = compare(base, head)
    let expected = [
      "compiler: Swift 6.3 in BASE, Swift 6.4 in HEAD", "processor: Made-Up 9000 in BASE, Made-Up 9001 in HEAD",
      "kernel: 6.12.0 in BASE, 6.13.1 in HEAD",
      "iterations in a millisecond of CPU work: 280,000 in BASE, 290,000 in HEAD",
      "the model's processors on fan-out/fixed-rate: 1 in BASE, 1, 2 in HEAD",
      "the allocator of threads: jemalloc 5.3.0 in BASE, none in HEAD",
      "the origin of async-loop: this package in BASE, a guest in HEAD",
    ]
    #expect(comparison.unlike.map(\.description) == expected)
    #expect(comparison.refusals == [])
    for format in [ReportFormat.terminal, .markdown] {
      let text = render(comparison, as: format, colour: false, width: 160)
      for sentence in expected { #expect(text.contains("UNLIKE: \(sentence)."), "\(format)") }
    }
    let json = render(comparison, as: .json, colour: false, width: nil)
    #expect(json.contains("\"what\" : \"kernel\"") && json.contains("6.13.1"))
    // Two readings of one host's speed differ by less than a hundredth.
    head.environment.iterationsPerMillisecond = 282_000
    #expect(!compare(base, head).unlike.contains { $0.what.hasPrefix("iterations") })
  }

  @Test("debug builds, interruptions, busy hosts, and what was compared anyway are alarms")
  func alarms() throws {
    var base = try MadeUp.base()
    var head = try MadeUp.head()
    head.environment.compiler = base.environment.compiler
    #expect(compare(base, head).alarms == [])
    base.environment.build = "debug"
    head.environment.build = "debug"
    head.trials.removeLast(2)
    head.plan.warmUpSeconds = 2
    base.trials[0].warnings.append(.hostBusy)
    #expect(
      compare(base, head).alarms == [
        "NOT THE SAME MEASUREMENT, compared anyway: warm-up: 1 s in BASE, 2 s in HEAD.",
        "BASE IS A DEBUG BUILD: its figures mean nothing. Build with -c release and run again.",
        "BASE WAS MEASURED ON A BUSY HOST: 1 trial of 72 lost time to others.",
        "HEAD IS A DEBUG BUILD: its figures mean nothing. Build with -c release and run again.",
        "HEAD WAS INTERRUPTED: 70 of 72 trials were run.",
      ])
  }

  @Test("a run that is indicative by its own plan says so, and revisions are told")
  func notices() throws {
    var base = try MadeUp.base()
    var head = try MadeUp.head()
    func notices() -> [String] { compare(base, head).document.notices }
    #expect(!notices().contains { $0.contains("indicative") })
    base.plan.claims = false
    #expect(notices().contains { $0.hasPrefix("BASE is indicative by its own plan") })
    head.plan.claims = false
    #expect(notices().contains { $0.hasPrefix("BASE and HEAD are indicative by their own plan") })
    #expect(notices()[1].contains("revision fedcba987654, 12 rounds"))
    head.environment.revision = base.environment.revision
    #expect(notices().contains { $0.hasPrefix("Both were built from one revision") })
  }
}
