// fan-out's load: its frames, and what the rig's half of the oracle counts.

import Glibc
import Workloads

struct FanOutLoad: ServedLoad, ~Copyable {
  /// The request on a client connection.
  private struct Request {
    var id: UInt64 = 0
    var token: UInt64 = 0
    var isOpen = false
    /// Bit i: sub-request i has arrived.
    var arrived: UInt64 = 0
    var replied = 0
    /// The checksums of the replies sent so far.
    var sum: UInt64 = 0
    var firstArrival: UInt64 = 0
    var lastReply: UInt64 = 0
    /// Gated: the last of the backend connections whose replies are withheld, -1 if none.
    var held = -1
  }

  /// The sub-request on a backend connection.
  private struct SubRequest {
    var id: UInt64 = 0
    var index = 0
    /// Where its request went out, if its reply belongs into that request's sum; else -1.
    var client = -1
    var isHeld = false
    var nextHeld = -1
  }

  private let parameters: FanOut.Parameters
  private var isGated: Bool
  private let requestTemplates: FrameTemplates
  private let replyTemplates: FrameTemplates
  private let tokens: SeededDraws
  private let replies: SeededDraws
  private let serviceTimes: SeededDraws
  private let requests: UnsafeMutablePointer<Request>
  private let subRequests: UnsafeMutablePointer<SubRequest>
  private let subRequestCapacity: Int
  /// Gated: the first of the backend connections that are to be answered now.
  private var released = -1
  private var counts = Counts()

  private struct Counts {
    var answersRepeated = 0
    var answersUnknown = 0
    var answersWrong = 0
    var answersEarly = 0
    var subRequestsReceived = 0
    var subRequestsRepeated = 0
    var subRequestsUnknown = 0
    var subRequestsAltered = 0
    var subRequestsOverlapping = 0
    var gatesStuck = 0
    var gateReached = 0
    var framesMalformed = 0
    var clientConnectionsLost = 0
  }

  init(_ parameters: FanOut.Parameters, seed: UInt64, isGated: Bool) {
    self.parameters = parameters
    self.isGated = isGated
    let payloads = SeededDraws(seed: seed, for: .payloads)
    requestTemplates = FrameTemplates(bytes: parameters.requestBytes, payloads, firstWord: 0)
    replyTemplates = FrameTemplates(bytes: parameters.replyBytes, payloads, firstWord: 1 << 32)
    tokens = SeededDraws(seed: seed, for: .tokens)
    replies = SeededDraws(seed: seed, for: .replies)
    serviceTimes = SeededDraws(seed: seed, for: .serviceTimes)
    requests = .allocate(capacity: parameters.connections)
    requests.initialize(repeating: Request(), count: parameters.connections)
    subRequestCapacity = Backend.capacity(for: parameters.backendConnections)
    subRequests = .allocate(capacity: subRequestCapacity)
    subRequests.initialize(repeating: SubRequest(), count: subRequestCapacity)
  }

  deinit {
    requests.deallocate()
    subRequests.deallocate()
  }

  // MARK: What is measured

  var latencyClasses: [String] { ["all"] }
  func latencyClass(on client: Int) -> Int { 0 }
  var measuresAdded: Bool { true }
  var goodLatencyNanoseconds: UInt64? { nil }

  // MARK: Requests and answers

  var answerBytes: Int { FanOut.Header.bytes }

  mutating func begin(_ id: UInt64, on client: Int, at time: UInt64) {
    requests[client] = Request(id: id, token: tokens.word(id), isOpen: true)
  }

  mutating func requestFrame(on client: Int) -> UnsafeRawBufferPointer {
    let request = requests[client]
    return requestTemplates.frame(
      template(ofRequest: request.id),
      FanOut.Header(.request, length: parameters.requestBytes, id: request.id, value: request.token))
  }

  private func template(ofRequest id: UInt64) -> Int { Int(truncatingIfNeeded: id) & (FrameTemplates.count - 1) }

  mutating func acceptsAnswer(_ prefix: UnsafeRawBufferPointer) -> Bool {
    accepts(prefix, .answer, length: FanOut.Header.bytes)
  }

  private mutating func accepts(_ prefix: UnsafeRawBufferPointer, _ kind: FanOut.Header.Kind, length: Int) -> Bool {
    if FanOut.Header.accepts(prefix, kind, length: length) { return true }
    counts.framesMalformed += 1
    return false
  }

  func answeredId(_ frame: UnsafeRawBufferPointer) -> UInt64 { FanOut.Header(reading: frame).id }

  mutating func answer(_ frame: UnsafeRawBufferPointer, on client: Int, sent: UInt64, at now: UInt64) -> UInt64? {
    let request = requests[client]
    requests[client].isOpen = false
    let value = FanOut.Header(reading: frame).value
    guard request.replied == parameters.width else {
      counts.answersEarly += 1
      if value != wholeSum(of: request.id) { counts.answersWrong += 1 }
      return nil
    }
    if value != request.sum { counts.answersWrong += 1 }
    return (max(request.firstArrival, sent) - sent) + (max(request.lastReply, now) - request.lastReply)
  }

  mutating func countRepeatedAnswer() { counts.answersRepeated += 1 }
  mutating func countUnknownAnswer() { counts.answersUnknown += 1 }
  mutating func countLostClient() { counts.clientConnectionsLost += 1 }

  // MARK: Sub-requests and replies

  var subRequestBytes: Int { parameters.requestBytes }

  mutating func acceptsSubRequest(_ prefix: UnsafeRawBufferPointer) -> Bool {
    accepts(prefix, .subRequest, length: parameters.requestBytes)
  }

  func requestId(_ frame: UnsafeRawBufferPointer) -> UInt64 { FanOut.Header(reading: frame).id }

  mutating func subRequest(
    _ frame: UnsafeRawBufferPointer, on backend: Int, of client: Int?, at now: UInt64
  ) -> Disposition {
    let header = FanOut.Header(reading: frame)
    counts.subRequestsReceived += 1
    subRequests[backend] = SubRequest(id: header.id, index: header.index)
    let delay = parameters.serviceTime.nanoseconds(serviceTimes.word(key(header.id, header.index)))
    guard let client, requests[client].id == header.id, header.index < parameters.width else {
      counts.subRequestsUnknown += 1
      return Disposition(delay: delay, isProgress: false)
    }
    let bit: UInt64 = 1 << UInt64(header.index)
    guard requests[client].arrived & bit == 0 else {
      counts.subRequestsRepeated += 1
      return Disposition(delay: delay, isProgress: false)
    }
    guard requests[client].isOpen else {
      counts.subRequestsUnknown += 1
      return Disposition(delay: delay, isProgress: false)
    }
    if header.value != requests[client].token || !requestTemplates.matches(frame, template(ofRequest: header.id)) {
      counts.subRequestsAltered += 1
    }
    if requests[client].arrived == 0 { requests[client].firstArrival = now }
    requests[client].arrived |= bit
    subRequests[backend].client = client
    guard isGated else { return Disposition(delay: delay, isProgress: true) }
    subRequests[backend].isHeld = true
    subRequests[backend].nextHeld = requests[client].held
    requests[client].held = backend
    if requests[client].arrived.nonzeroBitCount == parameters.width { release(client) }
    return Disposition(delay: nil, isProgress: true)
  }

  private func key(_ id: UInt64, _ index: Int) -> UInt64 { id << 6 | UInt64(index & 63) }

  mutating func replyFrame(on backend: Int) -> UnsafeRawBufferPointer {
    let word = replies.word(key(subRequests[backend].id, subRequests[backend].index))
    return replyTemplates.frame(
      Int(truncatingIfNeeded: word) & (FrameTemplates.count - 1),
      replyHeader(subRequests[backend].id, subRequests[backend].index, word))
  }

  private func replyHeader(_ id: UInt64, _ index: Int, _ word: UInt64) -> FanOut.Header {
    FanOut.Header(.subReply, length: parameters.replyBytes, index: index, id: id, value: word)
  }

  mutating func replied(on backend: Int, at time: UInt64) {
    let client = subRequests[backend].client
    guard client >= 0, requests[client].id == subRequests[backend].id else { return }
    requests[client].replied += 1
    requests[client].lastReply = time
    requests[client].sum &+= sum(ofReply: subRequests[backend].id, subRequests[backend].index)
  }

  func client(of backend: Int) -> Int? { subRequests[backend].client >= 0 ? subRequests[backend].client : nil }

  mutating func countOverlap() { counts.subRequestsOverlapping += 1 }

  /// The checksum is linear: the payload's part is known, the header's three words are added.
  private func sum(ofReply id: UInt64, _ index: Int) -> UInt64 {
    let word = replies.word(key(id, index))
    return replyTemplates.checksum(
      Int(truncatingIfNeeded: word) & (FrameTemplates.count - 1), replyHeader(id, index, word))
  }

  private func wholeSum(of id: UInt64) -> UInt64 {
    var whole: UInt64 = 0
    for index in 0..<parameters.width { whole &+= sum(ofReply: id, index) }
    return whole
  }

  // MARK: The gate

  private mutating func release(_ client: Int) {
    while requests[client].held >= 0 {
      let backend = requests[client].held
      requests[client].held = subRequests[backend].nextHeld
      subRequests[backend].nextHeld = released
      released = backend
    }
  }

  mutating func nextReleased() -> (backend: Int, delay: UInt64)? {
    guard released >= 0 else { return nil }
    let backend = released
    released = subRequests[backend].nextHeld
    subRequests[backend].nextHeld = -1
    subRequests[backend].isHeld = false
    let delay = parameters.serviceTime.nanoseconds(
      serviceTimes.word(key(subRequests[backend].id, subRequests[backend].index)))
    return (backend, delay)
  }

  mutating func abandon(_ backend: Int) -> Bool {
    guard subRequests[backend].isHeld else { return false }
    subRequests[backend].isHeld = false
    let client = subRequests[backend].client
    var link = requests[client].held
    if link == backend {
      requests[client].held = subRequests[backend].nextHeld
    } else {
      while link >= 0, subRequests[link].nextHeld != backend { link = subRequests[link].nextHeld }
      if link >= 0 { subRequests[link].nextHeld = subRequests[backend].nextHeld }
    }
    return true
  }

  mutating func releaseStuck() -> Bool {
    guard isGated else { return false }
    isGated = false
    var any = false
    for client in 0..<parameters.connections where requests[client].held >= 0 {
      any = true
      counts.gatesStuck += 1
      counts.gateReached = max(counts.gateReached, requests[client].arrived.nonzeroBitCount)
      release(client)
    }
    return any
  }

  func ledger(requestsSent: Int, requestsAnswered: Int, backendPeak: Int) -> Ledger {
    var ledger = Ledger()
    for name in FanOut.RigCount.allCases {
      ledger[name.rawValue] =
        switch name {
        case .requestsSent: requestsSent
        case .requestsAnswered: requestsAnswered
        case .requestsUnanswered: requestsSent - requestsAnswered
        case .answersRepeated: counts.answersRepeated
        case .answersUnknown: counts.answersUnknown
        case .answersWrong: counts.answersWrong
        case .subRequestsReceived: counts.subRequestsReceived
        case .subRequestsRepeated: counts.subRequestsRepeated
        case .subRequestsUnknown: counts.subRequestsUnknown
        case .subRequestsAltered: counts.subRequestsAltered
        case .answersEarly: counts.answersEarly
        case .backendConnectionsPeak: backendPeak
        case .subRequestsOverlapping: counts.subRequestsOverlapping
        case .gatesStuck: counts.gatesStuck
        case .gateReached: counts.gateReached
        case .framesMalformed: counts.framesMalformed
        case .clientConnectionsLost: counts.clientConnectionsLost
        }
    }
    return ledger
  }
}
