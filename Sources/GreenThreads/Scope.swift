// Structured concurrency: units that cannot outlive the block that started them.

import CContextSwitch
import Synchronization

/// A nursery. The first child that fails cancels its siblings and the scope's body, and its error is what
/// `withScope` throws.
public final class Scope: @unchecked Sendable {
  // Unchecked: everything below changes only under `lock`; the scope outlives its children because `withScope` waits.
  private let lock = SpinLock()
  private let owner: UnitPointer
  private nonisolated(unsafe) var firstChild: UnitPointer?
  private nonisolated(unsafe) var children = 0
  private nonisolated(unsafe) var hasEnded = false
  private nonisolated(unsafe) var isCancelled = false
  private nonisolated(unsafe) var ownerWaits = false
  private nonisolated(unsafe) var interruptsOwner = false
  private nonisolated(unsafe) var failure: (any Error)?

  /// The owner's when the scope began. Its present one is not for children to read: it waits for them shielded.
  private let deadline: UInt64

  fileprivate init(owner: UnitPointer) {
    self.owner = owner
    deadline = owner.pointee.deadline
  }

  /// Starts a child. Throws `SchedulerError.scopeEnded` after the scope's end, or `.unitsExhausted`.
  public func spawn(
    name: StaticString? = nil, stack: StackClass = .small, _ body: sending @escaping () throws -> Void
  ) throws(SchedulerError) {
    let parent = Unit.current()
    let worker = parent.pointee.worker
    let unit = try worker.makeUnit(stack)
    unit.pointee.deadline = min(parent.pointee.deadline, deadline)
    if let name { unit.setName(name) }
    unit.setBody(body)
    unit.pointee.joinWord.store(JoinWord.detached, ordering: .relaxed)
    let solo = worker.pointee.solo
    lock.lock(solo: solo)
    if hasEnded {
      lock.unlock(solo: solo)
      unit.dropBody()
      if gt_sanitizer() != 0 { gt_context_abandon(unit.contextPointer) }
      worker.recycle(unit)
      throw .scopeEnded
    }
    unit.pointee.scope = Unmanaged.passUnretained(self)
    unit.pointee.previousSibling = nil
    unit.pointee.nextSibling = firstChild
    firstChild?.pointee.previousSibling = unit
    firstChild = unit
    children += 1
    if isCancelled { unit.pointee.parkWord.store(Park.cancelled, ordering: .relaxed) }
    lock.unlock(solo: solo)
    worker.start(unit)
  }

  /// Asks all children, and those still to come, to stop.
  public func cancel() {
    let worker = Unit.current().pointee.worker
    let solo = worker.pointee.solo
    lock.lock(solo: solo)
    isCancelled = true
    cancelChildren(worker)
    lock.unlock(solo: solo)
  }

  /// With the lock held, so that no child ends meanwhile.
  private func cancelChildren(_ worker: WorkerPointer) {
    var rover = firstChild
    while let child = rover {
      rover = child.pointee.nextSibling
      if child.markCancelled() { worker.pushReady(child) }
    }
  }

  /// Called by the child as its last act but one.
  func childEnded(_ unit: UnitPointer) {
    let worker = unit.pointee.worker
    let solo = worker.pointee.solo
    let error = unit.pointee.error
    lock.lock(solo: solo)
    let next = unit.pointee.nextSibling
    let previous = unit.pointee.previousSibling
    next?.pointee.previousSibling = previous
    if let previous { previous.pointee.nextSibling = next } else { firstChild = next }
    children -= 1
    var wakesOwner = false
    if let error, failure == nil, !(error is CancellationError && isCancelled) {
      failure = error
      isCancelled = true
      cancelChildren(worker)
      // The body too, if it still runs: its waits throw until the scope ends.
      if !hasEnded {
        interruptsOwner = true
        wakesOwner = owner.interrupt()
      }
    }
    if children == 0, ownerWaits {
      ownerWaits = false
      wakesOwner = owner.claim(.event, solo: solo)
    }
    let owner = owner
    lock.unlock(solo: solo)
    // From here on the scope may be gone.
    if wakesOwner { worker.makeReady(owner) }
  }

  fileprivate func end(bodyFailed: Bool) {
    let solo = owner.pointee.worker.pointee.solo
    lock.lock(solo: solo)
    hasEnded = true
    if interruptsOwner { owner.takeBackInterruption() }
    if bodyFailed {
      isCancelled = true
      cancelChildren(owner.pointee.worker)
    }
    lock.unlock(solo: solo)
    shielded {
      while true {
        lock.lock(solo: solo)
        if children == 0 {
          lock.unlock(solo: solo)
          break
        }
        _ = owner.prepareToPark(solo: solo)
        ownerWaits = true
        lock.unlock(solo: solo)
        _ = owner.park(for: "the children of its scope")
      }
    }
  }

  fileprivate var takenFailure: (any Error)? { failure }
}

/// Runs `body` with a scope for children, and returns when `body` and all children have ended.
///
/// Throws what `body` throws, after its children were cancelled; or what the first child to fail threw. `timeout`, if
/// given, holds for every wait of the body and of the children.
public func withScope<T>(timeout: Duration? = nil, _ body: (Scope) throws -> T) throws -> T {
  let unit = Unit.current()
  let outer = unit.pointee.deadline
  if timeout != nil { unit.pointee.deadline = min(outer, unit.deadline(after: timeout)) }
  let scope = Scope(owner: unit)
  let result = Result { try body(scope) }
  var bodyFailed = false
  if case .failure = result { bodyFailed = true }
  scope.end(bodyFailed: bodyFailed)
  unit.pointee.deadline = outer
  if let failure = scope.takenFailure { throw failure }
  return try result.get()
}
