// switchyard compare: two runs against each other, and a gate for continuous integration.

import ArgumentParser
import Glibc
import Harness
import Reports
import ResultFormat

struct Compare: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "Says what of a run is faster or slower than in another, and what cannot be told.",
    discussion: """
      Both folders hold a run of their own, of the same cases with the same parameters and windows. Two runs have \
      no rounds in common, so that Welch's t test on logarithms decides, corrected by Holm within each workload. \
      Counts per operation (allocations, switches, page faults) have a rule of their own, which the output states.

      Exit status: 0 compared, whatever was found; 1 with --fail-on-regression, if HEAD has a regression: a figure \
      that the corrected test calls slower, a count that grew, or a model that no longer does what it did in BASE; 2 \
      the command line or a run is wrong, or the runs cannot be compared.
      """)

  @Argument(help: "The folder of the run to compare with.")
  var base: String

  @Argument(help: "The folder of the run that is judged.")
  var head: String

  @Flag(help: "End with status 1 if HEAD has a regression.")
  var failOnRegression = false

  @Option(
    help: ArgumentHelp(
      "What must be exceeded for a regression to count, and what the rounds should find; if not given, all that is "
        + "found counts, and the rounds should find 10%.",
      valueName: "percentage"))
  var threshold: String?

  @Flag(help: "Compare what is not the same measurement, too: the output says so.")
  var anyway = false

  @Flag(help: "Print JSON.")
  var json = false

  @Flag(help: "Print Markdown.")
  var markdown = false

  @Option(help: ArgumentHelp("Write to this file instead of standard output.", valueName: "path"))
  var output: String?

  func validate() throws {
    if json && markdown { throw ValidationError("--json and --markdown are two formats: give one of them") }
  }

  func run() throws {
    let threshold = try self.threshold.map(Self.share)
    if let same = sameFolder {
      throw HarnessError.usage(
        "'\(base)' and '\(head)' are one folder (\(same)): give the folders of two runs, as in 'compare before after'")
    }
    let comparison = Comparison(
      base: try validRun(base), at: base, head: try validRun(head), at: head, threshold: threshold)
    if comparison.isEmpty {
      throw HarnessError.usage("the runs have no case and model in common: \(comparison.contents)")
    }
    let refusals = comparison.refusals
    guard refusals.isEmpty || anyway else {
      for refusal in refusals { complain(refusal) }
      throw HarnessError.usage(
        "'\(base)' and '\(head)' are not the same measurement, so that ratios mean nothing: make both runs alike, or "
          + "compare --anyway")
    }
    try show(comparison)
    fflush(nil)  // the tables first, also where both streams go to one file
    if comparison.undecided > 0 {
      complain(
        "\(comparison.undecided) of \(comparison.claims) claims cannot be told with so few rounds: the tables say how "
          + "many would do")
    }
    let regressions = comparison.regressions
    guard failOnRegression, !regressions.isEmpty else { return }
    for regression in regressions { complain("regression: \(regression)") }
    throw ExitCode(Status.failed)
  }

  private func show(_ comparison: Comparison) throws {
    let format: ReportFormat = json ? .json : markdown ? .markdown : .terminal
    guard let output else {
      let text = render(
        comparison, as: format, colour: allowsColour(STDOUT_FILENO), width: terminalWidth(STDOUT_FILENO))
      return print(text, terminator: text.hasSuffix("\n") ? "" : "\n")
    }
    do {
      try RunFiles.writeText(render(comparison, as: format, colour: false, width: nil), to: output)
    } catch {
      throw HarnessError.host(error.description)
    }
  }

  /// Only a run that is what it claims to be is compared.
  private func validRun(_ directory: String) throws -> Run {
    let run: Run
    do {
      run = try RunFiles.readRun(from: directory)
    } catch {
      throw HarnessError.usage(error.description)
    }
    let problems = ResultFormat.validate(runAt: directory)
    guard let first = problems.first else { return run }
    let more = problems.count == 1 ? "" : " (and \(problems.count - 1) more: 'switchyard validate \(directory)')"
    throw HarnessError.usage("'\(directory)' holds no valid run, make it again: \(first)\(more)")
  }

  /// The folder that both arguments name, by whatever path; nil where they name two.
  private var sameFolder: String? {
    func identity(_ path: String) -> String? {
      let folder = path.hasSuffix(".json") ? path : "\(path)/\(RunFiles.runName)"
      guard let resolved = realpath(folder, nil) else { return nil }
      defer { free(resolved) }
      return String(cString: resolved)
    }
    guard let file = identity(base), file == identity(head) else { return nil }
    return file
  }

  /// `5%` is 0.05.
  private static func share(_ text: String) throws -> Double {
    guard text.hasSuffix("%"), let percent = Double(text.dropLast()), percent >= 0.1, percent <= 900 else {
      throw HarnessError.usage("'\(text)' is no size of a regression: expected 0.1% to 900%, as in --threshold 5%")
    }
    return percent / 100
  }
}
