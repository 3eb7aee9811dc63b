// The conversation of an in-process trial, in which the model owns the window. PROTOCOL.md gives the lines.

import CLinux
import Glibc
import Workloads

/// What an in-process model has measured in its window.
public struct InProcessResult: Sendable {
  /// Operations completed between the two edges. Nil leaves it to ``Session/conduct(_:operations:ledger:counters:drain:)``:
  /// the difference of what `operations` read at them.
  public var operations: Int?
  /// By class; of operations that ended within the window.
  public var latencies: [String: RecordedCounts]
  /// Figures that only this workload has, as its contract names them.
  public var measures: [Measure]

  public init(operations: Int? = nil, latencies: [String: RecordedCounts] = [:], measures: [Measure] = []) {
    self.operations = operations
    self.latencies = latencies
    self.measures = measures
  }
}

extension Session {
  /// Whether this is a check in which units wait for each other, or the sink stands still, as the contract says.
  public var isGated: Bool { request.isGated ?? false }

  /// Iterations of ``CPUWork`` that take that long at the speed that the harness has calibrated.
  /// - Throws: ``ModelFailure`` if the request has no such speed.
  public func iterations(nanoseconds: Int) throws(ModelFailure) -> Int {
    guard let speed = request.iterationsPerMillisecond else {
      throw ModelFailure(
        .failed, "the trial has no iterationsPerMillisecond, which \(request.workload) needs for its CPU work")
    }
    return CPUWork.iterations(nanoseconds: nanoseconds, iterationsPerMillisecond: speed)
  }

  /// The workload's parameters, checked: `try session.parameters(Pipeline.Parameters.init)`.
  /// - Throws: ``ModelFailure`` if the request's are not that workload's.
  public func parameters<Parameters>(
    _ make: ([String: ParameterValue]) throws(ParameterError) -> Parameters
  ) throws(ModelFailure) -> Parameters {
    do {
      return try make(request.parameters)
    } catch {
      throw ModelFailure(.failed, error.description)
    }
  }

  /// Says that the model is there. Nothing of the workload exists yet: the harness now reads the idle memory.
  public func ready() throws(ModelFailure) { try send(ModelReply(reply: .ready)) }

  /// Waits for `begin`, blocking the calling thread, and fixes the window: its warm-up starts now.
  /// - Throws: ``ModelFailure`` if anything else comes, or the input ends.
  public func awaitBegin() throws(ModelFailure) -> Window {
    switch try nextEvent() {
    case .begin(let window): return window
    case .end: throw ModelFailure(.failed, "the input ended before 'begin'")
    case .drain, .edge: throw ModelFailure(.failed, "the command 'drain' came before 'begin'")
    }
  }

  /// The window of a warm-up that starts now. For cases whose units take longer to make than the warm-up lasts
  /// (a million of them): build, then fix the window anew, and forget the one of ``awaitBegin()``.
  /// - Throws: ``ModelFailure`` if the request has no lengths.
  public func window() throws(ModelFailure) -> Window {
    guard let warmUp = request.warmUpNanoseconds, let length = request.windowNanoseconds else {
      throw ModelFailure(
        .failed, "the trial has no warmUpNanoseconds and windowNanoseconds, which \(request.workload) needs")
    }
    let day: UInt64 = 86_400_000_000_000
    guard warmUp <= day, length >= 1, length <= day else {
      throw ModelFailure(
        .failed, "a warm-up of \(warmUp) ns and a window of \(length) ns: expected at most a day, and a window above 0")
    }
    let opens = monotonicNanoseconds() + warmUp
    return Window(opens: opens, closes: opens + length)
  }

  /// Prints the result, once: the balanced ledger, what was measured, and whatever else the runtime counted. Everything
  /// is joined by then.
  public func finish(ledger: Ledger, counters: Ledger? = nil, result: InProcessResult) throws(ModelFailure) {
    guard let operations = result.operations else {
      throw ModelFailure(.failed, "the result has no operations")
    }
    var reply = ModelReply(reply: .result)
    reply.ledger = ledger
    reply.counters = counters
    reply.operations = operations
    reply.latencies = result.latencies.isEmpty ? nil : result.latencies
    reply.measures = result.measures.isEmpty ? nil : result.measures
    try finish(reply)
  }

  /// Conducts the trial from here to its end, blocking the calling thread: sleeps to the window's ends, reports them,
  /// waits for `drain` or the end of the input, drains, prints the result. Where the harness drains early or goes away,
  /// the rest of the window is left out.
  /// - Parameters:
  ///   - operations: operations completed so far, read at both edges right beside the clock. Leave it out where the
  ///     units themselves tell by ``Window/contains(_:)`` what counts, and the drain's result says how many did.
  ///   - ledger: the counts as they stand, asked for at the edges and after the drain.
  ///   - drain: stops the work and joins everything.
  public func conduct(
    _ window: Window, operations: (() -> Int)? = nil, ledger: () -> Ledger, counters: () -> Ledger? = { nil },
    drain: () throws -> InProcessResult
  ) throws {
    var atOpen: Int?
    var atClose: Int?
    var early = try wait(until: window.opens)
    if early == nil {
      atOpen = operations?()
      try report(.open, usage: .current(), ledger: ledger())
      early = try wait(until: window.closes)
    }
    if early == nil {
      atClose = operations?()
      try report(.close, usage: .current(), ledger: ledger())
    }
    if case .begin = try early ?? nextEvent() { throw ModelFailure(.failed, "the command 'begin' came twice") }
    var result = try drain()
    if result.operations == nil { result.operations = atClose.map { $0 - (atOpen ?? 0) } ?? 0 }
    try finish(ledger: ledger(), counters: counters(), result: result)
  }

  /// Sleeps until that moment of the monotonic clock, or until the harness wants something, which is returned.
  private func wait(until moment: UInt64) throws(ModelFailure) -> Event? {
    while true {
      let now = monotonicNanoseconds()
      if now >= moment { return nil }
      if let event = try buffered() { return event }
      let isReadable = clinux_wait_readable(inputDescriptor, Int64(clamping: moment - now))
      if isReadable == 1 { return try nextEvent() }
      if isReadable < 0 && isReadable != -EINTR {
        throw ModelFailure(.failed, "waiting for standard input failed: \(describe(errno: -Int(isReadable)))")
      }
    }
  }
}
