// The control path of a workload in which the model drives itself: a task on loop 0, beside the work. It waits for the
// harness and for the window's ends as everything on a loop waits, suspended; nothing here may block.

import EventLoop
import Glibc
import ModelKit
import Workloads

/// One trial's conversation, from `ready` to the result. One task uses it.
final class Conductor {
  let session: Session
  private let input: Stream
  private var pending: [Session.Event] = []

  /// Runs a trial on that many loops: `body` is its control path, which starts on loop 0. The loops are the model's
  /// runtime; of the workload nothing exists before ``begin()`` has returned.
  static func run(
    _ session: Session, loops: Int, _ body: @escaping @Sendable (Conductor) async throws -> Void
  ) throws {
    try EventLoops.run(count: loops) {
      let conductor = Conductor(session, input: try Stream(taking: dup(session.inputDescriptor)))
      try session.ready()
      try await body(conductor)
    }
  }

  private init(_ session: Session, input: Stream) {
    self.session = session
    self.input = input
  }

  /// The next event, or nil once the monotonic clock has reached that moment.
  func event(until moment: UInt64? = nil) async throws -> Session.Event? {
    while true {
      if let event = try arrived() { return event }
      guard let moment else {
        try await input.readable()
        continue
      }
      let now = monotonicNanoseconds()
      if now >= moment { return nil }
      do {
        try await withDeadline(.nanoseconds(Int64(clamping: moment - now))) { [input] in try await input.readable() }
      } catch LoopError.deadlineExceeded {
        return nil
      }
    }
  }

  /// An event that has arrived already, if there is one.
  func arrived() throws -> Session.Event? {
    if pending.isEmpty { pending = try session.receive() }
    return pending.isEmpty ? nil : pending.removeFirst()
  }

  /// Waits for `begin`, which fixes the window.
  func begin() async throws -> Window {
    switch try await event() {
    case .begin(let window): return window
    case .end, nil: throw ModelFailure(.failed, "the input ended before 'begin'")
    case .drain, .edge: throw ModelFailure(.failed, "the command 'drain' came before 'begin'")
    }
  }

  /// Waits for `drain` or the end of the input, whichever comes first.
  func awaitDrain() async throws {
    if case .begin = try await event() { throw ModelFailure(.failed, "the command 'begin' came twice") }
  }

  /// From here to the trial's end: reports both ends of the window, waits for `drain` or the end of the input, drains,
  /// prints the result. Where the harness drains early or goes away, the rest of the window is left out.
  /// - Parameters:
  ///   - operations: completed so far, read at both edges. Leave it out where the drain's result says how many there were.
  ///   - edge: called at each edge, right after that.
  ///   - drain: stops the work, joins everything and returns the balanced ledger.
  func conduct(
    _ window: Window, operations: (() -> Int)? = nil, edge: (Edge) -> Void = { _ in },
    drain: () async throws -> (Ledger, InProcessResult)
  ) async throws {
    var atEdges: [Int] = []
    for (name, moment) in [(Edge.open, window.opens), (.close, window.closes)] {
      if let early = try await event(until: moment) {
        pending.insert(early, at: 0)
        break
      }
      atEdges.append(operations?() ?? 0)
      edge(name)
      try session.report(name, ledger: [:])
    }
    try await awaitDrain()
    var (ledger, result) = try await drain()
    if result.operations == nil { result.operations = atEdges.count == 2 ? atEdges[1] - atEdges[0] : 0 }
    try finish(ledger, result)
  }

  /// Prints the result. Everything is joined by then.
  func finish(_ ledger: Ledger, _ result: InProcessResult) throws {
    try session.finish(ledger: ledger, counters: Ledger(of: EventLoops.counters), result: result)
  }
}
