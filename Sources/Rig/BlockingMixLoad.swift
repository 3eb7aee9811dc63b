// blocking-mix's load: interactive requests and hogs, and what the rig's half of the oracle counts.
//
// The rig cannot burn what the model burns, and need not: all requests start at values of one chain v0, v1 = mix(v0), ...
// of which it knows a stretch at the start and another `iterations` further on. What a request ends in is a look-up, for
// the price of one burning before the load begins.

import CLinux
import Workloads

/// Values to start from, and where so many iterations lead from each.
struct BurnTable: ~Copyable {
  /// So many that no cache of a model's would serve two requests under way.
  static let count = 1_024
  let iterations: Int
  private let starts: UnsafeMutablePointer<UInt64>
  private let ends: UnsafeMutablePointer<UInt64>

  /// - Parameter start: where the chain begins.
  init(start: UInt64, iterations: Int) {
    self.iterations = iterations
    starts = .allocate(capacity: Self.count)
    ends = .allocate(capacity: Self.count)
    Self.fill(starts, from: start)
    Self.fill(ends, from: CPUWork.burn(seed: start, iterations: iterations))
  }

  deinit {
    starts.deallocate()
    ends.deallocate()
  }

  private static func fill(_ values: UnsafeMutablePointer<UInt64>, from start: UInt64) {
    var value = start
    for index in 0..<count {
      (values + index).initialize(to: value)
      value = SplitMix64.mix(value)
    }
  }

  /// Any word names an entry.
  func entry(_ word: UInt64) -> (start: UInt64, end: UInt64) {
    let index = Int(truncatingIfNeeded: word) & (Self.count - 1)
    return (starts[index], ends[index])
  }
}

struct BlockingMixLoad: ServedLoad, ~Copyable {
  /// The request on a client connection.
  private struct Request {
    var id: UInt64 = 0
    var value: UInt64 = 0
    var answer: UInt64 = 0
    var sent: UInt64 = 0
    var isHog = false
    var isOpen = false
    /// A hog: whether an interactive request was answered while it and as many as there are workers were under way.
    var isOvertaken = false
  }

  private let parameters: BlockingMix.Parameters
  private let workers: Int
  private let mostHogs: Int
  private let isGated: Bool
  private let interactive: BurnTable
  private let hogs: BurnTable
  private let starts: SeededDraws
  private let choices: SeededDraws
  private let requests: UnsafeMutablePointer<Request>
  private let frame: UnsafeMutableRawBufferPointer
  private var hogsUnderWay = 0
  private var counts = Counts()

  private struct Counts {
    var answersRepeated = 0
    var answersUnknown = 0
    var answersWrong = 0
    var answersTooSoon = 0
    var hogsSent = 0
    var hogsReplaced = 0
    var hogsAtOncePeak = 0
    var hogsOvertaken = 0
    var hogsInTheWay = 0
    var framesMalformed = 0
    var clientConnectionsLost = 0
  }

  init(
    _ parameters: BlockingMix.Parameters, seed: UInt64, workers: Int, iterationsPerMillisecond: Int, isGated: Bool
  ) {
    self.parameters = parameters
    self.workers = workers
    self.isGated = isGated
    mostHogs = parameters.hogKind == .blockingCall ? parameters.blockingHogs(workers: workers) : .max
    func table(_ nanoseconds: Int) -> BurnTable {
      BurnTable(
        start: SplitMix64.mix(seed),
        iterations: CPUWork.iterations(
          nanoseconds: nanoseconds, iterationsPerMillisecond: iterationsPerMillisecond))
    }
    interactive = table(BlockingMix.interactiveNanoseconds)
    // A blocking call ends in one step.
    hogs =
      parameters.hogKind == .cpu
      ? table(parameters.hogNanoseconds) : BurnTable(start: SplitMix64.mix(seed), iterations: 1)
    starts = SeededDraws(seed: seed, for: .tokens)
    choices = SeededDraws(seed: seed, for: .hogs)
    requests = .allocate(capacity: parameters.connections)
    requests.initialize(repeating: Request(), count: parameters.connections)
    frame = .allocate(byteCount: BlockingMix.requestBytes, alignment: 8)
  }

  deinit {
    requests.deallocate()
    frame.deallocate()
  }

  // MARK: What is measured

  var latencyClasses: [String] { ["interactive", "hog"] }
  func latencyClass(on client: Int) -> Int { requests[client].isHog ? 1 : 0 }
  var goodLatencyNanoseconds: UInt64? { parameters.goodLatencyNanoseconds }
  /// There is no backend whose time could be taken out.
  var measuresAdded: Bool { false }

  // MARK: Requests and answers

  var answerBytes: Int { BlockingMix.answerBytes }

  mutating func begin(_ id: UInt64, on client: Int, at time: UInt64) {
    var isHog = SplitMix64.unit(choices.word(id)) < parameters.hogShare
    if isHog && hogsUnderWay >= mostHogs {
      counts.hogsReplaced += 1
      isHog = false
    }
    let entry = isHog ? hogs.entry(starts.word(id)) : interactive.entry(starts.word(id))
    requests[client] = Request(
      id: id, value: entry.start, answer: entry.end, sent: time, isHog: isHog, isOpen: true)
    if isHog {
      counts.hogsSent += 1
      hogsUnderWay += 1
      counts.hogsAtOncePeak = max(counts.hogsAtOncePeak, hogsUnderWay)
    }
  }

  mutating func requestFrame(on client: Int) -> UnsafeRawBufferPointer {
    let work: BlockingMix.Work =
      switch (requests[client].isHog, parameters.hogKind) {
      case (false, _): .interactive(iterations: interactive.iterations)
      case (true, .cpu): .hog(iterations: hogs.iterations)
      case (true, .blockingCall): .blockingHog(nanoseconds: UInt64(parameters.hogNanoseconds))
      }
    BlockingMix.Request(id: requests[client].id, value: requests[client].value, work: work).write(to: frame)
    return UnsafeRawBufferPointer(frame)
  }

  mutating func acceptsAnswer(_ prefix: UnsafeRawBufferPointer) -> Bool {
    if BlockingMix.Header.accepts(prefix, .answer, length: BlockingMix.answerBytes) { return true }
    counts.framesMalformed += 1
    return false
  }

  func answeredId(_ frame: UnsafeRawBufferPointer) -> UInt64 { BlockingMix.Header(reading: frame).id }

  mutating func answer(_ frame: UnsafeRawBufferPointer, on client: Int, sent: UInt64, at now: UInt64) -> UInt64? {
    requests[client].isOpen = false
    if BlockingMix.Header(reading: frame).value != requests[client].answer { counts.answersWrong += 1 }
    if requests[client].isHog {
      hogsUnderWay -= 1
      if parameters.hogKind == .blockingCall { judgeTime(since: sent, at: now) }
      if isGated && !requests[client].isOvertaken { judgeWay(requests[client]) }
    } else if isGated {
      overtake(at: now)
    }
    return nil
  }

  private mutating func judgeTime(since sent: UInt64, at now: UInt64) {
    let due = sent + UInt64(parameters.hogNanoseconds)
    // `now` is when the turn began; the answer may have come later.
    if now < due && clinux_monotonic_ns() < due { counts.answersTooSoon += 1 }
  }

  mutating func countRepeatedAnswer() { counts.answersRepeated += 1 }
  mutating func countUnknownAnswer() { counts.answersUnknown += 1 }
  mutating func countLostClient() { counts.clientConnectionsLost += 1 }

  // MARK: The gate

  /// An interactive request has been answered. If as many hogs as there are workers are in their midst, they hold no
  /// worker: each has been under way for long enough to have reached one, and its own answer is not due yet.
  private mutating func overtake(at now: UInt64) {
    var inMidst = 0
    for other in 0..<parameters.connections where isInMidst(requests[other], at: now) { inMidst += 1 }
    guard inMidst >= workers else { return }
    for other in 0..<parameters.connections where isInMidst(requests[other], at: now) && !requests[other].isOvertaken {
      requests[other].isOvertaken = true
      counts.hogsOvertaken += 1
    }
  }

  private func isInMidst(_ request: Request, at time: UInt64) -> Bool {
    guard request.isOpen && request.isHog && request.sent <= time else { return false }
    let age = time - request.sent
    return age >= quarter && age <= 3 * quarter
  }

  private var quarter: UInt64 { UInt64(parameters.hogNanoseconds) / 4 }

  /// A hog that nothing has overtaken has been answered. It was in the way if an interactive request waited for half of
  /// its time or longer: no worker was free.
  private mutating func judgeWay(_ hog: Request) {
    for other in 0..<parameters.connections
    where requests[other].isOpen && !requests[other].isHog && requests[other].sent <= hog.sent + 2 * quarter {
      counts.hogsInTheWay += 1
      return
    }
  }

  func ledger(requestsSent: Int, requestsAnswered: Int, backendPeak: Int) -> Ledger {
    var ledger = Ledger()
    for name in BlockingMix.RigCount.allCases {
      ledger[name.rawValue] =
        switch name {
        case .requestsSent: requestsSent
        case .requestsAnswered: requestsAnswered
        case .requestsUnanswered: requestsSent - requestsAnswered
        case .answersRepeated: counts.answersRepeated
        case .answersUnknown: counts.answersUnknown
        case .answersWrong: counts.answersWrong
        case .hogsSent: counts.hogsSent
        case .hogsReplaced: counts.hogsReplaced
        case .hogsAtOncePeak: counts.hogsAtOncePeak
        case .answersTooSoon: counts.answersTooSoon
        case .hogsOvertaken: counts.hogsOvertaken
        case .hogsInTheWay: counts.hogsInTheWay
        case .framesMalformed: counts.framesMalformed
        case .clientConnectionsLost: counts.clientConnectionsLost
        }
    }
    return ledger
  }

  // MARK: No backend

  var subRequestBytes: Int { BlockingMix.Header.bytes }
  /// There are no sub-requests: whatever comes closes its connection.
  mutating func acceptsSubRequest(_ prefix: UnsafeRawBufferPointer) -> Bool {
    if !prefix.isEmpty { counts.framesMalformed += 1 }
    return prefix.isEmpty
  }
  func requestId(_ frame: UnsafeRawBufferPointer) -> UInt64 { 0 }
  mutating func subRequest(
    _ frame: UnsafeRawBufferPointer, on backend: Int, of client: Int?, at now: UInt64
  ) -> Disposition { preconditionFailure("no sub-request is accepted") }
  mutating func nextReleased() -> (backend: Int, delay: UInt64)? { nil }
  mutating func abandon(_ backend: Int) -> Bool { false }
  mutating func replyFrame(on backend: Int) -> UnsafeRawBufferPointer {
    preconditionFailure("no sub-request is accepted")
  }
  mutating func replied(on backend: Int, at time: UInt64) {}
  func client(of backend: Int) -> Int? { nil }
  mutating func countOverlap() {}
  mutating func releaseStuck() -> Bool { false }
}
