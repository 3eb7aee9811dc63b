// switchyard run: the main job. Rounds of trials, live progress, the table, and everything on disk.

import ArgumentParser
import Foundation
import Glibc
import Harness
import Reports
import ResultFormat
import Workloads

extension Preset: ExpressibleByArgument {}

struct RunWorkloads: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Measures models on workloads and prints the tables.")

  @Argument(help: ArgumentHelp("Workloads, or single cases; all if none are named.", valueName: "workload"))
  var subjects: [String] = []

  @OptionGroup var models: ModelOptions

  @Option(help: "How much to run.")
  var preset: Preset = .quick

  @Option(help: "Trials of every case and model, instead of the preset's.")
  var rounds: Int?

  @Option(help: "Seed of the order and of every trial; a new one if not given.")
  var seed: UInt64?

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("Change a parameter of every case; may be repeated.", valueName: "key=value"))
  var changes: [String] = []

  @Option(help: ArgumentHelp("Length of the measured window, instead of the preset's.", valueName: "seconds"))
  var window: Double?

  @Option(help: ArgumentHelp("Load before the window opens, instead of the preset's.", valueName: "seconds"))
  var warmUp: Double?

  @Option(help: ArgumentHelp("The run's own folder; Results/<date>-<label>-<preset> if not given.", valueName: "dir"))
  var output: String?

  @Option(help: "What the standard folder is called after; the processor's model if not given.")
  var label: String?

  @Flag(help: "Measure on a busy host, too: the tables say so.")
  var anyway = false

  func validate() throws {
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

  func run() async throws {
    let interruption = Interruption()
    interruption.takeOverSignals()
    let cases = try selectCases()
    let executables = try Executables.besideOwn()
    let rows = try await models.rows(executables)
    let processors = ProcessorSets(available: ProcessorSets.available())
    let watch = try await watchHost(anyway: anyway, interruption)
    var environment = await RunEnvironment.collect(label: label, processors: processors, watch: watch)
    let plan = Plan.make(
      PlanRequest(
        cases: cases, models: rows.map(\.planned), preset: preset,
        seed: seed ?? UInt64.random(in: 1...UInt64(UInt32.max)), rounds: rounds, warmUpSeconds: warmUp,
        windowSeconds: window, processors: processors))
    let folder = output ?? RunFolder.standard(environment, preset: preset.rawValue)
    try RunFolder.make(folder)
    processors.confineHarness()
    environment.iterationsPerMillisecond = Calibration.iterationsPerMillisecond()
    let execution = RunExecution(
      environment: environment, plan: plan, rows: rows, folder: folder,
      runner: TrialRunner(executables: executables, interruption: interruption), processors: processors)
    announce(execution, folder)
    let display = ProgressDisplay(Progress(plan, skipping: execution.skipped))
    let completion: RunExecution.Completion
    do {
      completion = try await execution.run(display.show)
      display.end()
    } catch {
      display.end()
      throw error
    }
    try conclude(completion, folder)
  }

  private func announce(_ execution: RunExecution, _ folder: String) {
    let plan = execution.plan
    for warning in execution.environment.warnings { complain("warning: \(warning)") }
    complain(
      "\(plan.trials.count) trials (\(plan.cases.count) cases, \(plan.models.count) models, \(plan.rounds) rounds; "
        + "seed \(plan.seed)), about \(Progress.words(execution.expectedSeconds)); results go to \(folder)")
    let skipped = execution.skipped.count
    if skipped > 0 { complain("\(skipped) of them take no time: their models decline the workload") }
  }

  /// Tables, files and the exit status.
  private func conclude(_ completion: RunExecution.Completion, _ folder: String) throws {
    let run = completion.run
    let text = render(
      run, as: .terminal, colour: allowsColour(STDOUT_FILENO), width: terminalWidth(STDOUT_FILENO))
    print(text, terminator: text.hasSuffix("\n") ? "" : "\n")
    for line in completion.selfTest.lines { print(line) }
    do {
      try RunFiles.writeText(render(run, as: .markdown, colour: false, width: nil), to: "\(folder)/report.md")
    } catch {
      throw HarnessError.host(error.description)
    }
    if completion.isInterrupted {
      complain("interrupted: \(run.trials.count) of \(run.plan.trials.count) trials are in \(folder)")
      throw ExitCode(Status.interrupted)
    }
    let failed = run.trials.filter { $0.state != .ok && $0.state != .unsupported }
    guard failed.isEmpty else {
      complain("\(failed.count) of \(run.trials.count) trials failed; see \(folder)/report.md")
      throw ExitCode(Status.failed)
    }
    fflush(nil)  // the tables first, also where both streams go to one file
    complain("done: \(folder)/run.json and report.md")
  }

  // MARK: Selection

  private func selectCases() throws(HarnessError) -> [SelectedCase] {
    let changes = try parseChanges(changes)
    var selected: [(Case, Workload)] = []
    for subject in subjects.isEmpty ? Workload.all.map(\.name) : subjects {
      for pair in try cases(of: subject) where !selected.contains(where: { $0.0.name == pair.0.name }) {
        selected.append(pair)
      }
    }
    var cases: [SelectedCase] = []
    for (`case`, workload) in selected {
      do throws(ParameterError) {
        cases.append(try SelectedCase(`case`, of: workload, changes: changes))
      } catch {
        throw HarnessError(error)
      }
    }
    return cases
  }

  /// A workload's cases in the preset, or the one case of that name.
  private func cases(of subject: String) throws(HarnessError) -> [(Case, Workload)] {
    for workload in Workload.all {
      if workload.name == subject {
        return workload.cases.filter { $0.presets.contains(preset) }.map { ($0, workload) }
      }
      if let match = workload.cases.first(where: { $0.name == subject }) { return [(match, workload)] }
    }
    guard subject.contains("/") else {
      _ = try selectWorkloads([subject])
      return []
    }
    let known = Workload.all.flatMap(\.cases).map(\.name).joined(separator: ", ")
    throw .usage("'\(subject)' is not a case: there is \(known)")
  }
}
