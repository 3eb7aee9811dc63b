// The load generator's half of a trial.

import CLinux
import Glibc
import Workloads

extension Trial where Load: ~Copyable {
  /// Begins to connect to the model.
  mutating func connectClients() throws(RigFailure) {
    for slot in 0..<clients.count {
      let descriptor = clinux_connect_loopback(modelPort, 1)
      if descriptor < 0 { throw connectFailure(Int(descriptor)) }
      clients.records[slot].descriptor = descriptor
      clients.records[slot].state = .connecting
      try poller.add(connection: descriptor, Token(.client, slot: slot))
    }
  }

  private func connectFailure(_ code: Int) -> RigFailure {
    RigFailure("connecting to the model at 127.0.0.1:\(modelPort)", code: code)
  }

  mutating func clientEvent(_ slot: Int, _ readiness: Readiness) throws(RigFailure) {
    switch clients.records[slot].state {
    case .closed: return
    case .connecting:
      guard readiness.isWritable else { return }
      let error = clinux_socket_error(clients.records[slot].descriptor)
      if error != 0 { throw connectFailure(-Int(error)) }
      clients.establish(slot, at: now)
    case .idle, .awaiting, .halfClosed:
      if clients.records[slot].unsentBytes > 0 && readiness.isWritable { writeRequest(slot) }
    }
    if readiness.isReadable { clients.records[slot].inbox.isReadable = true }
    if readiness.isHangup { clients.records[slot].inbox.isHangup = true }
    try readAnswers(slot)
  }

  private mutating func readAnswers(_ slot: Int) throws(RigFailure) {
    var frames = 0
    while clients.records[slot].descriptor >= 0 {
      switch answers.next(clients.records[slot].descriptor, &clients.records[slot].inbox) {
      case .frame(let frame):
        guard load.acceptsAnswer(frame) else { return clients.close(slot) }
        take(frame, slot)
        frames += 1
        if frames == Self.answerBatch, clients.records[slot].descriptor >= 0 {
          return try poller.rearm(connection: clients.records[slot].descriptor, Token(.client, slot: slot))
        }
      case .partial(let prefix):
        if !load.acceptsAnswer(prefix) { clients.close(slot) }
        return
      case .closed:
        if clients.records[slot].state != .halfClosed { load.countLostClient() }
        return clients.close(slot)
      }
    }
  }

  /// Takes an answer.
  private mutating func take(_ frame: UnsafeRawBufferPointer, _ slot: Int) {
    switch clients.reference(load.answeredId(frame), on: slot) {
    case .outstanding:
      let sent = clients.records[slot].sent
      let added = load.answer(frame, on: slot, sent: sent, at: now)
      requestsAnswered += 1
      lastProgress = max(lastProgress, now)
      if plan.operations != nil || measurements.contains(now) { measurements.operations += 1 }
      if clients.records[slot].isRecorded {
        measurements.recordLatency(now - clients.records[slot].intended, class: load.latencyClass(on: slot))
        if let added { measurements.recordAdded(added) }
      }
      if clients.records[slot].unsentBytes == 0 {
        clients.finish(slot, at: now)
      } else {
        // Answered before it was written whole: the connection cannot carry another request.
        clients.finish(slot, at: now)
        clients.close(slot)
      }
    case .answered: load.countRepeatedAnswer()
    case .unknown: load.countUnknownAnswer()
    }
  }

  /// Sends the requests that are due, as far as there are idle connections for them. The schedule is only moved on by
  /// sending, so that those that must wait need no queue.
  mutating func sendRequests() throws(RigFailure) {
    for _ in 0..<Self.sendBatch {
      let time = clinux_monotonic_ns()
      guard let due = nextIntended, due <= time, time < endNanoseconds || schedule != nil, let slot = clients.begin()
      else { return }
      schedule?.advance()
      // In a closed loop a request is intended as soon as its connection is idle.
      let readyToSend = max(clients.records[slot].idleSince, startNanoseconds)
      let intended = schedule == nil ? readyToSend : due
      let isRecorded = plan.operations != nil || measurements.contains(schedule == nil ? time : due)
      clients.records[slot].intended = intended
      clients.records[slot].isRecorded = isRecorded
      clients.records[slot].sent = time
      requestsSent += 1
      if isRecorded {
        measurements.offered += 1
        measurements.recordSendLateness(time - max(intended, readyToSend))
      }
      // Only now can the model fail to do something about it.
      if clients.outstanding == 1 { lastProgress = max(lastProgress, time) }
      didWork = true
      load.begin(clients.records[slot].id, on: slot, at: time)
      clients.records[slot].unsentBytes = load.requestFrame(on: slot).count
      writeRequest(slot)
    }
  }

  private mutating func writeRequest(_ slot: Int) {
    let frame = load.requestFrame(on: slot)
    let unsent = clients.records[slot].unsentBytes
    let length = clinux_send(
      clients.records[slot].descriptor, frame.baseAddress! + (frame.count - unsent), unsent, 0)
    if length >= 0 {
      clients.records[slot].unsentBytes = unsent - length
    } else if length != -Int(EAGAIN) && length != -Int(EINTR) {
      load.countLostClient()
      clients.close(slot)
    }
  }
}
