// brigade with async/await. Idiom: a task per unit; an inlet is a channel of the loop's, or a stream on a pipe's reading
// end. Over pipes the write is tried at once, and the read again only when the poller has said that there is something.
//
// The ring is cut into as many stretches as there can be tasks running at once, the number of tokens, and each stretch is
// on a loop of its own: then a token goes to another loop once in a stretch, and with one token never.

import CLinux
import EventLoop
import ModelKit
import Synchronization
import Workloads

func runBrigade(_ session: Session) throws {
  let parameters = try session.parameters(Brigade.Parameters.init)
  if parameters.medium == .pipes {
    _ = clinux_raise_file_limit()
    try Limits.admit(units: parameters.length, descriptors: 2 * parameters.length)
  }
  try Conductor.run(session, loops: min(session.request.workers, parameters.tokens)) { conductor in
    let window = try await conductor.begin()
    let ring = Ring(parameters)
    let loops = EventLoops.all
    var inlets: [Inlet] = []
    for unit in 0..<parameters.length {
      inlets.append(try Inlet(parameters, on: loops[unit * loops.count / parameters.length]))
    }
    let units = inlets.indices.map { unit in
      let (inlet, outlet) = (inlets[unit], inlets[(unit + 1) % inlets.count])
      return inlet.loop.spawn { try await ring.unit(unit, from: inlet, to: outlet) }
    }
    try await ring.roll.complete()
    let startedAtFirstToken = ring.roll.count
    for token in 0..<parameters.tokens {
      try inlets[parameters.firstUnit(of: token)].put(first: parameters.firstToken(token))
    }

    try await conductor.conduct(window, operations: { ring.hops.total }) {
      ring.stop.raise()
      try await ring.kept.complete()
      let pipesClosed = inlets.count { $0.close() }
      var total = Ring.Outcome()
      for unit in units { total.add(try await unit.value) }
      let ledger: Ledger = [
        "unitsStarted": ring.roll.count, "unitsFinished": units.count, "startedAtFirstToken": startedAtFirstToken,
        "hopsSent": ring.hops.total, "tokensReceived": total.received, "tokensOutOfTurn": total.outOfTurn,
        "tokensKept": ring.kept.count, "checksum": Int(bitPattern: UInt(total.checksum)),
        "pipesOpened": inlets.count { $0.isPipe }, "pipesClosed": pipesClosed,
      ]
      return (ledger, InProcessResult())
    }
  }
}

final class Ring: Sendable {
  /// What a unit tells when it has ended.
  struct Outcome: Sendable {
    var received = 0
    var outOfTurn = 0
    var checksum: UInt64 = 0

    mutating func add(_ other: Outcome) {
      received += other.received
      outOfTurn += other.outOfTurn
      checksum &+= other.checksum
    }
  }

  let roll: RollCall
  /// Tokens that were kept: complete when none goes round any more.
  let kept: RollCall
  let stop = StopFlag()
  let hops: [Tally]
  private let parameters: Brigade.Parameters

  init(_ parameters: Brigade.Parameters) {
    self.parameters = parameters
    roll = RollCall(parameters.length)
    kept = RollCall(parameters.tokens)
    hops = (0..<parameters.length).map { _ in Tally() }
  }

  func unit(_ number: Int, from inlet: Inlet, to outlet: Inlet) async throws -> Outcome {
    roll.arrive()
    var outcome = Outcome()
    while let token = try await inlet.take() {
      outcome.received += 1
      if !parameters.isTurn(of: number, token) { outcome.outOfTurn += 1 }
      if stop.isUp {
        outcome.checksum &+= token
        kept.arrive()
      } else {
        try await outlet.put(token &+ 1)
        hops[number].count()
      }
    }
    return outcome
  }
}

/// Where a unit waits for tokens.
struct Inlet: Sendable {
  private enum Medium: Sendable {
    case channel(AsyncChannel<UInt64>)
    case pipe(reading: Stream, writing: Stream)
  }

  /// The loop of the unit that waits here.
  let loop: EventLoop
  private let medium: Medium
  /// Bytes that a read asks for. The only token there is makes a read of one byte more a short one: it tells the loop
  /// that the pipe is empty, and saves the call that would find it so. With several tokens it could take half the next.
  private let room: Int

  init(_ parameters: Brigade.Parameters, on loop: EventLoop) throws {
    self.loop = loop
    room = parameters.tokens == 1 ? 9 : 8
    if parameters.medium == .channels {
      medium = .channel(AsyncChannel(capacity: parameters.tokens))
      return
    }
    var ends: (Int32, Int32) = (-1, -1)
    let result = withUnsafeMutableBytes(of: &ends) { clinux_pipe($0.assumingMemoryBound(to: Int32.self).baseAddress) }
    guard result == 0 else { throw LoopError.system(call: "pipe", errno: -result) }
    medium = .pipe(reading: try Stream(taking: ends.0, on: loop), writing: try Stream(taking: ends.1, on: loop))
  }

  func take() async throws -> UInt64? {
    switch medium {
    case .channel(let channel): return try await channel.receive()
    case .pipe(let reading, _):
      do {
        while true {
          if let token = try read(reading) { return token }
          try await reading.readable()
        }
      } catch LoopError.closed {
        return nil
      }
    }
  }

  private func read(_ reading: Stream) throws(LoopError) -> UInt64? {
    var bytes: (UInt64, UInt64) = (0, 0)
    let count = try withUnsafeMutableBytes(of: &bytes) { bytes throws(LoopError) in
      try reading.tryRead(into: UnsafeMutableRawBufferPointer(rebasing: bytes[..<room]))
    }
    return count == 8 ? UInt64(littleEndian: bytes.0) : nil
  }

  func put(_ token: UInt64) async throws {
    switch medium {
    case .channel(let channel): try await channel.send(token)
    case .pipe(_, let writing):
      while try !write(token, to: writing) { try await writing.writable() }
    }
  }

  private func write(_ token: UInt64, to writing: Stream) throws(LoopError) -> Bool {
    try withUnsafeBytes(of: token.littleEndian) { bytes throws(LoopError) in try writing.tryWrite(bytes) != nil }
  }

  /// By the driver, which no stream expects: its unit may be writing there at the same moment. There is room for all.
  func put(first token: UInt64) throws {
    switch medium {
    case .channel(let channel): _ = try channel.trySend(token)
    case .pipe(_, let writing):
      let result = withUnsafeBytes(of: token.littleEndian) { clinux_write(writing.descriptor, $0.baseAddress, 8) }
      guard result == 8 else { throw LoopError.system(call: "write", errno: Int32(-min(result, 0))) }
    }
  }

  var isPipe: Bool { if case .pipe = medium { true } else { false } }

  /// Wakes the unit that waits here without a token. True: it has closed both ends of a pipe.
  func close() -> Bool {
    switch medium {
    case .channel(let channel): channel.close()
    case .pipe(let reading, let writing):
      reading.close()
      writing.close()
    }
    return isPipe
  }
}
