// switchyard capacity: the highest rate that each model sustains under a service objective, with an interval; and how
// latency and goodput go with the load, up to and beyond it.

import ArgumentParser
import Glibc
import Harness
import Reports
import ResultFormat
import Workloads

struct Capacity: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "capacity",
    abstract: "Searches the highest open-loop rate that meets a service objective, for each model.",
    discussion: """
      Exit status 1 if a model has no answer, or misses the objective at 80 % of its own capacity.
      """)

  @Argument(help: ArgumentHelp("A served workload, or one of its open-loop cases.", valueName: "workload"))
  var subject: String

  @Option(
    help: ArgumentHelp(
      "What has to be kept, as 'p99<10ms': a percentile of the latency and its limit in us, ms or s.",
      valueName: "objective"))
  var slo: String

  @OptionGroup var models: ModelOptions

  @Option(help: "Seed of the order and of every trial; a new one if not given.")
  var seed: UInt64?

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("Change a parameter of the case; may be repeated.", valueName: "key=value"))
  var changes: [String] = []

  @Option(
    help: ArgumentHelp(
      "Length of every measured window; if not given 2 s or longer in the search, as the objective needs, and 4 s in "
        + "the curve.",
      valueName: "seconds"))
  var window: Double?

  @Option(help: ArgumentHelp("Load before the window opens; 1 s if not given.", valueName: "seconds"))
  var warmUp: Double?

  @Option(
    help: ArgumentHelp("The search's own folder; Results/<date>-<label>-capacity if not given.", valueName: "dir"))
  var output: String?

  @Option(help: "What the standard folder is called after; the processor's model if not given.")
  var label: String?

  @Flag(help: "Measure on a busy host, too: the tables say so.")
  var anyway = false

  @Flag(help: "Print JSON.")
  var json = false

  func validate() throws {
    try validateRanges(window: window, warmUp: warmUp)
  }

  func run() async throws {
    let interruption = Interruption()
    interruption.takeOverSignals()
    let execution = try await prepare(interruption)
    announce(execution)
    let display = CapacityDisplay()
    let result: CapacityResult
    do {
      result = try await execution.run(display.show)
      display.end()
    } catch {
      display.end()
      throw error
    }
    try conclude(result, execution.folder)
  }

  private func prepare(_ interruption: Interruption) async throws -> CapacityExecution {
    let objective: ServiceObjective
    do {
      objective = try ServiceObjective(slo)
    } catch {
      throw HarnessError.usage(error.description)
    }
    let executables = try Executables.besideOwn()
    let processors = ProcessorSets(available: ProcessorSets.available())
    let load = try CapacityLoad(
      subject, changes: try parseChanges(changes), workers: processors.workers(isServed: true))
    let plan = try CapacityPlan.make(
      load, objective, seed: seed ?? UInt64.random(in: 1...UInt64(UInt32.max)), warmUpSeconds: warmUp,
      windowSeconds: window, processors: processors, toleratesBusyHost: anyway)
    let rows = try await models.rows(executables)
    let watch = try await watchHost(anyway: anyway, interruption)
    var environment = await RunEnvironment.collect(label: label, processors: processors, watch: watch)
    let folder = output ?? RunFolder.standard(environment, preset: "capacity")
    try CapacityExecution.makeFolder(folder)
    processors.confineHarness()
    environment.iterationsPerMillisecond = Calibration.iterationsPerMillisecond()
    return CapacityExecution(
      environment: environment, plan: plan, load: load, rows: rows, folder: folder,
      runner: TrialRunner(executables: executables, interruption: interruption), processors: processors)
  }

  private func announce(_ execution: CapacityExecution) {
    for warning in execution.environment.warnings { complain("warning: \(warning)") }
    let plan = execution.plan
    complain(
      "capacity of \(plan.case.name) under \(plan.objective), from \(Int(plan.startRate)) requests/s on (seed "
        + "\(plan.seed)): about \(Progress.words(execution.expectedSeconds)); results go to \(execution.folder)")
  }

  /// Tables, files and the exit status.
  private func conclude(_ result: CapacityResult, _ folder: String) throws {
    let text = render(
      result, as: json ? .json : .terminal, colour: !json && allowsColour(STDOUT_FILENO),
      width: terminalWidth(STDOUT_FILENO))
    print(text, terminator: text.hasSuffix("\n") ? "" : "\n")
    do {
      try RunFiles.writeText(
        render(result, as: .markdown, colour: false, width: nil), to: "\(folder)/\(RunFiles.reportName)")
    } catch {
      throw HarnessError.host(error.description)
    }
    fflush(nil)  // the tables first, also where both streams go to one file
    if result.isInterrupted {
      complain("interrupted: \(result.trials.count) trials are in \(folder)/\(RunFiles.capacityName)")
      throw ExitCode(Status.interrupted)
    }
    let present = result.models.filter { $0.ending != .unsupported }
    let unanswered = present.filter { $0.reference == nil }
    let failing = present.filter { $0.reference != nil && result.meetsCheck($0) != true }
    guard !present.isEmpty, unanswered.isEmpty, failing.isEmpty else {
      complain(
        "\(unanswered.count) of \(present.count) models have no answer, \(failing.count) are not known to meet "
          + "\(result.plan.objective) at 80 %; see \(folder)/\(RunFiles.reportName)")
      throw ExitCode(Status.failed)
    }
    complain("done: \(folder)/\(RunFiles.capacityName) and \(RunFiles.reportName)")
  }
}
