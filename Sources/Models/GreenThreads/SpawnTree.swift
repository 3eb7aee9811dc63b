// spawn-tree with green threads. Idiom: recursion, in which a call is `spawn` and a return is `joinNext`.
//
// A unit counts itself in a number of its own and hands it to its parent together with its value, through the result
// that lies in its own stack's first page: no counter is shared. A spawner goes on, and runs its newest children first
// once it waits, so a tree is walked depth first: however many leaves it has, about ten units a level are alive, and
// their stacks stay in the cache. A thief takes the oldest, the roots of the largest subtrees.

import GreenThreads
import ModelKit
import Synchronization
import Workloads

final class SpawnTreeTrial: @unchecked Sendable {
  // Unchecked: the totals are the root unit's alone.

  /// What a unit hands to its parent: the numbers of its leaves added up, and the counts of its whole subtree.
  private struct Outcome: Sendable {
    var sum = 0
    var started = 1
    var finished = 0

    mutating func add(_ other: Outcome) {
      sum &+= other.sum
      started += other.started
      finished += other.finished
    }
  }

  /// Of the ten children of one node in a gated check.
  private final class Gate: Sendable {
    let arrived = Atomic(0)
    let isOpen = WaitGroup()

    init() { isOpen.add(SpawnTree.width) }
  }

  private let parameters: SpawnTree.Parameters
  private let isGated: Bool
  private var treesFinished = 0
  private var totals = Outcome(started: 0)
  private let gatesOpened = Atomic(0)
  private let returnedEarly = Atomic(0)

  static func run(_ session: Session) throws {
    let parameters = try session.parameters(SpawnTree.Parameters.init)
    try Limits.admit(units: parameters.units, bytes: parameters.units * Session.bytesPerUnit)
    try session.ready()
    let window = try session.awaitBegin()
    try session.onUnits { try SpawnTreeTrial(parameters, isGated: session.isGated).run(session, window) }
  }

  private init(_ parameters: SpawnTree.Parameters, isGated: Bool) {
    self.parameters = parameters
    self.isGated = isGated
  }

  private func run(_ session: Session, _ window: Window) throws {
    var operations = 0
    if try grow(session, until: window.opens, atLeast: 0) {
      try session.report(.open, ledger: ledger)
      let treesAtOpen = treesFinished
      let isComplete = try grow(session, until: window.closes, atLeast: 1)
      operations = (treesFinished - treesAtOpen) * parameters.units
      if isComplete {
        try session.report(.close, ledger: ledger)
        try session.awaitDrain()
      }
    }
    try session.finish(ledger, InProcessResult(operations: operations))
  }

  /// Builds whole trees until that moment. False: the harness wants the model to drain, or has gone.
  private func grow(_ session: Session, until moment: UInt64, atLeast trees: Int) throws -> Bool {
    var left = trees
    while left > 0 || monotonicNanoseconds() < moment {
      totals.add(try spawn(name: "root") { try self.node(first: 0, leaves: self.parameters.leaves, gate: nil) }.join())
      treesFinished += 1
      left -= 1
      if try !session.isQuiet(until: 0) { return false }
    }
    return true
  }

  private func node(first: Int, leaves: Int, gate: Gate?) throws -> Outcome {
    var outcome = Outcome()
    if let gate { try pass(gate) }
    if leaves == 1 {
      outcome.sum = first
    } else {
      let share = leaves / SpawnTree.width
      let gate = isGated ? Gate() : nil
      var children = JoinSet<Outcome>()
      for child in 0..<SpawnTree.width {
        try children.spawn { try self.node(first: first + child * share, leaves: share, gate: gate) }
      }
      while let child = try children.joinNext() { outcome.add(child) }
    }
    if let gate, gate.arrived.value < SpawnTree.width { returnedEarly.count() }
    outcome.finished += 1
    return outcome
  }

  /// Waits until all ten have arrived.
  private func pass(_ gate: Gate) throws {
    if gate.arrived.add(1, ordering: .relaxed).newValue == SpawnTree.width { gatesOpened.count() }
    gate.isOpen.done()
    try gate.isOpen.wait()
  }

  private var ledger: Ledger {
    [
      "treesFinished": treesFinished, "unitsStarted": totals.started, "unitsFinished": totals.finished,
      "checksum": totals.sum, "gatesOpened": gatesOpened.value, "returnedEarly": returnedEarly.value,
    ]
  }
}
