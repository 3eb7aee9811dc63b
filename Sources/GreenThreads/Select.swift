// Waiting for several channels at once.

import Synchronization

/// One of the things that `select` may do.
public struct SelectCase {
  let operation: any SelectOperation

  /// Receives from `channel`, and hands the value to `body`: nil once the channel is closed and empty.
  public static func receive<T>(_ channel: Channel<T>, _ body: @escaping (T?) throws -> Void) -> SelectCase {
    SelectCase(operation: ReceiveOperation(channel, body))
  }

  /// Sends `value` to `channel`, then calls `body`. On a closed channel `select` throws `ChannelClosed`.
  public static func send<T>(
    _ value: T, to channel: Channel<T>, _ body: @escaping () throws -> Void = {}
  ) -> SelectCase {
    SelectCase(operation: SendOperation(channel, value, body))
  }
}

/// Does exactly one of `cases`, the first that can be done, beginning at a random one; waits if none can. Returns its
/// index. Throws what that case throws, `CancellationError`, or `DeadlineExceeded` after `timeout`.
@discardableResult
public func select(_ cases: SelectCase..., timeout: Duration? = nil) throws -> Int {
  try select(cases, timeout: timeout)
}

@discardableResult
public func select(_ cases: [SelectCase], timeout: Duration? = nil) throws -> Int {
  let unit = Unit.current()
  unit.pointee.worker.explore(unit)
  let end = unit.deadline(after: timeout)
  let operations = cases.map(\.operation)
  // All locks at once, in the order of their addresses, so that two selects cannot wait for each other; each once.
  let inOrder = operations.indices.sorted { operations[$0].address < operations[$1].address }
  let solo = unit.pointee.worker.pointee.solo
  func lockAll() {
    for (i, index) in inOrder.enumerated()
    where i == 0 || operations[inOrder[i - 1]].address != operations[index].address {
      operations[index].lock(solo: solo)
    }
  }
  func unlockAll() {
    for (i, index) in inOrder.enumerated()
    where i == 0 || operations[inOrder[i - 1]].address != operations[index].address {
      operations[index].unlock(solo: solo)
    }
  }

  let nodes = UnsafeMutablePointer<Waiter>.allocate(capacity: max(1, operations.count))
  defer { nodes.deallocate() }
  var choice = -1
  return try withUnsafeMutablePointer(to: &choice) { choice in
    while true {
      lockAll()
      let start = operations.isEmpty ? 0 : Int(unit.pointee.worker.pointee.random.next() % UInt64(operations.count))
      for i in operations.indices {
        let index = (start + i) % operations.count
        switch operations[index].attempt(solo: solo) {
        case .done(let partner):
          unlockAll()
          if let partner { unit.pointee.worker.makeReady(partner) }
          try operations[index].finish()
          return index
        case .closed:
          unlockAll()
          try operations[index].finishClosed()
          return index
        case .wait: continue
        }
      }
      guard unit.prepareToPark(solo: solo) else {
        unlockAll()
        throw CancellationError()
      }
      for (index, operation) in operations.enumerated() {
        (nodes + index).initialize(to: Waiter(unit: unit, payload: operation.cell))
        nodes[index].choice = index
        nodes[index].chosen = choice
        operation.enqueue(nodes + index)
      }
      unlockAll()
      let reason = unit.park(for: "a select", until: end)
      lockAll()
      for (index, operation) in operations.enumerated() where nodes[index].isLinked { operation.dequeue(nodes + index) }
      unlockAll()
      let chosen = choice.pointee
      if chosen >= 0 {
        try operations[chosen].finish()
        return chosen
      }
      if reason != .event { throw reason.error }
    }
  }
}

/// A case with its type erased. The cell holds the value that goes in or came out.
protocol SelectOperation: AnyObject {
  var address: UInt { get }
  var cell: UnsafeMutableRawPointer { get }
  func lock(solo: Bool)
  func unlock(solo: Bool)
  func attempt(solo: Bool) -> Transfer
  func enqueue(_ waiter: WaiterPointer)
  func dequeue(_ waiter: WaiterPointer)
  func finish() throws
  func finishClosed() throws
}

class ChannelOperation<T: Sendable> {
  let channel: Channel<T>
  let value: UnsafeMutablePointer<T?>

  init(_ channel: Channel<T>, _ value: T?) {
    self.channel = channel
    self.value = .allocate(capacity: 1)
    self.value.initialize(to: value)
  }

  deinit {
    value.deinitialize(count: 1)
    value.deallocate()
  }

  var address: UInt { UInt(bitPattern: channel.state) }
  var cell: UnsafeMutableRawPointer { UnsafeMutableRawPointer(value) }
  func lock(solo: Bool) { channel.state.pointee.lock.lock(solo: solo) }
  func unlock(solo: Bool) { channel.state.pointee.lock.unlock(solo: solo) }
}

private final class ReceiveOperation<T: Sendable>: ChannelOperation<T>, SelectOperation {
  let body: (T?) throws -> Void

  init(_ channel: Channel<T>, _ body: @escaping (T?) throws -> Void) {
    self.body = body
    super.init(channel, nil)
  }

  func attempt(solo: Bool) -> Transfer { channel.state.accept(value, solo: solo) }
  func enqueue(_ waiter: WaiterPointer) { channel.state.pointee.receivers.append(waiter) }
  func dequeue(_ waiter: WaiterPointer) { channel.state.pointee.receivers.remove(waiter) }
  func finish() throws { try body(value.pointee.take()) }
  func finishClosed() throws { try body(nil) }
}

private final class SendOperation<T: Sendable>: ChannelOperation<T>, SelectOperation {
  let body: () throws -> Void

  init(_ channel: Channel<T>, _ value: T, _ body: @escaping () throws -> Void) {
    self.body = body
    super.init(channel, value)
  }

  func attempt(solo: Bool) -> Transfer { channel.state.offer(value, solo: solo) }
  func enqueue(_ waiter: WaiterPointer) { channel.state.pointee.senders.append(waiter) }
  func dequeue(_ waiter: WaiterPointer) { channel.state.pointee.senders.remove(waiter) }
  func finish() throws { try body() }
  func finishClosed() throws { throw ChannelClosed() }
}
