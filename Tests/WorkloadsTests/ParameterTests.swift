// Parameters: every domain takes its edges, refuses what lies beyond, and says which value it refused and what it takes.

import Testing
import Workloads

@Suite struct ParameterTests {
  static let count = Parameter("count", .integer(2...9), default: .integer(3), "")
  static let length = Parameter("length", unit: "bytes", .multiple(of: 8, 24...64), default: .integer(24), "")
  static let rate = Parameter("rate", unit: "requests/s", .number(0.5...2_000), default: .number(1), "")
  static let load = Parameter("load", .choice(["closed", "poisson"]), default: .text("closed"), "")
  static let service = Parameter("service", .serviceTime, default: .text("none"), "")

  @Test(arguments: [
    (count, "2", ParameterValue.integer(2)), (count, "9", .integer(9)),
    (count, "1", nil), (count, "10", nil), (count, "3.0", nil), (count, "", nil), (count, "many", nil),
    (count, "99999999999999999999", nil),
    (length, "24", .integer(24)), (length, "64", .integer(64)), (length, "40", .integer(40)),
    (length, "16", nil), (length, "72", nil), (length, "25", nil), (length, "-24", nil),
    (rate, "0.5", .number(0.5)), (rate, "2000", .number(2_000)), (rate, "1e3", .number(1_000)),
    (rate, "0.49", nil), (rate, "2000.1", nil), (rate, "nan", nil), (rate, "inf", nil), (rate, "fast", nil),
    (load, "closed", .text("closed")), (load, "poisson", .text("poisson")),
    (load, "Closed", nil), (load, "", nil), (load, "closed ", nil),
    (service, "none", .text("none")), (service, "fixed(0ns)", .text("fixed(0ns)")),
    (service, "fixed(10s)", .text("fixed(10s)")), (service, "fixed(10001ms)", nil), (service, "fixed", nil),
  ])
  func `takes what was typed up to its edges and refuses the rest with the value and the range`(
    parameter: Parameter, typed: String, expected: ParameterValue?
  ) {
    let result = Result { () throws(ParameterError) in try parameter.parse(typed) }
    guard let expected else {
      guard case .failure(let error) = result else {
        Issue.record("\(parameter.name) took '\(typed)'")
        return
      }
      #expect(error.description.contains("'\(typed)'"))
      #expect(error.description.contains(parameter.range))
      return
    }
    #expect(result == .success(expected))
  }

  @Test func `a value of another type is refused, but a whole number is a number`() throws {
    #expect(try Self.rate.validate(.integer(7)) == .number(7))
    #expect(throws: ParameterError.self) { try Self.count.validate(.number(7)) }
    #expect(throws: ParameterError.self) { try Self.count.validate(.text("7")) }
    #expect(throws: ParameterError.self) { try Self.load.validate(.integer(7)) }
    #expect(throws: ParameterError.self) { try Self.service.validate(.number(1)) }
  }

  @Test func `a refusal names the parameter, its range and its unit`() {
    let error = #expect(throws: ParameterError.self) { try Self.length.parse("25") }
    #expect(error?.description == "'25' is not a value of length: expected 24 to 64, a multiple of 8 (bytes)")
  }

  @Test(arguments: Workload.all.flatMap { workload in workload.parameters.map { (workload.name, $0) } })
  func `every parameter of every workload has a legal default and a summary`(workload: String, parameter: Parameter)
    throws
  {
    #expect(try parameter.validate(parameter.defaultValue) == parameter.defaultValue)
    #expect(try parameter.parse(parameter.defaultValue.description) == parameter.defaultValue)
    #expect(!parameter.summary.isEmpty)
  }

  @Test(arguments: Workload.all.flatMap(\.parameters))
  func `every parameter takes both ends of its range and refuses the next value`(parameter: Parameter) {
    let inside: [ParameterValue]
    let outside: [ParameterValue]
    switch parameter.domain {
    case .integer(let range):
      inside = [.integer(range.lowerBound), .integer(range.upperBound)]
      outside = [.integer(range.lowerBound - 1), .integer(range.upperBound + 1)]
    case .multiple(let step, let range):
      inside = [.integer(range.lowerBound), .integer(range.upperBound)]
      outside = [
        .integer(range.lowerBound - step), .integer(range.upperBound + step), .integer(range.lowerBound + 1),
      ]
    case .power(let base, let range):
      inside = [.integer(range.lowerBound), .integer(range.upperBound)]
      outside = [
        .integer(range.lowerBound / base), .integer(range.upperBound * base), .integer(range.lowerBound + 1),
      ]
    case .number(let range):
      inside = [.number(range.lowerBound), .number(range.upperBound)]
      outside = [.number(range.lowerBound.nextDown), .number(range.upperBound.nextUp), .number(.nan)]
    case .choice(let names):
      inside = names.map { .text($0) }
      outside = [.text(names.joined()), .text("")]
    case .serviceTime:
      inside = [.text("none"), .text("fixed(10s)")]
      outside = [.text("fixed(11s)"), .text("")]
    }
    for value in inside { #expect(throws: Never.self) { try parameter.validate(value) } }
    for value in outside {
      let error = #expect(throws: ParameterError.self) { try parameter.validate(value) }
      #expect(error?.description.contains("'\(value)'") == true)
    }
  }

  @Test func `an unknown parameter is refused with the names that there are`() {
    let error = #expect(throws: ParameterError.self) { try Workload.fanOut.values(["widht": .integer(1)]) }
    #expect(error?.description.contains("'widht'") == true)
    for parameter in Workload.fanOut.parameters {
      #expect(error?.description.contains(parameter.name) == true)
    }
  }

  @Test func `an unknown workload is refused with the names that there are`() {
    let error = #expect(throws: ParameterError.self) { try Workload.named("fanout") }
    #expect(error?.description.contains("'fanout'") == true)
    #expect(error?.description.contains("fan-out") == true)
  }

  @Test func `changes are laid over the defaults in canonical form`() throws {
    let values = try Workload.fanOut.values(["rate": .integer(5), "serviceTime": .text("fixed(1000us)")])
    #expect(values["rate"] == .number(5))
    #expect(values["serviceTime"] == .text("fixed(1ms)"))
    #expect(values["width"] == .integer(8))
    #expect(values.count == Workload.fanOut.parameters.count)
  }

  @Test func `fan-out's parameters arrive typed`() throws {
    let closed = try FanOut.Parameters(["load": .text("closed"), "serviceTime": .text("none"), "width": .integer(3)])
    #expect(closed.load == .closed)
    #expect(closed.serviceTime == ServiceTime.none)
    #expect(closed.width == 3)
    #expect(closed.requestBytes == 64)
    #expect(closed.replyBytes == 512)
    #expect(closed.connections == 64)
    #expect(closed.backendConnections == 512)
    #expect(try FanOut.Parameters(["rate": .integer(9)]).load == .poisson(rate: 9))
    #expect(
      try FanOut.Parameters(["load": .text("bursts"), "burst": .integer(4)]).load == .bursts(rate: 2_000, size: 4))
    #expect(throws: ParameterError.self) { try FanOut.Parameters(["width": .integer(0)]) }
  }
}
