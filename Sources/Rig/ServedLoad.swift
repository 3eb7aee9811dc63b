// What the trial's loop asks of a workload. The loop knows connections, times and phases; a workload knows its frames
// and what they mean. One file per served workload conforms.

import Workloads

/// A served workload seen from the rig. Client connections and backend connections are named by their slots.
protocol ServedLoad: ~Copyable {
  /// Names of the classes in which latency is recorded, and the class of the request on a client connection.
  var latencyClasses: [String] { get }
  func latencyClass(on client: Int) -> Int
  /// Whether answers tell the added latency.
  var measuresAdded: Bool { get }
  /// Requests answered within this time are goodput; nil where that is not measured.
  var goodLatencyNanoseconds: UInt64? { get }

  /// Lengths of the frames that the model sends.
  var answerBytes: Int { get }
  var subRequestBytes: Int { get }

  /// A request goes out on a client connection.
  mutating func begin(_ id: UInt64, on client: Int, at time: UInt64)
  /// The request's frame: the same bytes at every call, valid until the next one.
  mutating func requestFrame(on client: Int) -> UnsafeRawBufferPointer

  /// Whether a frame of the model's, of which at least a part has arrived, may be what it should be.
  mutating func acceptsAnswer(_ prefix: UnsafeRawBufferPointer) -> Bool
  func answeredId(_ frame: UnsafeRawBufferPointer) -> UInt64
  /// The first answer to the request on a client connection.
  /// - Parameter sent: when the request was written.
  /// - Returns: the added latency; nil where there is none, or the request's sub-requests were not all answered before.
  mutating func answer(_ frame: UnsafeRawBufferPointer, on client: Int, sent: UInt64, at now: UInt64) -> UInt64?
  mutating func countRepeatedAnswer()
  mutating func countUnknownAnswer()

  mutating func acceptsSubRequest(_ prefix: UnsafeRawBufferPointer) -> Bool
  func requestId(_ frame: UnsafeRawBufferPointer) -> UInt64
  /// A sub-request has come on a backend connection.
  /// - Parameter client: where its request went out; nil if there is no such request.
  mutating func subRequest(
    _ frame: UnsafeRawBufferPointer, on backend: Int, of client: Int?, at now: UInt64
  ) -> Disposition
  /// A backend connection whose reply is withheld no more, with the time to wait from now; nil if there is none.
  mutating func nextReleased() -> (backend: Int, delay: UInt64)?
  /// The model has closed a backend connection whose reply is withheld.
  /// - Returns: whether it was withheld.
  mutating func abandon(_ backend: Int) -> Bool
  mutating func replyFrame(on backend: Int) -> UnsafeRawBufferPointer
  /// The whole reply has been written.
  mutating func replied(on backend: Int, at time: UInt64)
  /// The client connection whose request the sub-request on a backend connection belongs to.
  func client(of backend: Int) -> Int?
  mutating func countOverlap()
  mutating func countLostClient()

  /// Gives up withholding replies, now and from now on.
  /// - Returns: whether any was withheld.
  mutating func releaseStuck() -> Bool

  func ledger(requestsSent: Int, requestsAnswered: Int, backendPeak: Int) -> Ledger
}

/// What is to happen with a sub-request.
struct Disposition {
  /// How long until the reply is due; nil if it is withheld.
  var delay: UInt64?
  /// Whether the trial has come a step closer to its end.
  var isProgress: Bool
}
