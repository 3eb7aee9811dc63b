// brigade with green threads. Idiom: a unit for each place in the ring, a loop around its inlet, which is a channel or
// the reading end of a pipe: the code is the same but for the name of the call.
//
// Over channels a hop is a switch. Over pipes it costs a write, a read that finds the inlet empty again (an edge says
// that something came, not how much: another token may have come since), and, with one token, a wait in epoll, for
// nothing else is runnable; with many tokens one look at epoll brings many of them.

import CLinux
import GreenThreads
import ModelKit
import Synchronization
import Workloads

final class BrigadeTrial: Sendable {
  /// A unit's counts, written by it alone.
  private struct Row: ~Copyable {
    let started = Atomic(0), finished = Atomic(0)
    let sent = Atomic(0), received = Atomic(0), outOfTurn = Atomic(0)
    let kept = Atomic(0), checksum = Atomic(0)
  }

  private enum Inlet: Sendable {
    case channel(GreenThreads.Channel<UInt64>)
    case pipe(reading: Descriptor, writing: Descriptor)
  }

  private let parameters: Brigade.Parameters
  private let inlets: [Inlet]
  private let rows: Rows<Row>
  /// The units that have not started yet.
  private let waiting = WaitGroup()
  private let stopping = Atomic(false)
  /// Tokens that go round. Only touched at the drain.
  private let tokensLeft: Atomic<Int>
  private let pipesOpened: Int
  private let pipesClosed = Atomic(0)

  static func run(_ session: Session) throws {
    let parameters = try session.parameters(Brigade.Parameters.init)
    _ = clinux_raise_file_limit()
    try Limits.admit(
      units: parameters.length, descriptors: parameters.medium == .pipes ? 2 * parameters.length : 0,
      bytes: parameters.length * Session.bytesPerUnit)
    try session.ready()
    let window = try session.awaitBegin()
    try session.onUnits { try BrigadeTrial(parameters).run(session, window) }
  }

  private init(_ parameters: Brigade.Parameters) throws {
    self.parameters = parameters
    inlets = try (0..<parameters.length).map { _ in
      guard parameters.medium == .pipes else { return .channel(GreenThreads.Channel(capacity: parameters.tokens)) }
      let pipe = try Descriptor.pipe()
      return .pipe(reading: pipe.reading, writing: pipe.writing)
    }
    rows = Rows(count: parameters.length) { _ in Row() }
    tokensLeft = Atomic(parameters.tokens)
    pipesOpened = parameters.medium == .pipes ? parameters.length : 0
  }

  private func run(_ session: Session, _ window: Window) throws {
    var startedAtFirstToken = 0
    let operations = try withScope { scope in
      waiting.add(parameters.length)
      for unit in 0..<parameters.length {
        try scope.spawn(name: "place") { try self.pass(unit) }
      }
      try waiting.wait()
      startedAtFirstToken = rows.sum { $0.started.value }
      for token in 0..<parameters.tokens {
        try put(parameters.firstToken(token), into: parameters.firstUnit(of: token))
      }
      defer { stopping.store(true, ordering: .relaxed) }
      return try session.conduct(
        window, operations: { rows.sum { $0.sent.value } }, ledger: { ledger(startedAtFirstToken) })
    }
    try session.finish(ledger(startedAtFirstToken), InProcessResult(operations: operations))
  }

  private func pass(_ unit: Int) throws {
    let row = rows[unit]
    let next = unit + 1 == parameters.length ? 0 : unit + 1
    row.pointee.started.grow()
    waiting.done()
    while let token = try take(from: unit) {
      row.pointee.received.grow()
      if !parameters.isTurn(of: unit, token) { row.pointee.outOfTurn.grow() }
      if stopping.load(ordering: .relaxed) {
        row.pointee.kept.grow()
        row.pointee.checksum.grow(by: token)
        // Acquire and release: the last one closes what all others have used.
        if tokensLeft.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 { closeInlets() }
      } else {
        try put(token &+ 1, into: next)
        row.pointee.sent.grow()
      }
    }
    if case .pipe(let reading, _) = inlets[unit] {
      reading.close()
      pipesClosed.count()
    }
    row.pointee.finished.grow()
  }

  /// The token that comes to that unit; nil once its inlet is closed.
  private func take(from unit: Int) throws -> UInt64? {
    switch inlets[unit] {
    case .channel(let channel): return try channel.receive()
    case .pipe(let reading, _):
      var token: UInt64 = 0
      let isThere = try withUnsafeMutableBytes(of: &token) { try reading.readExactly(into: $0) }
      return isThere ? UInt64(littleEndian: token) : nil
    }
  }

  private func put(_ token: UInt64, into unit: Int) throws {
    switch inlets[unit] {
    case .channel(let channel): try channel.send(token)
    case .pipe(_, let writing): try withUnsafeBytes(of: token.littleEndian) { try writing.write($0) }
    }
  }

  /// Every unit then comes to the end of its inlet.
  private func closeInlets() {
    for inlet in inlets {
      switch inlet {
      case .channel(let channel): channel.close()
      case .pipe(_, let writing): writing.close()
      }
    }
  }

  private func ledger(_ startedAtFirstToken: Int) -> Ledger {
    [
      "unitsStarted": rows.sum { $0.started.value }, "unitsFinished": rows.sum { $0.finished.value },
      "startedAtFirstToken": startedAtFirstToken,
      "hopsSent": rows.sum { $0.sent.value }, "tokensReceived": rows.sum { $0.received.value },
      "tokensOutOfTurn": rows.sum { $0.outOfTurn.value }, "tokensKept": rows.sum { $0.kept.value },
      "checksum": rows.sum { $0.checksum.value },
      "pipesOpened": pipesOpened, "pipesClosed": pipesClosed.value,
    ]
  }
}
