// A case whose offered rate can be set: what a capacity search varies. The rate is a parameter of the workload like any
// other, so that a trial of the search is a trial as in any run.

import Workloads

public struct CapacityLoad: Sendable {
  public let selected: SelectedCase
  /// The parameter that sets the rate, and the requests per second that a value of 1 offers.
  public let parameter: String
  public let requestsPerUnit: Double
  /// The rates that the parameter allows, and the one that the case has by itself; requests per second.
  public let rates: ClosedRange<Double>
  public let ownRate: Double

  public var workload: Workload { selected.workload }

  /// - Parameters:
  ///   - subject: a served workload, which stands for the first of its cases with an offered rate, or one of its cases.
  ///   - changes: from `--set`.
  ///   - workers: of the model; a rate may follow from them.
  /// - Throws: ``HarnessError`` that quotes what has no rate to vary, and says what has.
  public init(_ subject: String, changes: [String: String], workers: Int, of workloads: [Workload] = Workload.all)
    throws(HarnessError)
  {
    let (chosen, workload) = try Self.choose(subject, workloads)
    guard let name = Self.rateParameter(of: workload) else {
      throw .usage(
        "'\(subject)' has no offered rate to vary: there is "
          + workloads.filter { Self.rateParameter(of: $0) != nil }.map(\.name).joined(separator: ", "))
    }
    if let value = changes[name] {
      throw .usage("\(name) is what the search varies: leave --set \(name)=\(value) out")
    }
    do throws(ParameterError) {
      let selected = try SelectedCase(chosen, of: workload, changes: changes)
      guard selected.parameters["load"] != .text("closed") else {
        throw ParameterError(
          "'\(selected.name)' is a closed loop, in which the model sets the rate: there is "
            + Self.openCases(of: workload).map(\.name).joined(separator: ", "))
      }
      let perUnit = try Self.requestsPerUnit(selected, name, workers: workers)
      guard case .number(let range) = try workload.parameter(name).domain,
        case .number(let value)? = selected.parameters[name]
      else { preconditionFailure("a rate is a number") }
      self.selected = selected
      parameter = name
      requestsPerUnit = perUnit
      rates = range.lowerBound * perUnit...range.upperBound * perUnit
      ownRate = value * perUnit
    } catch {
      throw HarnessError(error)
    }
  }

  /// All parameters of a trial at that rate.
  func parameters(at rate: Double) -> [String: ParameterValue] {
    var values = selected.parameters
    values[parameter] = .number(rate / requestsPerUnit)
    return values
  }

  /// The latencies that an objective is about: those of the case's headline, as in `latency.interactive.p99`, or all.
  var latencyClass: String {
    let words = selected.headlines.map { $0.split(separator: ".") }.first { $0.count == 3 && $0[0] == "latency" }
    return words.map { String($0[1]) } ?? "all"
  }

  private static func choose(_ subject: String, _ workloads: [Workload]) throws(HarnessError) -> (Case, Workload) {
    for workload in workloads {
      if workload.name == subject, let first = openCases(of: workload).first ?? workload.cases.first {
        return (first, workload)
      }
      if let match = workload.cases.first(where: { $0.name == subject }) { return (match, workload) }
    }
    let open = workloads.filter { rateParameter(of: $0) != nil }
    let known = subject.contains("/") ? open.flatMap(openCases).map(\.name) : open.map(\.name)
    throw .usage(
      "'\(subject)' is not a \(subject.contains("/") ? "case" : "workload") with an offered rate: there is "
        + known.joined(separator: ", "))
  }

  /// Requests per second, or a share of the workers' time from which they follow.
  private static func rateParameter(of workload: Workload) -> String? {
    guard workload.isServed else { return nil }
    return ["rate", "offeredLoad"].first { name in workload.parameters.contains { $0.name == name } }
  }

  private static func openCases(of workload: Workload) -> [Case] {
    guard rateParameter(of: workload) != nil else { return [] }
    return workload.cases.filter { $0.changes["load"] != .text("closed") }
  }

  private static func requestsPerUnit(_ selected: SelectedCase, _ parameter: String, workers: Int)
    throws(ParameterError) -> Double
  {
    guard parameter == "offeredLoad" else { return 1 }
    var values = selected.parameters
    values[parameter] = .number(1)
    return try BlockingMix.Parameters(values).rate(workers: workers)
  }
}
