// Where a trial's news arrives: lines from the rig and the model, the end of their output, an interruption. One
// consumer waits for one side at a time, always with a deadline; whatever the other side says meanwhile is kept, so
// that no order of arrival can deadlock the conversation.

import Synchronization

/// The two processes of a trial.
enum Side: Sendable, Hashable { case rig, model }

/// What ended a wait.
enum Arrival: Sendable, Hashable {
  case line([UInt8])
  /// That side's output has ended: its process has died, or has closed it.
  case closed(Side)
  /// That side broke the rules of the line: why, in words.
  case malformed(Side, String)
  case interrupted
  case late
}

final class Inbox: Sendable {
  /// Lines that may wait to be read; a side that sends more is talking to nobody.
  static let unreadLimit = 256

  private struct State {
    var lines: [Side: [[UInt8]]] = [:]
    var closed: Set<Side> = []
    var malformed: [Side: String] = [:]
    var isInterrupted = false
    var tickets = 0
    var waiter: (ticket: Int, side: Side, watched: Set<Side>, continuation: CheckedContinuation<Arrival, Never>)?

    mutating func take(from side: Side, watching watched: Set<Side>) -> Arrival? {
      if isInterrupted { return .interrupted }
      if let first = lines[side]?.first {
        lines[side]?.removeFirst()
        return .line(first)
      }
      for other in [side, side == .rig ? .model : .rig] where watched.contains(other) {
        if let reason = malformed[other] { return .malformed(other, reason) }
        if closed.contains(other) { return .closed(other) }
      }
      return nil
    }
  }
  private let state = Mutex(State())

  /// Waits for a line from `side`, or for what makes waiting pointless: an interruption, or the end of a side in
  /// `watched`. Lines come before the end that follows them.
  func next(from side: Side, watching watched: Set<Side>, until deadline: ContinuousClock.Instant) async -> Arrival {
    let ticket = state.withLock { state in
      state.tickets += 1
      return state.tickets
    }
    let timer = Task { [self] in
      do { try await Task.sleep(until: deadline, clock: .continuous) } catch { return }
      expire(ticket)
    }
    defer { timer.cancel() }
    return await withCheckedContinuation { continuation in
      let arrival = state.withLock { state -> Arrival? in
        if let arrival = state.take(from: side, watching: watched) { return arrival }
        // Nobody may be waiting already: there is one consumer. A deadline in the past expires when its task runs.
        precondition(state.waiter == nil, "an inbox has one consumer")
        state.waiter = (ticket, side, watched, continuation)
        return nil
      }
      if let arrival { continuation.resume(returning: arrival) } else if deadline <= .now { expire(ticket) }
    }
  }

  /// Lines of `side` that have come and not been asked for.
  func unread(from side: Side) -> [[UInt8]] { state.withLock { $0.lines[side] ?? [] } }

  /// - Returns: whether there is room for more.
  func post(_ line: [UInt8], from side: Side) -> Bool {
    change { state in
      state.lines[side, default: []].append(line)
      return state.lines[side]!.count < Self.unreadLimit
    }
  }
  func close(_ side: Side) { change { $0.closed.insert(side) } }
  func refuse(_ side: Side, _ reason: String) { change { $0.malformed[side] = reason } }
  func interrupt() { change { $0.isInterrupted = true } }

  @discardableResult
  private func change<Value>(_ body: (inout sending State) -> Value) -> Value where Value: Sendable {
    let (value, wake) = state.withLock { state in
      let value = body(&state)
      guard let waiter = state.waiter, let arrival = state.take(from: waiter.side, watching: waiter.watched) else {
        return (value, nil as (@Sendable () -> Void)?)
      }
      state.waiter = nil
      return (value, { waiter.continuation.resume(returning: arrival) })
    }
    wake?()
    return value
  }

  private func expire(_ ticket: Int) {
    let waiter = state.withLock { state in
      guard let waiter = state.waiter, waiter.ticket == ticket else {
        return nil as CheckedContinuation<Arrival, Never>?
      }
      state.waiter = nil
      return waiter.continuation
    }
    waiter?.resume(returning: .late)
  }
}
