// spawn-tree with Dispatch. Idiom: a unit is a block on a serial queue; who waits for its children is a count of those that
// are missing, and the last of them goes on with the parent's continuation.
//
// The first levels of a tree are dealt out to the workers' queues until there are some sixteen subtrees for each; a
// subtree then stays where its root is. So a block is put into a queue that has a thread already, by that thread, and
// hardly a cache line changes hands. A concurrent queue would balance better, but all workers take their blocks out of
// its one head: with the global queue a unit took 371 ns of CPU in place of 287.

import Dispatch
import ModelKit
import Synchronization
import Workloads

/// What the units that run on one queue count. Relaxed single-writer counts: nobody waits for them.
private final class SpawnCounts: Sendable {
  let unitsStarted = Atomic(0)
  let unitsFinished = Atomic(0)
  let gatesOpened = Atomic(0)
  let returnedEarly = Atomic(0)
  /// Keeps the counts of two queues out of one cache line.
  private let padding = InlineArray<16, Int>(repeating: 0)
}

/// An inner unit while it waits for its children. Sendable because each child writes a value of its own before it counts
/// itself down, which releases; the last, which acquires, goes on alone.
private final class Node: @unchecked Sendable {
  let parent: Node?
  /// Which of the parent's children it is.
  let index: Int
  let firstLeaf: Int
  let leavesPerChild: Int
  let values: UnsafeMutablePointer<Int>
  private let missing = Atomic(SpawnTree.width)
  /// Gated: a latch for the children.
  let gate: DispatchGroup?
  private let arrived = Atomic(0)

  init(_ parent: Node?, index: Int, firstLeaf: Int, leaves: Int, isGated: Bool) {
    self.parent = parent
    self.index = index
    self.firstLeaf = firstLeaf
    leavesPerChild = leaves / SpawnTree.width
    values = .allocate(capacity: SpawnTree.width)
    values.initialize(repeating: 0, count: SpawnTree.width)
    gate = isGated ? DispatchGroup() : nil
    for _ in 0..<SpawnTree.width { gate?.enter() }
  }

  deinit { values.deallocate() }

  /// Takes over a child's value. The sum of all, once the last has come.
  func finish(_ child: Int, value: Int) -> Int? {
    values[child] = value
    guard missing.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 else { return nil }
    return (0..<SpawnTree.width).reduce(0) { $0 + values[$1] }
  }

  /// Whether it is the last to come.
  func arrive() -> Bool { arrived.add(1, ordering: .relaxed).newValue == SpawnTree.width }
  var haveAllArrived: Bool { arrived.load(ordering: .relaxed) == SpawnTree.width }
}

/// The trees, one after another. Sendable because what is mutable belongs to whoever ends a tree, between two trees.
final class SpawnForest: @unchecked Sendable {
  private let leaves: Int
  private let isGated: Bool
  private let lanes: [DispatchQueue]
  private let counts: [SpawnCounts]
  private let input: InputWatch
  private let rest = DispatchSemaphore(value: 0)
  /// No tree begins at this moment or later.
  private var boundary: UInt64 = 0
  private var treesFinished = 0
  private var checksum = 0

  /// Runs one trial. The edges are reported while no tree is under way.
  static func grow(_ session: Session) throws {
    let parameters = try session.parameters(SpawnTree.Parameters.init)
    // A block with its closure, and the continuation that Dispatch keeps it in: 200 bytes, and a node for ten of them.
    try Limits.admit(units: parameters.units, bytes: 256 * parameters.units)
    try session.ready()
    let window = try session.awaitBegin()
    let forest = SpawnForest(
      parameters, isGated: session.isGated, workers: session.request.workers, input: session.inputDescriptor)
    var operations = 0
    if window.opens > monotonicNanoseconds() { forest.growTrees(until: window.opens) }
    if !forest.input.hasInput {
      operations = -forest.units
      try session.report(.open, ledger: forest.ledger)
      forest.growTrees(until: window.closes)
      operations += forest.units
    }
    forest.input.stop()
    if operations > 0 { try session.report(.close, ledger: forest.ledger) }
    if case .begin = try session.nextEvent() { throw ModelFailure(.failed, "the command 'begin' came twice") }
    forest.lanes.settle()
    try session.finish(ledger: forest.ledger, result: InProcessResult(operations: operations))
  }

  private init(_ parameters: SpawnTree.Parameters, isGated: Bool, workers: Int, input: Int32) {
    leaves = parameters.leaves
    self.isGated = isGated
    lanes = makeLanes(workers)
    counts = lanes.map { _ in SpawnCounts() }
    self.input = InputWatch(input)
  }

  /// At least one tree, then more until that moment, or until the harness wants something.
  private func growTrees(until boundary: UInt64) {
    self.boundary = boundary
    growTree(on: 0)
    rest.wait()
  }

  private func growTree(on lane: Int) {
    lanes[lane].async { [self] in begin(nil, index: 0, firstLeaf: 0, leaves: leaves, lane: lane) }
  }

  /// A unit's block.
  private func begin(_ parent: Node?, index: Int, firstLeaf: Int, leaves: Int, lane: Int) {
    counts[lane].unitsStarted.countAlone()
    guard let parent, let gate = parent.gate else {
      return work(parent, index: index, firstLeaf: firstLeaf, leaves: leaves, lane: lane)
    }
    if parent.arrive() { counts[lane].gatesOpened.countAlone() }
    gate.leave()
    gate.notify(queue: lanes[lane]) { [self] in
      work(parent, index: index, firstLeaf: firstLeaf, leaves: leaves, lane: lane)
    }
  }

  private func work(_ parent: Node?, index: Int, firstLeaf: Int, leaves: Int, lane: Int) {
    if leaves == 1 { return end(parent, index: index, value: firstLeaf, lane: lane) }
    let node = Node(parent, index: index, firstLeaf: firstLeaf, leaves: leaves, isGated: isGated)
    let siblings = self.leaves / node.leavesPerChild
    let isDealt = siblings <= 16 * lanes.count
    // A million blocks that each count a reference to the forest would keep all lanes waiting for one cache line.
    let forest = Unmanaged.passUnretained(self)
    for child in 0..<SpawnTree.width {
      let first = firstLeaf + child * node.leavesPerChild
      let target = isDealt ? first / node.leavesPerChild % lanes.count : lane
      lanes[target].async {
        forest._withUnsafeGuaranteedRef {
          $0.begin(node, index: child, firstLeaf: first, leaves: node.leavesPerChild, lane: target)
        }
      }
    }
  }

  /// A unit's end, and that of each above it whose last child has ended with it: their continuations run here.
  private func end(_ parent: Node?, index: Int, value: Int, lane: Int) {
    var (parent, index, value) = (parent, index, value)
    while true {
      if let gated = parent, isGated, !gated.haveAllArrived { counts[lane].returnedEarly.countAlone() }
      counts[lane].unitsFinished.countAlone()
      guard let node = parent else { return join(value, on: lane) }
      guard let sum = node.finish(index, value: value) else { return }
      (parent, index, value) = (node.parent, node.index, sum)
    }
  }

  /// The root's value. Nobody else is at work; the next tree begins on the lane that is awake.
  private func join(_ value: Int, on lane: Int) {
    treesFinished += 1
    checksum &+= value
    if monotonicNanoseconds() >= boundary || input.hasInput {
      rest.signal()
    } else {
      growTree(on: lane)
    }
  }

  private var units: Int { counts.reduce(0) { $0 + $1.unitsFinished.value } }

  private var ledger: Ledger {
    [
      "treesFinished": treesFinished, "unitsStarted": counts.reduce(0) { $0 + $1.unitsStarted.value },
      "unitsFinished": units, "checksum": checksum,
      "gatesOpened": counts.reduce(0) { $0 + $1.gatesOpened.value },
      "returnedEarly": counts.reduce(0) { $0 + $1.returnedEarly.value },
    ]
  }
}
