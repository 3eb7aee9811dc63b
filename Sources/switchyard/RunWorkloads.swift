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

  @Option(help: "How much to run; quick if not given.")
  var preset: Preset?

  @Option(help: "Trials of every case and model, instead of the preset's.")
  var rounds: Int?

  @Option(
    help: ArgumentHelp(
      "Add rounds until the 95 % interval of every headline figure is within plus or minus so much.",
      valueName: "percentage"))
  var until: String?

  @Option(
    help: ArgumentHelp(
      "With --until: the longest that all rounds together may take, as 30m; an hour or more if not given.",
      valueName: "time"))
  var maxTime: String?

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

  @Flag(
    help: "Repeat the first rounds when all are finished, and count system calls, instructions and cycles in them.")
  var probe = false

  @Flag(help: "Measure on a busy host, too: the tables say so.")
  var anyway = false

  @Option(
    help: ArgumentHelp("Go on with the run in this folder, which was cut short, by its own plan.", valueName: "dir")
  )
  var resume: String?

  func validate() throws {
    if let resume, let flag = flagsOfANewRun.first {
      throw ValidationError(
        "--resume \(resume) goes on with the plan of that run: leave \(flag) out, or make another run without --resume")
    }
    if let maxTime, until == nil {
      throw ValidationError("--max-time \(maxTime) bounds --until: give both, as in --until 2% --max-time \(maxTime)")
    }
    try validateRanges(rounds: rounds, window: window, warmUp: warmUp)
  }

  func run() async throws {
    let interruption = Interruption()
    interruption.takeOverSignals()
    let executables = try Executables.besideOwn()
    let execution =
      if let resume {
        try await resumed(resume, executables, interruption)
      } else {
        try await begun(executables, interruption)
      }
    announce(execution)
    let completion = try await execution.runShowingProgress(resumeWith: "switchyard run --resume")
    try conclude(completion, execution.folder)
  }

  /// A new run, with its folder.
  private func begun(_ executables: Executables, _ interruption: Interruption) async throws -> RunExecution {
    let cases = try selectCases()
    if let until { _ = try PrecisionGoal(until: until, within: maxTime, firstRounds: 0) }
    let rows = try await models.rows(executables)
    let processors = ProcessorSets(available: ProcessorSets.available())
    let watch = try await watchHost(anyway: anyway, interruption)
    var environment = await RunEnvironment.collect(label: label, processors: processors, watch: watch)
    var plan = Plan.make(
      PlanRequest(
        cases: cases, models: rows.map(\.planned), preset: preset ?? .quick,
        seed: seed ?? UInt64.random(in: 1...UInt64(UInt32.max)), rounds: rounds, warmUpSeconds: warmUp,
        windowSeconds: window, processors: processors))
    if probe { plan.probeRounds = min(Plan.probedRounds, plan.rounds) }
    let folder = output ?? RunFolder.standard(environment, preset: plan.preset)
    func execution() -> RunExecution {
      RunExecution(
        environment: environment, plan: plan, rows: rows, folder: folder,
        runner: TrialRunner(executables: executables, interruption: interruption), processors: processors)
    }
    if let until {
      plan.precision = try PrecisionGoal(
        until: until, within: maxTime, firstRounds: execution().expectedSeconds)
    }
    try RunFolder.make(folder)
    processors.confineHarness()
    environment.iterationsPerMillisecond = Calibration.iterationsPerMillisecond()
    return execution()
  }

  private func announce(_ execution: RunExecution) {
    let plan = execution.plan
    for warning in execution.environment.warnings { complain("warning: \(warning)") }
    complain(
      "\(plan.trials.count) trials (\(plan.cases.count) cases, \(plan.models.count) models, \(plan.rounds) rounds; "
        + "seed \(plan.seed)), about \(Progress.words(execution.expectedSeconds)); results go to \(execution.folder)")
    if let resume {
      complain("resuming \(resume): \(execution.finished.count) of the trials are finished")
    }
    if let goal = plan.precision {
      complain(
        "rounds are added until every headline's interval is within \(goal.words), for at most "
          + Progress.words(goal.maximumSeconds))
    }
    if let rounds = plan.probeRounds {
      complain("then \(plan.probedTrials.count) trials of \(rounds) rounds are repeated under probes, and not timed")
    }
    let skipped = execution.skipped(of: plan).count
    if skipped > 0 { complain("\(skipped) of them take no time: their models decline the workload") }
  }

  /// Tables, files and the exit status.
  private func conclude(_ completion: RunExecution.Completion, _ folder: String) throws {
    let run = completion.run
    let calibration = RunFiles.calibration(near: folder, of: run.environment)
    let text = render(
      run, as: .terminal, calibration: calibration, colour: allowsColour(STDOUT_FILENO),
      width: terminalWidth(STDOUT_FILENO))
    print(text, terminator: text.hasSuffix("\n") ? "" : "\n")
    for line in completion.selfTest.lines { print(line) }
    do {
      try RunFiles.writeText(
        render(run, as: .markdown, calibration: calibration, colour: false, width: nil),
        to: "\(folder)/\(RunFiles.reportName)")
    } catch {
      throw HarnessError.host(error.description)
    }
    if completion.isInterrupted {
      complain("interrupted: \(run.trials.count) of \(run.plan.trials.count) trials are in \(folder)")
      complain("go on with: switchyard run --resume \(folder)")
      throw ExitCode(Status.interrupted)
    }
    if let goal = run.plan.precision, let wide = run.precision?.unreached, !wide.isEmpty {
      fflush(nil)
      complain(
        "after \(run.plan.rounds) rounds \(wide.count) of \(run.precision?.figures ?? 0) headline figures are not within "
          + "\(goal.words): \(folder)/\(RunFiles.reportName) says which")
    }
    let failed = run.trials.filter { $0.state != .ok && $0.state != .unsupported }
    guard failed.isEmpty else {
      complain("\(failed.count) of \(run.trials.count) trials failed; see \(folder)/report.md")
      throw ExitCode(Status.failed)
    }
    fflush(nil)  // the tables first, also where both streams go to one file
    complain("done: \(folder)/run.json and report.md")
  }
}
