// switchyard check: does a model do the work? Small and gated cases, the oracle only, no timing.

import ArgumentParser
import Harness
import ResultFormat
import Workloads

struct CheckModels: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Proves by small and gated cases that models do the work; without --model, all models and variants.")

  @Argument(help: ArgumentHelp("The workloads to check; all if none are named.", valueName: "workload"))
  var workloads: [String] = []

  @OptionGroup var models: ModelOptions

  @Option(
    help: ArgumentHelp(
      "How long a model may make no progress before it counts as hung; a busy machine wants more.",
      valueName: "seconds"))
  var patience: Double = CheckRunner.patience / .seconds(1)

  @Flag(help: "Print JSON.")
  var json = false

  func validate() throws {
    if !(0.1...3600).contains(patience) {
      throw ValidationError("'\(patience)' is no patience: expected 0.1 to 3600 seconds")
    }
  }

  func run() async throws {
    let interruption = Interruption()
    interruption.takeOverSignals()
    let workloads = try selectWorkloads(workloads)
    let executables = try Executables.besideOwn()
    let rows = try await models.rows(executables, withVariants: models.models.isEmpty)
    let processors = ProcessorSets(available: ProcessorSets.available())
    processors.confineHarness()
    let runner = CheckRunner(
      runner: TrialRunner(executables: executables, interruption: interruption), processors: processors,
      patience: .seconds(patience),
      iterationsPerMillisecond: Calibration.iterationsPerMillisecond(readings: 5, milliseconds: 5))
    let results = try await runner.run(rows, workloads) { if !json { show($0) } }
    guard let results else {
      complain("interrupted")
      throw ExitCode(Status.interrupted)
    }
    if json { try printJSON(results) }
    let failures = results.count { !$0.isAcceptable }
    if failures > 0 {
      complain("\(failures) of \(results.count) checks failed")
      let timeouts = results.count { $0.state == .timeout }
      if timeouts > 0 {
        complain("\(timeouts) of them by a timeout: if this machine is busy, give more than --patience \(patience)")
      }
      throw ExitCode(Status.failed)
    }
  }

  private func show(_ result: CheckResult) {
    let model = result.variant.map { "\(result.model):\($0)" } ?? result.model
    var line = "\(model) · \(result.check) · \(result.state.rawValue)"
    if let reason = result.reason { line += " · \(reason)" }
    if let path = result.standardError { line += "; its stderr is in \(path)" }
    print(line)
  }
}
