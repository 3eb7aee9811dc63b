// blocking-mix's oracle: compares what the rig saw at the other end of the sockets with what the model says it did.

extension BlockingMix {
  /// The rules, in the order in which they are reported.
  public enum Rule: String, Sendable, CaseIterable {
    case answeredOnce = "answered-once"
    case checksum
    case blocked
    case offload
    case frames
    case balance
    case leftOpen = "left-open"

    public var meaning: String {
      switch self {
      case .answeredOnce: "every id is answered exactly once"
      case .checksum: "an answer carries what the request's work ends in"
      case .blocked: "no blocking hog is answered before its time"
      case .offload: "gated: interactive requests are answered while as many hogs block as there are workers"
      case .frames: "every frame has the length and the kind that the contract gives it"
      case .balance: "the model's counts agree with the rig's"
      case .leftOpen: "no connection is left open when the model prints its result"
      }
    }
  }

  /// Names of the counts in the model's ledger.
  public enum ModelCount: String, Sendable, CaseIterable {
    case requestsReceived, requestsAnswered, hogsReceived
    /// Hogs that ran where the model moves them; calls of the function that blocks.
    case hogsOffloaded, blockingCalls
    case clientConnectionsAccepted, clientConnectionsClosed
  }

  /// Names of the counts in the rig's ledger.
  public enum RigCount: String, Sendable, CaseIterable {
    /// Requests written to client connections, and what came back.
    case requestsSent, requestsAnswered, requestsUnanswered, answersRepeated, answersUnknown, answersWrong
    /// Hogs among the requests; hogs sent as interactive requests because too many blocked already; the most at once.
    case hogsSent, hogsReplaced, hogsAtOncePeak
    /// Answers to blocking hogs that came before their time.
    case answersTooSoon
    /// Gated: hogs in whose midst an interactive request was answered although they were as many as there are workers;
    /// other hogs, behind which an interactive request waited for half of their time or longer.
    case hogsOvertaken, hogsInTheWay
    /// Frames with a wrong length or kind, and client connections that the model closed or reset during the load.
    case framesMalformed, clientConnectionsLost
  }

  static func judge(_ evidence: Evidence) -> [Finding] {
    guard let parameters = try? Parameters(evidence.parameters) else {
      return [Finding(Rule.frames.rawValue, "the trial's parameters are not blocking-mix's")]
    }
    var judgement = Judgement<Rule, ModelCount>(evidence)
    func rig(_ name: RigCount) -> Int { evidence.rig[name.rawValue] ?? 0 }

    let sent = rig(.requestsSent)
    let answered = rig(.requestsAnswered)
    if rig(.requestsUnanswered) > 0 || answered != sent {
      judgement.report(.answeredOnce, "counted \(answered) answered ids, expected \(sent)")
    }
    if rig(.answersRepeated) > 0 {
      judgement.report(.answeredOnce, "\(rig(.answersRepeated)) answers to ids answered before")
    }
    if rig(.answersUnknown) > 0 {
      judgement.report(.answeredOnce, "\(rig(.answersUnknown)) answers to ids never asked")
    }
    if rig(.clientConnectionsLost) > 0 {
      judgement.report(
        .answeredOnce, "the model closed \(rig(.clientConnectionsLost)) client connections during the load")
    }
    if rig(.answersWrong) > 0 {
      judgement.report(.checksum, "\(rig(.answersWrong)) of \(answered) answers are not what the work ends in")
    }
    if rig(.answersTooSoon) > 0 {
      judgement.report(.blocked, "\(rig(.answersTooSoon)) blocking hogs were answered before their time")
    }
    // By majority: on a host that stalls a hog may reach its worker late, or its model answer late.
    if evidence.isGated, parameters.mitigation == .offload, rig(.hogsInTheWay) > rig(.hogsOvertaken) {
      judgement.report(
        .offload,
        "interactive requests waited behind \(rig(.hogsInTheWay)) hogs and overtook \(rig(.hogsOvertaken)): hogs hold "
          + "the workers")
    }
    if rig(.framesMalformed) > 0 {
      judgement.report(.frames, "\(rig(.framesMalformed)) frames of a wrong length or kind")
    }
    if judgement.hasAllCounts(.balance, signed: []) {
      let hogs = rig(.hogsSent)
      judgement.expect(.balance, .requestsReceived, sent)
      judgement.expect(.balance, .requestsAnswered, answered + rig(.answersRepeated) + rig(.answersUnknown))
      judgement.expect(.balance, .hogsReceived, hogs)
      judgement.expect(.balance, .hogsOffloaded, parameters.mitigation == .offload ? hogs : 0)
      judgement.expect(.balance, .blockingCalls, parameters.hogKind == .blockingCall ? hogs : 0)
      judgement.expect(.balance, .clientConnectionsClosed, judgement.count(.clientConnectionsAccepted))
    }
    if let open = evidence.openSockets, open > 0 {
      judgement.report(.leftOpen, "\(open) TCP sockets still open after the result")
    }
    return judgement.findings
  }
}
