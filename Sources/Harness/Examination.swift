// Is this host fit to measure on? What is read is apart from what is said about it, so that the tests can examine any
// host. What a host cannot show (most virtual machines hide their frequencies) is said to be unknown, not to be well.

/// One thing about the host, and what to do about it.
public struct Diagnosis: Sendable, Hashable, Encodable {
  public enum Verdict: String, Sendable, Encodable {
    case good
    /// Good to know: some cases end in state `limit`, or figures vary more than they might.
    case note
    /// Figures made so mean less than they could.
    case change
  }
  public let subject: String
  /// As found, with its unit.
  public let value: String
  public let verdict: Verdict
  /// What to change, with `note` and `change`.
  public let advice: String?

  public init(_ subject: String, _ value: String, _ verdict: Verdict = .good, _ advice: String? = nil) {
    self.subject = subject
    self.value = value
    self.verdict = verdict
    self.advice = advice
  }
}
