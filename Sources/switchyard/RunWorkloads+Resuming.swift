// switchyard run --resume: the rest of a run that was cut short.

import Harness
import ResultFormat

extension RunWorkloads {
  /// What was typed beside `--resume` and would change the plan.
  var flagsOfANewRun: [String] {
    let flags: [(String, Bool)] = [
      ("'\(subjects.first ?? "")'", !subjects.isEmpty), ("--model", !models.models.isEmpty),
      ("--guest", !models.guests.isEmpty),
      ("--preset", preset != nil), ("--rounds", rounds != nil), ("--seed", seed != nil), ("--set", !changes.isEmpty),
      ("--window", window != nil), ("--warm-up", warmUp != nil), ("--output", output != nil), ("--label", label != nil),
      ("--until", until != nil), ("--max-time", maxTime != nil), ("--probe", probe),
    ]
    return flags.filter(\.1).map(\.0)
  }

  /// The rest of the run in that folder.
  /// - Throws: ``HarnessError`` if it cannot be gone on with here.
  func resumed(_ folder: String, _ executables: Executables, _ interruption: Interruption) async throws
    -> RunExecution
  {
    let run = try InterruptedRun(folder)
    if run.stored.plan.isCalibration {
      throw HarnessError.usage("'\(folder)' is a calibration: go on with 'switchyard calibrate --resume \(folder)'")
    }
    let processors = ProcessorSets(available: ProcessorSets.available())
    let watch = try await watchHost(anyway: anyway, interruption)
    let environment = await RunEnvironment.collect(
      label: run.stored.environment.label, processors: processors, watch: watch)
    try run.check(environment, processors, executables)
    let entries = try await ModelCatalogue(executables, guests: run.guests).describe(executables)
    let rows = try ModelCatalogue.rows(entries, named: run.rows)
    processors.confineHarness()
    return RunExecution(
      run, on: environment, rows: rows,
      runner: TrialRunner(executables: executables, interruption: interruption), processors: processors)
  }
}
