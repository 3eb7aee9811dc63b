// A report: a pure function of a run on disk. Every format is made from the same summaries, so that none can say what
// another does not.

import ResultFormat

/// What a report can be written as.
public enum ReportFormat: String, CaseIterable, Sendable {
  case terminal, markdown, json
}

/// The report of a run; of a calibration, what it found.
/// - Parameters:
///   - calibration: what an A/A run found; looked at if it is of the run's host.
///   - colour: whether the terminal's bold and colour may be used. Nothing is told by them alone.
///   - width: the terminal's columns; nil for a file or a pipe. The other formats do not need it.
public func render(
  _ run: Run, as format: ReportFormat, calibration: HostResolution? = nil, colour: Bool, width: Int?
) -> String {
  if run.plan.isCalibration { return CalibrationReport(run).text(as: format, colour: colour, width: width) }
  let calibration = calibration.flatMap { $0.host == HostIdentity(run.environment) ? $0 : nil }
  return switch format {
  case .terminal:
    TerminalRenderer(colour: colour, width: width).render(Document(run, calibration: calibration))
  case .markdown: MarkdownRenderer().render(Document(run, calibration: calibration))
  case .json: MachineReport(run, calibration: calibration).text
  }
}
