// The backend's half of a trial.

import CLinux
import Glibc
import Workloads

extension Trial where Load: ~Copyable {
  mutating func acceptAll() throws(RigFailure) {
    while let descriptor = try listener.accept() {
      guard let slot = backend.accept(descriptor) else {
        clinux_close(descriptor)
        continue
      }
      try poller.add(connection: descriptor, Token(.backend, slot: slot))
    }
  }

  mutating func backendEvent(_ slot: Int, _ readiness: Readiness) throws(RigFailure) {
    guard backend.records[slot].descriptor >= 0 else { return }
    if readiness.isReadable { backend.records[slot].inbox.isReadable = true }
    if readiness.isHangup { backend.records[slot].inbox.isHangup = true }
    if backend.records[slot].state == .ready {
      readSubRequest(slot, isOverlapping: false)
    } else if backend.records[slot].unsentBytes > 0 && readiness.isWritable {
      writeReply(slot, at: clinux_monotonic_ns())
    }
    // Nobody waits for the reply any more. The sub-request may have come in the same event.
    if readiness.isHangup && backend.records[slot].state == .owing { closeBackend(slot) }
  }

  private mutating func closeBackend(_ slot: Int) {
    // A reply that was withheld is in no queue.
    if load.abandon(slot) { backend.records[slot].state = .ready }
    backend.close(slot)
  }

  /// Takes the next sub-request off a connection that owes nothing.
  /// - Parameter isOverlapping: whether it had come before the last was answered.
  private mutating func readSubRequest(_ slot: Int, isOverlapping: Bool) {
    switch subRequests.next(backend.records[slot].descriptor, &backend.records[slot].inbox) {
    case .frame(let frame):
      guard load.acceptsSubRequest(frame) else { return backend.close(slot) }
      if isOverlapping { load.countOverlap() }
      let client = clients.slot(of: load.requestId(frame))
      let disposition = load.subRequest(frame, on: slot, of: client, at: now)
      backend.records[slot].state = .owing
      if disposition.isProgress { lastProgress = max(lastProgress, now + (disposition.delay ?? 0)) }
      if let delay = disposition.delay {
        backend.owe(slot, due: now + delay)
      } else {
        sendReleased()
      }
    case .partial(let prefix):
      if !load.acceptsSubRequest(prefix) { backend.close(slot) }
    case .closed:
      backend.close(slot)
    }
  }

  /// Queues the replies that are withheld no more.
  mutating func sendReleased() {
    while let (slot, delay) = load.nextReleased() {
      backend.owe(slot, due: now + delay)
      lastProgress = max(lastProgress, now + delay)
    }
  }

  /// Sends what is due, all in one go: the first send may have to wake the model, and the others then find it awake.
  mutating func sendReplies() throws(RigFailure) {
    didWork = true
    for _ in 0..<Self.sendBatch {
      guard backend.queue.firstDue <= now else { return }
      let slot = backend.queue.pop()
      guard backend.records[slot].state == .owing else {
        backend.recycle(slot)
        continue
      }
      let time = clinux_monotonic_ns()
      if let client = load.client(of: slot), clients.records[client].isRecorded {
        measurements.recordBackendLateness(time - backend.records[slot].due)
      }
      backend.records[slot].unsentBytes = load.replyFrame(on: slot).count
      writeReply(slot, at: time)
    }
  }

  private mutating func writeReply(_ slot: Int, at time: UInt64) {
    let frame = load.replyFrame(on: slot)
    let unsent = backend.records[slot].unsentBytes
    let length = clinux_send(
      backend.records[slot].descriptor, frame.baseAddress! + (frame.count - unsent), unsent, 0)
    if length == unsent {
      backend.records[slot].unsentBytes = 0
      backend.records[slot].state = .ready
      load.replied(on: slot, at: time)
      if backend.records[slot].inbox.hasMore { readSubRequest(slot, isOverlapping: true) }
    } else if length >= 0 {
      backend.records[slot].unsentBytes = unsent - length
    } else if length != -Int(EAGAIN) && length != -Int(EINTR) {
      backend.close(slot)
    }
  }
}
