// fan-out's oracle: compares what the rig saw at the other end of the sockets with what the model says it did.

extension FanOut {
  /// The rules, in the order in which they are reported.
  public enum Rule: String, Sendable, CaseIterable {
    case answeredOnce = "answered-once"
    case checksum
    case subRequests = "sub-requests"
    case oneOutstanding = "one-outstanding"
    case gate
    case frames
    case units
    case balance
    case leftOpen = "left-open"

    public var meaning: String {
      switch self {
      case .answeredOnce: "every id is answered exactly once"
      case .checksum: "an answer carries the sum of its replies' checksums"
      case .subRequests: "the backend sees each of an id's sub-requests exactly once, before the answer"
      case .oneOutstanding: "at most backendConnections connections to the backend, one sub-request at a time on each"
      case .gate: "gated: all sub-requests of an id arrive before the first is answered"
      case .frames: "every frame has the length and the kind that the contract gives it"
      case .units: "units started = units finished = requests x (1 + width); requests in the variant gather"
      case .balance: "the model's counts agree with the rig's"
      case .leftOpen: "no connection is left open when the model prints its result"
      }
    }
  }

  /// Names of the counts in the model's ledger.
  public enum ModelCount: String, Sendable, CaseIterable {
    case requestsReceived, requestsAnswered, subRequestsSent, subRepliesReceived, unitsStarted, unitsFinished
    case clientConnectionsAccepted, clientConnectionsClosed, backendConnectionsOpened, backendConnectionsClosed
  }

  /// Names of the counts in the rig's ledger.
  public enum RigCount: String, Sendable, CaseIterable {
    /// Requests written to client connections, and what came back.
    case requestsSent, requestsAnswered, requestsUnanswered, answersRepeated, answersUnknown, answersWrong
    /// Sub-requests that arrived; of them repeated (same id and index), and of no request under way.
    case subRequestsReceived, subRequestsRepeated, subRequestsUnknown
    /// Sub-requests whose token or payload was not the request's.
    case subRequestsAltered
    /// Answers that came while sub-requests of their id had not all been answered by the backend.
    case answersEarly
    /// Backend connections: the most at once; sub-requests that came before the last on their connection was answered.
    case backendConnectionsPeak, subRequestsOverlapping
    /// Gated: ids whose siblings never all arrived, and the most sub-requests that one of those ids reached.
    case gatesStuck, gateReached
    /// Frames with a wrong length or kind, and client connections that the model closed or reset during the load.
    case framesMalformed, clientConnectionsLost
  }

  static func judge(_ evidence: Evidence) -> [Finding] {
    guard let parameters = try? Parameters(evidence.parameters) else {
      return [Finding(Rule.frames.rawValue, "the trial's parameters are not fan-out's")]
    }
    var findings: [Finding] = []
    func report(_ rule: Rule, _ message: String) { findings.append(Finding(rule.rawValue, message)) }
    func rig(_ name: RigCount) -> Int { evidence.rig[name.rawValue] ?? 0 }

    let sent = rig(.requestsSent)
    let answered = rig(.requestsAnswered)
    if rig(.requestsUnanswered) > 0 || answered != sent {
      report(.answeredOnce, "counted \(answered) answered ids, expected \(sent)")
    }
    if rig(.answersRepeated) > 0 { report(.answeredOnce, "\(rig(.answersRepeated)) answers to ids answered before") }
    if rig(.answersUnknown) > 0 { report(.answeredOnce, "\(rig(.answersUnknown)) answers to ids never asked") }
    if rig(.clientConnectionsLost) > 0 {
      report(.answeredOnce, "the model closed \(rig(.clientConnectionsLost)) client connections during the load")
    }
    if rig(.answersWrong) > 0 {
      report(.checksum, "\(rig(.answersWrong)) of \(answered) answers carry a wrong sum")
    }
    let expected = sent * parameters.width
    let received = rig(.subRequestsReceived)
    if received != expected { report(.subRequests, "counted \(received) sub-requests, expected \(expected)") }
    if rig(.answersEarly) > 0 {
      report(.subRequests, "\(rig(.answersEarly)) answers came before all their sub-replies had been sent")
    }
    if rig(.subRequestsRepeated) > 0 { report(.subRequests, "\(rig(.subRequestsRepeated)) sub-requests came twice") }
    if rig(.subRequestsUnknown) > 0 {
      report(.subRequests, "\(rig(.subRequestsUnknown)) sub-requests of no request under way")
    }
    if rig(.subRequestsAltered) > 0 {
      report(.subRequests, "\(rig(.subRequestsAltered)) sub-requests carry another token or payload than their request")
    }
    if rig(.backendConnectionsPeak) > parameters.backendConnections {
      report(
        .oneOutstanding,
        "counted \(rig(.backendConnectionsPeak)) backend connections at once, allowed \(parameters.backendConnections)")
    }
    if rig(.subRequestsOverlapping) > 0 {
      report(.oneOutstanding, "\(rig(.subRequestsOverlapping)) sub-requests on connections that still owed a reply")
    }
    if rig(.gatesStuck) > 0 {
      report(
        .gate,
        "\(rig(.gatesStuck)) ids stuck: at most \(rig(.gateReached)) of \(parameters.width) sub-requests arrived while "
          + "none was answered; the children do not run side by side")
    }
    if rig(.framesMalformed) > 0 { report(.frames, "\(rig(.framesMalformed)) frames of a wrong length or kind") }
    judgeLedger(evidence, parameters, report)
    if let open = evidence.openSockets, open > 0 {
      report(.leftOpen, "\(open) TCP sockets still open after the result")
    }
    return findings
  }

  /// The part of the oracle that rests on the model's own testimony.
  private static func judgeLedger(_ evidence: Evidence, _ parameters: Parameters, _ report: (Rule, String) -> Void) {
    let missing = ModelCount.allCases.filter { evidence.model[$0.rawValue] == nil }
    guard missing.isEmpty else {
      let names = missing.map(\.rawValue).joined(separator: ", ")
      return report(.balance, "the model's ledger lacks \(names)")
    }
    func model(_ name: ModelCount) -> Int { evidence.model[name.rawValue] ?? 0 }
    func rig(_ name: RigCount) -> Int { evidence.rig[name.rawValue] ?? 0 }

    let requests = rig(.requestsSent)
    let units = evidence.variant == "gather" ? requests : requests * (1 + parameters.width)
    if model(.unitsStarted) != units || model(.unitsFinished) != units {
      report(
        .units, "counted \(model(.unitsStarted)) started and \(model(.unitsFinished)) finished, expected \(units) each")
    }
    let pairs: [(ModelCount, Int)] = [
      (.requestsReceived, requests),
      (.requestsAnswered, rig(.requestsAnswered) + rig(.answersRepeated) + rig(.answersUnknown)),
      (.subRequestsSent, rig(.subRequestsReceived)), (.subRepliesReceived, rig(.subRequestsReceived)),
      (.clientConnectionsClosed, model(.clientConnectionsAccepted)),
      (.backendConnectionsClosed, model(.backendConnectionsOpened)),
    ]
    for (name, expected) in pairs where model(name) != expected {
      report(.balance, "\(name.rawValue) is \(model(name)), expected \(expected)")
    }
  }
}
