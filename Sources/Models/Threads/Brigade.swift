// brigade with threads. Idiom: a thread for each unit of the ring, blocked in take() or in read(2) until a token comes.
//
// A hop wakes a thread and puts another to sleep: the kernel's switch is nearly all that it costs. Over pipes the wake
// and the sleep are the write and the read themselves, so that real descriptors cost a thread hardly more than a queue.

import CLinux
import Glibc
import ModelKit
import Synchronization
import Workloads

/// Where a unit waits for tokens.
private enum Inlet: Sendable {
  case queue(BoundedQueue<UInt64>)
  case pipe(reading: Int32, writing: Int32)

  func put(_ token: UInt64) {
    switch self {
    case .queue(let queue): queue.put(token)
    case .pipe(_, let writing):
      // Eight bytes go into a pipe whole or not at all, and there is room for all tokens.
      var bytes = token.littleEndian
      while clinux_write(writing, &bytes, 8) == -Int(EINTR) {}
    }
  }

  /// nil when the inlet has been closed.
  func take() -> UInt64? {
    switch self {
    case .queue(let queue): return queue.take()
    case .pipe(let reading, _):
      var bytes: UInt64 = 0
      while true {
        let count = clinux_read(reading, &bytes, 8)
        if count == 8 { return UInt64(littleEndian: bytes) }
        if count != -Int(EINTR) { return nil }
      }
    }
  }
}

final class BrigadeRing: Sendable {
  private enum Count: Int, CaseIterable, Sendable { case started, sent, received, outOfTurn, kept, checksum, finished }

  private let parameters: Brigade.Parameters
  private let inlets: [Inlet]
  private let counts: CountRows<Count>
  private let started = Semaphore()
  private let kept = Semaphore()
  /// Relaxed: a unit that misses it now passes the token on to one that sees it.
  private let isStopping = Atomic(false)

  /// Runs one trial.
  static func run(_ session: Session) throws {
    let parameters = try session.parameters(Brigade.Parameters.init)
    try session.ready()
    _ = try session.awaitBegin()
    _ = clinux_raise_file_limit()
    try Limits.admit(
      units: parameters.length, threads: parameters.length,
      descriptors: parameters.medium == .pipes ? 2 * parameters.length : 0)
    let ring = try BrigadeRing(parameters)
    let pipes = parameters.medium == .pipes ? parameters.length : 0
    var pipesClosed = 0
    let units = try ThreadGroup.start(parameters.length) { ring.run($0) }
    for _ in 0..<parameters.length { ring.started.wait() }
    let startedAtFirstToken = ring.counts.sum(.started)
    for token in 0..<parameters.tokens {
      ring.inlets[parameters.firstUnit(of: token)].put(parameters.firstToken(token))
    }
    try session.conduct(
      session.window(), operations: { ring.counts.sum(.sent) },
      ledger: {
        [
          "unitsStarted": ring.counts.sum(.started), "unitsFinished": ring.counts.sum(.finished),
          "startedAtFirstToken": startedAtFirstToken, "hopsSent": ring.counts.sum(.sent),
          "tokensReceived": ring.counts.sum(.received), "tokensOutOfTurn": ring.counts.sum(.outOfTurn),
          "tokensKept": ring.counts.sum(.kept), "checksum": ring.counts.sum(.checksum),
          "pipesOpened": pipes, "pipesClosed": pipesClosed,
        ]
      },
      drain: {
        ring.isStopping.store(true, ordering: .relaxed)
        for _ in 0..<parameters.tokens { ring.kept.wait() }
        pipesClosed = ring.close(joining: units)
        return InProcessResult()
      })
  }

  private init(_ parameters: Brigade.Parameters) throws(ModelFailure) {
    self.parameters = parameters
    counts = CountRows(rows: parameters.length)
    var inlets: [Inlet] = []
    for _ in 0..<parameters.length {
      switch parameters.medium {
      case .channels: inlets.append(.queue(BoundedQueue(capacity: parameters.tokens)))
      case .pipes:
        var ends: [Int32] = [-1, -1]
        try require(clinux_pipe(&ends), "opening a pipe")
        inlets.append(.pipe(reading: ends[0], writing: ends[1]))
      }
    }
    self.inlets = inlets
  }

  private func run(_ unit: Int) {
    let counts = self.counts[unit]
    let inlet = inlets[unit]
    let next = inlets[unit + 1 == parameters.length ? 0 : unit + 1]
    counts.add(.started)
    started.post()
    while let token = inlet.take() {
      counts.add(.received)
      if !parameters.isTurn(of: unit, token) { counts.add(.outOfTurn) }
      if isStopping.load(ordering: .relaxed) {
        counts.add(.kept)
        counts.add(.checksum, Int(truncatingIfNeeded: token))
        kept.post()
      } else {
        next.put(token &+ 1)
        counts.add(.sent)
      }
    }
    counts.add(.finished)
  }

  /// Once all tokens are kept nobody writes any more: closing the writing ends lets every reader see the end of its pipe.
  /// - Returns: pipes closed, both ends.
  private func close(joining units: ThreadGroup) -> Int {
    for inlet in inlets {
      switch inlet {
      case .queue(let queue): queue.close()
      case .pipe(_, let writing): clinux_close(writing)
      }
    }
    units.join()
    return inlets.count {
      if case .pipe(let reading, _) = $0 { clinux_close(reading) == 0 } else { false }
    }
  }
}
