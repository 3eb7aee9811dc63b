// What a window lost to others: on disk beside whatever became of the trial, and never without its warning.

import FoundationEssentials
import ResultFormat
import Testing

@Suite struct HostFiguresTests {
  private func problems(_ change: (inout Trial) -> Void) throws -> [String] {
    var run = try Fixture.run()
    change(&run.trials[0])
    let folder = FileManager.default.temporaryDirectory.appending(path: "host-figures-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try RunFiles.writeRun(run, to: folder)
    #expect(try RunFiles.readRun(from: folder).trials[0].host == run.trials[0].host)
    return validate(runAt: folder).map(\.description)
  }

  @Test func `they come back from disk as they were, and a quiet window wants no warning`() throws {
    let quiet = HostFigures(
      othersProcessors: 0.1 / 3, stolenProcessors: 0.02, interruptProcessors: 0.5, throttledNanoseconds: 60_000_000)
    #expect(try problems { $0.host = quiet } == [])
    #expect(try problems { $0.host = nil } == [])
  }

  @Test(arguments: [
    HostFigures(othersProcessors: 0.06, stolenProcessors: 0.05, interruptProcessors: 0),
    HostFigures(
      othersProcessors: 0, stolenProcessors: 0, interruptProcessors: 0, throttledNanoseconds: 60_000_001),
  ]) func `a window that lost too much has a warning that cannot be taken away`(_ host: HostFigures) throws {
    let found = try problems { $0.host = host }
    #expect(found.count == 1 && found.first?.contains("lacks 'host-busy'") == true, "\(found)")
    #expect(
      try problems {
        $0.host = host
        $0.warnings.append(.hostBusy)
      } == [])
  }

  @Test func `nobody uses less than nothing`() throws {
    let host = HostFigures(
      othersProcessors: -0.5, stolenProcessors: -1, interruptProcessors: -0.25, throttledNanoseconds: -1)
    let found = try problems { $0.host = host }
    #expect(found.count == 4 && found.allSatisfy { $0.contains("not negative") }, "\(found)")
  }

  @Test func `a trial that failed keeps them`() throws {
    let host = HostFigures(othersProcessors: 2, stolenProcessors: 0, interruptProcessors: 0)
    #expect(
      try problems {
        $0.host = host
        $0.state = .timeout
        $0.reason = "hung"
        $0.figures = nil
      } == [])
  }
}
