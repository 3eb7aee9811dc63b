// Whether a run on disk is what it claims to be: nothing in it has to be taken on trust. Percentiles are recomputed
// from the histograms, rates from counts, and the oracle judges the stored ledgers again, so that a file edited by hand
// to say `ok` is found out. Figures and trials are in Validation+Trial.swift.

import Workloads

/// Every problem of a run on disk; empty for a good one. A file that cannot be read at all is one problem.
/// - Parameter directory: a run's folder, or the path of its `run.json`.
public func validate(runAt directory: String) -> [Problem] {
  let path = directory.hasSuffix(".json") ? directory : "\(directory)/\(RunFiles.runName)"
  do throws(ResultError) {
    let run = try RunFiles.readRun(from: directory)
    var validation = Validation(path: path)
    validation.check(run)
    if path != directory && RunFiles.hasTrials(directory) {
      validation.compare(run.trials, with: try RunFiles.readTrials(from: directory))
    }
    return validation.problems
  } catch {
    // The message begins with the file's name already.
    let message = error.description
    let start = "\(path): "
    return [Problem(path: path, message: message.hasPrefix(start) ? String(message.dropFirst(start.count)) : message)]
  }
}

struct Validation {
  let path: String
  private(set) var problems: [Problem] = []

  init(path: String) { self.path = path }

  mutating func report(_ location: String, _ message: String) {
    problems.append(Problem(path: path, location: location, message: message))
  }

  mutating func check(_ run: Run) {
    check(run.environment)
    check(run.plan)
    checkCopies(run.plan)
    check(run.trials, against: run.plan, on: run.environment)
    checkHistory(run)
    checkProbes(run)
  }

  // MARK: - Environment

  private mutating func check(_ environment: RunEnvironment) {
    if environment.build != "release" && environment.build != "debug" {
      report("environment.build", "'\(environment.build)' is no build: expected release or debug")
    }
    if environment.processors < 1 {
      report("environment.processors", "\(environment.processors) is no number of processors: expected at least 1")
    }
    if environment.memoryBytes < 1 {
      report("environment.memoryBytes", "\(environment.memoryBytes) is no size of a memory: expected at least 1")
    }
    if !Self.isTime(environment.startedAt) {
      report("environment.startedAt", "'\(environment.startedAt)' is no time: expected 2026-01-31T12:00:00Z")
    }
    checkMeasure("environment.loadAverage", environment.loadAverage)
    if let speed = environment.iterationsPerMillisecond, speed < 1 {
      report("environment.iterationsPerMillisecond", "\(speed) is no speed: expected at least 1")
    }
  }

  /// ISO 8601 in UTC, as in `2026-01-31T12:00:00Z`, with or without a fraction of a second.
  static func isTime(_ text: String) -> Bool {
    let digits = text.utf8.map { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) ? UInt8(ascii: "0") : $0 }
    let shape = String(decoding: digits, as: UTF8.self)
    guard shape.hasPrefix("0000-00-00T00:00:00"), shape.hasSuffix("Z") else { return false }
    let fraction = shape.dropFirst(19).dropLast()
    return fraction.isEmpty
      || (fraction.first == "." && fraction.count > 1 && fraction.dropFirst().allSatisfy { $0 == "0" })
  }

  // MARK: - Plan

  private mutating func check(_ plan: Plan) {
    if Preset(rawValue: plan.preset) == nil {
      let known = Preset.allCases.map(\.rawValue).joined(separator: ", ")
      report("plan.preset", "'\(plan.preset)' is no preset: there is \(known)")
    }
    if plan.rounds < 1 { report("plan.rounds", "\(plan.rounds) is no number of rounds: expected at least 1") }
    checkMeasure("plan.warmUpSeconds", plan.warmUpSeconds)

    var names: Set<String> = []
    for (index, planned) in plan.cases.enumerated() {
      let place = "plan.cases[\(index)]"
      if !names.insert(planned.name).inserted { report(place, "the case '\(planned.name)' is there twice") }
      checkMeasure("\(place).windowSeconds", plan.windowSeconds(of: planned))
      if planned.workers < 1 { report(place, "workers is \(planned.workers): expected at least 1") }
      check(planned, at: place)
    }
    var rows: Set<String> = []
    for (index, model) in plan.models.enumerated() where !rows.insert(Self.row(model.name, model.variant)).inserted {
      report("plan.models[\(index)]", "the model '\(Self.row(model.name, model.variant))' is there twice")
    }
    checkClaims(plan)

    var numbers: Set<Int> = []
    var cells: Set<String> = []
    for (index, trial) in plan.trials.enumerated() {
      let place = "plan.trials[\(index)]"
      let row = Self.row(trial.model, trial.variant)
      if trial.number < 1 { report(place, "number is \(trial.number): expected at least 1") }
      if !numbers.insert(trial.number).inserted { report(place, "the number \(trial.number) is there twice") }
      if !(1...Swift.max(1, plan.rounds)).contains(trial.round) {
        report(place, "round is \(trial.round): expected 1 to \(plan.rounds)")
      }
      if !names.contains(trial.case) { report(place, "its case '\(trial.case)' is not one of the plan's") }
      if !rows.contains(row) { report(place, "its model '\(row)' is not one of the plan's") }
      if !cells.insert("\(trial.round) \(trial.case) \(row)").inserted {
        report(place, "round \(trial.round) has '\(row)' on \(trial.case) twice")
      }
    }
  }

  private mutating func check(_ planned: PlannedCase, at place: String) {
    do throws(ParameterError) {
      let workload = try Workload.named(planned.workload)
      let values = try workload.values(planned.parameters)
      let missing = values.keys.filter { planned.parameters[$0] == nil }.sorted()
      if !missing.isEmpty {
        report("\(place).parameters", "lacks \(missing.joined(separator: ", ")): a result states every parameter")
      }
    } catch {
      report(place, error.description)
    }
  }

  /// `async-loop`, or with a variant `async-loop (gather)`.
  static func row(_ model: String, _ variant: String?) -> String { variant.map { "\(model) (\($0))" } ?? model }

  // MARK: - Trials

  private mutating func check(_ trials: [Trial], against plan: Plan, on environment: RunEnvironment) {
    let planned = Dictionary(plan.trials.map { ($0.number, $0) }, uniquingKeysWith: { first, _ in first })
    let cases = Dictionary(plan.cases.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    let voided = Dictionary(
      trials.filter { $0.state == .voided }.map { ("\($0.round) \($0.case)", $0.number) }, uniquingKeysWith: min)
    var numbers: Set<Int> = []
    for trial in trials {
      let place = Self.place(trial)
      if trial.state == .ok, let other = voided["\(trial.round) \(trial.case)"] {
        report(place, "its state is 'ok', yet trial \(other) voids its case and round for all models")
      }
      if !numbers.insert(trial.number).inserted { report(place, "the number \(trial.number) is there twice") }
      guard let plannedTrial = planned[trial.number] else {
        report(place, "it is not planned: plan.trials has no number \(trial.number)")
        continue
      }
      let own = PlannedTrial(
        number: trial.number, round: trial.round, case: trial.case, model: trial.model, variant: trial.variant,
        seed: trial.seed)
      if own != plannedTrial {
        report(
          place,
          "planned as round \(plannedTrial.round), \(plannedTrial.case), "
            + "\(Self.row(plannedTrial.model, plannedTrial.variant)), seed \(plannedTrial.seed): it is another trial")
      }
      if let plannedCase = cases[trial.case] {
        if trial.workload != plannedCase.workload {
          report(place, "workload is '\(trial.workload)': the case's is '\(plannedCase.workload)'")
        }
        let parameters = plan.parameters(of: own)
        for name in Set(trial.parameters.keys).union(parameters.keys).sorted()
        where trial.parameters[name] != parameters[name] {
          let own = trial.parameters[name].map { "'\($0)'" } ?? "missing"
          let expected = parameters[name].map { "'\($0)'" } ?? "not there"
          report("\(place).parameters.\(name)", "\(own): in the case it is \(expected)")
        }
      }
      check(trial, on: environment, at: place)
    }
  }

  static func place(_ trial: Trial) -> String {
    "trial \(trial.number) (\(row(trial.model, trial.variant)), \(trial.case), round \(trial.round))"
  }

  /// `run.json` is made from the trials' own files: it has the same, and all of them.
  mutating func compare(_ trials: [Trial], with files: [Trial]) {
    let byNumber = Dictionary(files.map { ($0.number, $0) }, uniquingKeysWith: { first, _ in first })
    for trial in trials {
      let file = "\(RunFiles.trialsName)/\(trial.number)/\(RunFiles.trialName)"
      guard let other = byNumber[trial.number] else {
        report(Self.place(trial), "\(file) is missing: restore it, or remove the whole of \(RunFiles.trialsName)/")
        continue
      }
      if other != trial { report(Self.place(trial), "\(file) says otherwise: one of the two was changed") }
    }
    let numbers = Set(trials.map(\.number))
    for file in files where !numbers.contains(file.number) {
      report(Self.place(file), "it is in \(RunFiles.trialsName)/, but not in \(RunFiles.runName)")
    }
  }
}
