// spawn-tree with threads. Idiom: a thread for every node, created and joined by its parent.
//
// A node is a record in its parent's frame, which stays until the child has been joined, and the child writes its result
// there: nothing is allocated, nothing is locked. What is left is pthread_create and pthread_join. Stacks are so small
// that those of a tree of a thousand leaves fit the C library's cache of stacks (40 MiB), and are not mapped anew.

import CLinux
import Glibc
import ModelKit
import Workloads

/// What a unit hands over when it is joined: its value, and the counts of itself and of all below it.
private struct Tally {
  var value: UInt64 = 0
  var started = 0
  var finished = 0
  var gatesOpened = 0
  var returnedEarly = 0
  /// The error number with which creating a thread failed, 0 if none did.
  var error: Int32 = 0

  mutating func add(_ child: Tally) {
    value &+= child.value
    started += child.started
    finished += child.finished
    gatesOpened += child.gatesOpened
    returnedEarly += child.returnedEarly
    if error == 0 { error = child.error }
  }
}

/// A unit. Written by its parent before the thread is created, by its thread until it ends, then read by its parent.
private struct Node {
  let firstLeaf: Int
  let leaves: Int
  let isGated: Bool
  /// Gated: where the unit waits for its siblings. The parent keeps it.
  let gate: Unmanaged<Gate>?
  var tally = Tally()

  init(firstLeaf: Int, leaves: Int, isGated: Bool, gate: Gate? = nil) {
    self.firstLeaf = firstLeaf
    self.leaves = leaves
    self.isGated = isGated
    self.gate = gate.map(Unmanaged.passUnretained)
  }

  /// Starts the node's thread: from then on the node is the thread's, until it is joined. Returns 0 or an error number.
  static func start(
    _ node: UnsafeMutablePointer<Node>, _ thread: inout pthread_t, _ attributes: inout StackAttributes
  ) -> Int32 {
    attributes.create(&thread, node, runNode)
  }

  /// The unit's thread.
  static func run(_ node: UnsafeMutablePointer<Node>) {
    node.pointee.tally.started += 1
    if let gate = node.pointee.gate {
      let isLast = gate._withUnsafeGuaranteedRef { $0.arriveAndWait() }
      if isLast { node.pointee.tally.gatesOpened += 1 }
    }
    if node.pointee.leaves == 1 {
      node.pointee.tally.value = UInt64(node.pointee.firstLeaf)
    } else {
      spawn(node)
    }
    if let gate = node.pointee.gate, !gate._withUnsafeGuaranteedRef({ $0.isOpen }) {
      node.pointee.tally.returnedEarly += 1
    }
    node.pointee.tally.finished += 1
  }

  private static func spawn(_ node: UnsafeMutablePointer<Node>) {
    let leaves = node.pointee.leaves / SpawnTree.width
    let isGated = node.pointee.isGated
    let gate = isGated ? Gate(SpawnTree.width) : nil
    var attributes = StackAttributes(bytes: ThreadGroup.stackBytes, guardBytes: ThreadGroup.guardBytes)
    withUnsafeTemporaryAllocation(of: Node.self, capacity: SpawnTree.width) { children in
      withUnsafeTemporaryAllocation(of: pthread_t.self, capacity: SpawnTree.width) { threads in
        threads.initialize(repeating: pthread_t())
        var started = 0
        for index in 0..<SpawnTree.width {
          children.initializeElement(
            at: index,
            to: Node(firstLeaf: node.pointee.firstLeaf + index * leaves, leaves: leaves, isGated: isGated, gate: gate))
          let error = start(children.baseAddress! + index, &threads[index], &attributes)
          guard error == 0 else {
            node.pointee.tally.error = error
            gate?.giveUp()
            break
          }
          started += 1
        }
        for index in 0..<started {
          pthread_join(threads[index], nil)
          node.pointee.tally.add(children[index].tally)
        }
      }
    }
    withExtendedLifetime(gate) {}
  }

  /// Builds a tree: starts its root and joins it.
  static func tree(of leaves: Int, isGated: Bool) -> Tally {
    var root = Node(firstLeaf: 0, leaves: leaves, isGated: isGated)
    return withUnsafeMutablePointer(to: &root) { root in
      var thread = pthread_t()
      var attributes = StackAttributes(bytes: ThreadGroup.stackBytes, guardBytes: ThreadGroup.guardBytes)
      let error = start(root, &thread, &attributes)
      if error == 0 { pthread_join(thread, nil) } else { root.pointee.tally.error = error }
      return root.pointee.tally
    }
  }
}

private func runNode(_ node: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  Node.run(node!.assumingMemoryBound(to: Node.self))
  return nil
}

enum SpawnTreeForest {
  /// Runs one trial.
  static func run(_ session: Session) throws {
    let parameters = try session.parameters(SpawnTree.Parameters.init)
    let isGated = session.isGated
    try session.ready()
    let window = try session.awaitBegin()
    try Limits.admit(threads: parameters.units)
    var total = Tally()
    var trees = 0
    var ledger: Ledger {
      [
        "treesFinished": trees, "unitsStarted": total.started, "unitsFinished": total.finished,
        "checksum": Int(truncatingIfNeeded: total.value), "gatesOpened": total.gatesOpened,
        "returnedEarly": total.returnedEarly,
      ]
    }
    /// Builds trees until that moment, or until the harness wants something.
    func grow(until moment: UInt64, atLeast least: Int) throws {
      let enough = trees + least
      while trees < enough || monotonicNanoseconds() < moment {
        if clinux_wait_readable(session.inputDescriptor, 0) == 1 { return }
        let tally = Node.tree(of: parameters.leaves, isGated: isGated)
        total.add(tally)
        if tally.error != 0 {
          throw ModelFailure(
            .limit, "creating a thread beside \(tally.started) others failed: \(describe(errno: Int(tally.error)))",
            reached: tally.started)
        }
        trees += 1
      }
    }

    try grow(until: window.opens, atLeast: 0)
    try session.report(.open, ledger: ledger)
    let atOpen = total.finished
    try grow(until: window.closes, atLeast: 1)
    let operations = total.finished - atOpen
    try session.report(.close, ledger: ledger)
    switch try session.nextEvent() {
    case .drain, .end: break
    case .begin, .edge: throw ModelFailure(.failed, "the command 'begin' came twice")
    }
    try session.finish(ledger: ledger, result: InProcessResult(operations: operations))
  }
}
