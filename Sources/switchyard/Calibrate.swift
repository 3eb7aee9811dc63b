// switchyard calibrate: what this host can tell apart. Every model is compared with itself, and with a copy of itself
// that is slower by a known amount.

import ArgumentParser
import Glibc
import Harness
import Reports
import ResultFormat
import Workloads

struct Calibrate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "calibrate",
    abstract: "Compares every model with itself: what can be told apart on this host, and how often a test errs.",
    discussion: """
      Without workloads: the cases of the standard preset and some more, with windows as short as their metrics bear; \
      about an hour for four models. The resolution goes to calibration.json in the folder, where the reports of runs \
      on this host find it. Exit status 1 if the tests err more often than they may, or miss the slowdown that is put in.
      """)

  @Argument(help: ArgumentHelp("Workloads, or single cases.", valueName: "workload"))
  var subjects: [String] = []

  @OptionGroup var models: ModelOptions

  @Option(help: "Trials of every case, model and copy; 12 if not given.")
  var rounds: Int?

  @Option(
    help: ArgumentHelp(
      "Length of every measured window; if not given, as short as each case's metrics bear.", valueName: "seconds"))
  var window: Double?

  @Option(help: "Seed of the order and of every trial; a new one if not given.")
  var seed: UInt64?

  @Option(
    help: ArgumentHelp(
      "The calibration's own folder; Results/<date>-<label>-calibration if not given.", valueName: "dir"))
  var output: String?

  @Option(help: "What the standard folder is called after; the processor's model if not given.")
  var label: String?

  @Flag(help: "Calibrate on a busy host, too: the report says so.")
  var anyway = false

  @Flag(help: "Print JSON.")
  var json = false

  @Option(help: ArgumentHelp("Go on with the calibration in this folder, which was cut short.", valueName: "dir"))
  var resume: String?

  func validate() throws {
    let flags: [(String, Bool)] = [
      ("'\(subjects.first ?? "")'", !subjects.isEmpty), ("--model", !models.models.isEmpty),
      ("--guest", !models.guests.isEmpty), ("--rounds", rounds != nil), ("--window", window != nil),
      ("--seed", seed != nil), ("--output", output != nil), ("--label", label != nil),
    ]
    if let resume, let flag = flags.first(where: \.1)?.0 {
      throw ValidationError(
        "--resume \(resume) goes on with the plan of that calibration: leave \(flag) out, or make another one without "
          + "--resume")
    }
    try validateRanges(rounds: rounds, window: window)
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
    let completion = try await execution.runShowingProgress(resumeWith: "switchyard calibrate --resume")
    if completion.isInterrupted {
      complain(
        "interrupted: \(completion.run.trials.count) of \(completion.run.plan.trials.count) trials are in "
          + execution.folder)
      complain("go on with: switchyard calibrate --resume \(execution.folder)")
      throw ExitCode(Status.interrupted)
    }
    try conclude(completion.run, execution.folder)
  }

  private func selectCases() throws(HarnessError) -> [SelectedCase] {
    var cases: [SelectedCase] = []
    for subject in subjects.isEmpty ? Workload.all.map(\.name) : subjects {
      for (`case`, workload) in try matchingCases(subject, where: CalibrateRequest.isStandard)
      where !cases.contains(where: { $0.name == `case`.name }) {
        do throws(ParameterError) {
          cases.append(try SelectedCase(`case`, of: workload))
        } catch {
          throw HarnessError(error)
        }
      }
    }
    return cases
  }

  /// A new one, with its folder.
  private func begun(_ executables: Executables, _ interruption: Interruption) async throws -> RunExecution {
    let cases = try selectCases()
    let rows = try await models.rows(executables)
    let processors = ProcessorSets(available: ProcessorSets.available())
    let request = CalibrateRequest(
      cases: cases, models: rows, rounds: rounds ?? CalibrateRequest.standardRounds,
      seed: seed ?? UInt64.random(in: 1...UInt64(UInt32.max)), windowSeconds: window, processors: processors)
    let plan = try request.plan()
    let watch = try await watchHost(anyway: anyway, interruption)
    var environment = await RunEnvironment.collect(label: label, processors: processors, watch: watch)
    let folder = output ?? RunFolder.standard(environment, preset: "calibration")
    try RunFolder.make(folder)
    processors.confineHarness()
    environment.iterationsPerMillisecond = Calibration.iterationsPerMillisecond()
    return RunExecution(
      environment: environment, plan: plan, rows: request.rows, folder: folder,
      runner: TrialRunner(executables: executables, interruption: interruption), processors: processors)
  }

  private func resumed(_ folder: String, _ executables: Executables, _ interruption: Interruption) async throws
    -> RunExecution
  {
    let run = try InterruptedRun(folder)
    guard run.stored.plan.isCalibration else {
      throw HarnessError.usage("'\(folder)' is no calibration: go on with 'switchyard run --resume \(folder)'")
    }
    let processors = ProcessorSets(available: ProcessorSets.available())
    let watch = try await watchHost(anyway: anyway, interruption)
    let environment = await RunEnvironment.collect(
      label: run.stored.environment.label, processors: processors, watch: watch)
    try run.check(environment, processors, executables)
    let entries = try await ModelCatalogue(executables, guests: run.guestModels).describe(executables)
    let originals = try ModelCatalogue.rows(entries, named: run.models)
    processors.confineHarness()
    return RunExecution(
      run, on: environment, rows: CalibrateRequest.rows(of: run.stored.plan, originals),
      runner: TrialRunner(executables: executables, interruption: interruption), processors: processors)
  }

  private func announce(_ execution: RunExecution) {
    let plan = execution.plan
    for warning in execution.environment.warnings { complain("warning: \(warning)") }
    complain(
      "\(plan.trials.count) trials: \(plan.originals.count) models and their copies in \(plan.cases.count) cases, "
        + "\(plan.rounds) rounds (seed \(plan.seed)), which makes \(plan.selfComparisons) comparisons of equal things; "
        + "about \(Progress.words(execution.expectedSeconds)); results go to \(execution.folder)")
    if let resume { complain("resuming \(resume): \(execution.finished.count) of the trials are finished") }
    let skipped = execution.skipped(of: plan).count
    if skipped > 0 { complain("\(skipped) of them take no time: their models decline the workload") }
  }

  /// Tables, files and the exit status.
  private func conclude(_ run: Run, _ folder: String) throws {
    let text = render(
      run, as: json ? .json : .terminal, colour: allowsColour(STDOUT_FILENO), width: terminalWidth(STDOUT_FILENO))
    print(text, terminator: text.hasSuffix("\n") ? "" : "\n")
    fflush(nil)  // the tables first, also where both streams go to one file
    let report = CalibrationReport(run)
    do {
      try RunFiles.writeCalibration(report.resolution, to: folder)
      // Last: with it the calibration is complete.
      try RunFiles.writeText(
        render(run, as: .markdown, colour: false, width: nil), to: "\(folder)/\(RunFiles.reportName)")
    } catch {
      throw HarnessError.host(error.description)
    }
    complain("done: \(folder)/calibration.json, report.md and run.json")
    let failed = run.trials.filter { $0.state != .ok && $0.state != .unsupported }
    if !failed.isEmpty { complain("\(failed.count) of \(run.trials.count) trials failed; see \(folder)/report.md") }
    for objection in report.objections { complain(objection) }
    if !failed.isEmpty || !report.objections.isEmpty { throw ExitCode(Status.failed) }
  }
}
