// One trial: its state and the turns of its loop. What happens on connections is in Trial+Clients.swift and
// Trial+Backend.swift, the phases are in Trial+Phases.swift.
//
// A turn polls, handles what has arrived, sends what is due, and takes one look at the phase. All state lies in one
// non-copyable value that is mutated in place: no reference counting and no exclusivity checks at run time.

import CLinux
import Workloads

struct Trial<Load: ServedLoad & ~Copyable>: ~Copyable {
  enum Phase {
    /// Waiting for `connect`, and then for the connections.
    case listening, connecting
    case loading
    /// The load has ended; answers are outstanding.
    case draining
    /// The client connections are closed from this side; sub-requests are answered until `finish`, and after it.
    case drained, reported
  }

  /// Sends of one kind between two looks at what has arrived: as many as take about 0.1 ms.
  static var sendBatch: Int { 64 }
  /// Answers taken from one connection between two looks at the others: one that floods must not keep the rig.
  static var answerBatch: Int { 1_024 }

  let plan: LoadPlan
  var load: Load
  var conversation: Conversation
  let poller: EventPoller
  let listener: Listener
  var clients: ClientConnections
  var backend: Backend
  var answers: FrameReader
  var subRequests: FrameReader
  var measurements: Measurements

  var phase = Phase.listening
  var modelPort: UInt16 = 0
  /// The due times of an open loop; nil with a closed one.
  var schedule: LoadSchedule?
  /// When the load began, and when it ends by time.
  var startNanoseconds: UInt64 = 0
  var endNanoseconds: UInt64 = .max
  /// When to stop waiting for connections or answers.
  var giveUpNanoseconds: UInt64 = .max
  /// The latest moment at which the trial came a step closer to its end, or a reply is due that brings it there.
  var lastProgress: UInt64 = 0
  var requestsSent = 0
  var requestsAnswered = 0
  var isComplete = false
  /// `finish` has come: the result is due when all that arrived before it has been counted.
  var mustReport = false
  var edgeLines: [[UInt8]] = []

  /// The clock at the start of this turn: the arrival time of all that was found in it.
  private(set) var now: UInt64 = 0
  /// Whether this turn found work.
  var didWork = false
  private var mustAccept = false

  init(
    _ load: consuming Load, plan: LoadPlan, conversation: Conversation, poller: consuming EventPoller,
    listener: consuming Listener
  ) {
    self.plan = plan
    measurements = Measurements(
      classes: load.latencyClasses, measuresAdded: load.measuresAdded, goodLatency: load.goodLatencyNanoseconds)
    self.conversation = conversation
    self.poller = poller
    self.listener = listener
    clients = ClientConnections(count: plan.connections)
    backend = Backend(connections: plan.backendConnections)
    if case .open(let rate, let burst) = plan.arrivals {
      schedule = LoadSchedule(seed: plan.seed, rate: rate, burst: burst)
    }
    // Answers are short: a flood of them should not cost a read each.
    answers = FrameReader(frameBytes: load.answerBytes, slack: 4_096)
    subRequests = FrameReader(frameBytes: load.subRequestBytes, slack: 8)
    self.load = load
  }

  /// Follows the conversation until its input ends.
  mutating func run() throws(RigFailure) {
    try poller.add(readable: listener.descriptor, Token(.listener))
    do {
      try poller.add(readable: conversation.input, Token(.commands))
    } catch {
      throw RigFailure("standard input cannot be polled: expected a pipe, a socket or a terminal")
    }
    var listening = RigReply(.listening)
    listening.port = listener.port
    conversation.send(listening)
    // Commands may have come together with `load`.
    try obeyCommands()
    now = clinux_monotonic_ns()
    while !conversation.isAtEnd { try turn() }
  }

  private mutating func turn() throws(RigFailure) {
    let before = now
    let isLoaded = phase == .loading || phase == .draining
    let count: Int
    if isLoaded && plan.spins {
      count = try poller.wait(timeoutNanoseconds: 0)
      now = clinux_monotonic_ns()
      // The clock is read once a turn: a turn that worked is charged with the poll that follows it instead of its own.
      if didWork { chargeBusy(from: before, to: now) }
    } else {
      now = clinux_monotonic_ns()
      if didWork { chargeBusy(from: before, to: now) }
      count = try poller.wait(timeoutNanoseconds: timeToWait())
      now = clinux_monotonic_ns()
    }
    didWork = count > 0
    try handle(count)
    if backend.queue.firstDue <= now { try sendReplies() }
    if mayHaveRequests { try sendRequests() }
    try advancePhase()
  }

  private mutating func chargeBusy(from start: UInt64, to end: UInt64) {
    if measurements.contains(start) { measurements.busyNanoseconds += end - start }
  }

  private func timeToWait() -> Int64 {
    if mustReport { return 0 }
    let next = min(backend.queue.firstDue, nextMoment)
    if next == .max { return -1 }
    return next > now ? Int64(clamping: next - now) : 0
  }

  private mutating func handle(_ count: Int) throws(RigFailure) {
    for index in 0..<count {
      let (token, readiness) = poller[index]
      switch token.source {
      case .backend: try backendEvent(token.slot, readiness)
      case .client: try clientEvent(token.slot, readiness)
      case .listener: mustAccept = true
      case .commands:
        try conversation.read()
        try obeyCommands()
      }
    }
    // A batch that is not full holds everything that had happened by then.
    let isCaughtUp = count < EventPoller.batch
    if isCaughtUp { backend.notePeak() }
    if mustAccept {
      mustAccept = false
      try acceptAll()
    } else if isCaughtUp && mustReport {
      report()
    }
  }
}
