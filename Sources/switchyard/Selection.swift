// What several subcommands share: which workloads and models are meant.

import ArgumentParser
import Harness
import Workloads

/// `--model` and `--guest`.
struct ModelOptions: ParsableArguments {
  @Option(
    name: .customLong("model"),
    help: ArgumentHelp(
      "A model to use, or one of its variants; may be repeated. Without it: all.", valueName: "name[:variant]"))
  var models: [String] = []

  @Option(
    name: .customLong("guest"),
    help: ArgumentHelp(
      "An executable that speaks PROTOCOL.md, to use as a model of that name; may be repeated.",
      valueName: "name=path"))
  var guests: [String] = []

  /// The rows meant.
  func rows(_ executables: Executables, withVariants: Bool = false) async throws(HarnessError) -> [ModelRow] {
    let entries = try await ModelCatalogue(executables, guests: guests).describe(executables)
    return try ModelCatalogue.rows(entries, named: models, withVariants: withVariants)
  }
}

/// The workloads of that name; all if there are none.
func selectWorkloads(_ names: [String]) throws(HarnessError) -> [Workload] {
  var workloads: [Workload] = []
  for name in names {
    let workload: Workload
    do throws(ParameterError) {
      workload = try Workload.named(name)
    } catch {
      throw HarnessError(error)
    }
    if !workloads.contains(where: { $0.name == workload.name }) { workloads.append(workload) }
  }
  return names.isEmpty ? Workload.all : workloads
}

/// A workload's cases that are wanted, or the one case of that name.
func matchingCases(_ subject: String, where isWanted: (Case) -> Bool) throws(HarnessError) -> [(Case, Workload)] {
  for workload in Workload.all {
    if workload.name == subject { return workload.cases.filter(isWanted).map { ($0, workload) } }
    if let match = workload.cases.first(where: { $0.name == subject }) { return [(match, workload)] }
  }
  guard subject.contains("/") else {
    _ = try selectWorkloads([subject])
    return []
  }
  let known = Workload.all.flatMap(\.cases).map(\.name).joined(separator: ", ")
  throw .usage("'\(subject)' is not a case: there is \(known)")
}

/// `key=value`, as after `--set`.
func parseChanges(_ texts: [String]) throws(HarnessError) -> [String: String] {
  var changes: [String: String] = [:]
  for text in texts {
    guard let separator = text.firstIndex(of: "="), separator != text.startIndex else {
      throw .usage("'\(text)' sets nothing: expected KEY=VALUE, as in --set width=16")
    }
    let key = String(text[..<separator])
    guard changes.updateValue(String(text[text.index(after: separator)...]), forKey: key) == nil else {
      throw .usage("'\(key)' was set twice")
    }
  }
  return changes
}

/// What a plan takes of rounds, and of seconds of window and warm-up.
/// - Throws: `ValidationError` that names the value and the range.
func validateRanges(rounds: Int? = nil, window: Double? = nil, warmUp: Double? = nil) throws {
  if let rounds, !(1...10_000).contains(rounds) {
    throw ValidationError("'\(rounds)' is no number of rounds: expected 1 to 10000")
  }
  if let window, !(0.1...3600).contains(window) {
    throw ValidationError("'\(window)' is no window: expected 0.1 to 3600 seconds")
  }
  if let warmUp, !(0...600).contains(warmUp) {
    throw ValidationError("'\(warmUp)' is no warm-up: expected 0 to 600 seconds")
  }
}

/// Watches whether anything else runs on the host, and waits a little for it to end: the build before a run has often
/// just ended. With `--anyway` one look is enough, for the tables to say so.
/// - Throws: ``HarnessError`` if the host stays busy, unless `anyway`; the status of an interruption if that came.
func watchHost(anyway: Bool, _ interruption: Interruption) async throws -> HostWatch? {
  let watch = await HostWatch.untilIdle(within: anyway ? .zero : .seconds(10), interruption: interruption) {
    complain("waiting for the host to be idle: \($0.description)")
  }
  if interruption.isRequested {
    complain("interrupted before the first trial")
    throw ExitCode(Status.interrupted)
  }
  try watch?.admit(anyway: anyway)
  return watch
}
