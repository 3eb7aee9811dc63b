// spawn-tree with async/await. Idiom: children are `async let`, ten to a node; the await of their sum joins them.
//
// A child of `async let` lives in its parent's frame, and a leaf, which waits for nothing, is a synchronous function that
// needs no frame of its own. That leaves 1.2 allocations a unit, the closure and for every tenth a slab of frames; with
// leaves that might have waited it was 2.2, and 435 to 510 ns a unit instead of 370 to 440.
//
// A task starts on the loop of its parent and nothing is stolen, so the tree spreads itself: at the first level, or at the
// second where ten children cannot be dealt out evenly, each node goes over to a loop of its own and its children stay
// there.

import EventLoop
import ModelKit
import Synchronization
import Workloads

func runSpawnTree(_ session: Session) throws {
  let parameters = try session.parameters(SpawnTree.Parameters.init)
  try Limits.admit(units: parameters.units, bytes: parameters.units * Tree.bytesPerUnit)
  try Conductor.run(session, loops: session.request.workers) { conductor in
    let window = try await conductor.begin()
    let tree = Tree(parameters, isGated: session.isGated)
    try await tree.grow(window, conductor)
  }
}

final class Tree: Sendable {
  /// What a waiting unit takes of the heap: a task and its frames, rounded up.
  static let bytesPerUnit = 1_024

  /// A loop and what the nodes on it have counted.
  private final class Grove: Sendable {
    let loop: EventLoop
    let started = Tally()
    let finished = Tally()

    init(_ loop: EventLoop) { self.loop = loop }
  }

  /// The ten children of a node wait here until all of them have started.
  private final class Gate: Sendable {
    let arrived = Atomic(0)
    let isOpen = AsyncSemaphore(0)
  }

  private let parameters: SpawnTree.Parameters
  private let isGated: Bool
  private let groves: [Grove]
  /// The level whose nodes go to the loops in turn; the root's is 0.
  private let spreadLevel: Int
  // Nodes above that level may end on another loop than they began on, so that these have many writers.
  private let started = Atomic(0)
  private let finished = Atomic(0)
  private let gatesOpened = Atomic(0)
  private let returnedEarly = Atomic(0)

  init(_ parameters: SpawnTree.Parameters, isGated: Bool) {
    self.parameters = parameters
    self.isGated = isGated
    groves = EventLoops.all.map { Grove($0) }
    spreadLevel = SpawnTree.width % groves.count == 0 ? 1 : 2
  }

  /// Tree after tree, from the moment of `begin`; the edges lie between trees.
  func grow(_ window: Window, _ conductor: Conductor) async throws {
    let session = conductor.session
    var trees = 0
    var sum = 0
    var atOpen: Int?
    var operations = 0
    while try conductor.arrived() == nil {
      let now = monotonicNanoseconds()
      if let atOpen, trees > atOpen, now >= window.closes {
        operations = (trees - atOpen) * parameters.units
        try session.report(.close, ledger: ledger(trees, sum))
        try await conductor.awaitDrain()
        break
      }
      if atOpen == nil, now >= window.opens {
        atOpen = trees
        try session.report(.open, ledger: ledger(trees, sum))
      }
      async let root = node(0, parameters.leaves, level: 0, nil, nil)
      sum &+= await root
      trees += 1
    }
    try conductor.finish(ledger(trees, sum), InProcessResult(operations: operations))
  }

  /// A unit that waits for others, or for its gate. It is on a loop of its own from the level on at which the tree
  /// spreads; above, where it has no grove, it goes on wherever the last of its children ends.
  private func node(_ first: Int, _ leaves: Int, level: Int, _ grove: Grove?, _ gate: Gate?) async -> Int {
    if level == spreadLevel { await grove?.loop.enter() }
    if let grove { grove.started.count() } else { started.count() }
    if let gate { await pass(gate) }
    let value =
      switch leaves {
      case 1: first
      case SpawnTree.width where !isGated: await sumOfLeaves(first, grove)
      default: await sumOfNodes(first, leaves / SpawnTree.width, level: level + 1, grove)
      }
    if let gate, gate.arrived.value < SpawnTree.width { returnedEarly.count() }
    if let grove { grove.finished.count() } else { finished.count() }
    return value
  }

  /// A unit that waits for nothing. Being synchronous it needs no frame, so that its task needs no memory of its own.
  private func leaf(_ number: Int, _ grove: Grove?) -> Int {
    if let grove { grove.started.count() } else { started.count() }
    defer { if let grove { grove.finished.count() } else { finished.count() } }
    return number
  }

  // Both have frames with room for ten tasks, which a leaf is not to carry. And both add up one by one: an expression of
  // ten awaits takes the compiler longer than the tree takes to grow.

  /// Ten units of `each` leaves, and their sum.
  @inline(never)
  private func sumOfNodes(_ first: Int, _ each: Int, level: Int, _ grove: Grove?) async -> Int {
    let gate = isGated ? Gate() : nil
    func home(_ child: Int) -> Grove? {
      level == spreadLevel ? groves[(first / each + child) % groves.count] : grove
    }
    async let a = node(first, each, level: level, home(0), gate)
    async let b = node(first + each, each, level: level, home(1), gate)
    async let c = node(first + 2 * each, each, level: level, home(2), gate)
    async let d = node(first + 3 * each, each, level: level, home(3), gate)
    async let e = node(first + 4 * each, each, level: level, home(4), gate)
    async let f = node(first + 5 * each, each, level: level, home(5), gate)
    async let g = node(first + 6 * each, each, level: level, home(6), gate)
    async let h = node(first + 7 * each, each, level: level, home(7), gate)
    async let i = node(first + 8 * each, each, level: level, home(8), gate)
    async let j = node(first + 9 * each, each, level: level, home(9), gate)
    var sum = await a
    sum += await b
    sum += await c
    sum += await d
    sum += await e
    sum += await f
    sum += await g
    sum += await h
    sum += await i
    sum += await j
    return sum
  }

  /// Ten leaves, and their sum.
  @inline(never)
  private func sumOfLeaves(_ first: Int, _ grove: Grove?) async -> Int {
    async let a = leaf(first, grove)
    async let b = leaf(first + 1, grove)
    async let c = leaf(first + 2, grove)
    async let d = leaf(first + 3, grove)
    async let e = leaf(first + 4, grove)
    async let f = leaf(first + 5, grove)
    async let g = leaf(first + 6, grove)
    async let h = leaf(first + 7, grove)
    async let i = leaf(first + 8, grove)
    async let j = leaf(first + 9, grove)
    var sum = await a
    sum += await b
    sum += await c
    sum += await d
    sum += await e
    sum += await f
    sum += await g
    sum += await h
    sum += await i
    sum += await j
    return sum
  }

  @inline(never)
  private func pass(_ gate: Gate) async {
    // Releasing and acquiring: the tenth opens the gate after all that the nine have done.
    guard gate.arrived.add(1, ordering: .acquiringAndReleasing).newValue == SpawnTree.width else {
      try? await gate.isOpen.acquire()
      return
    }
    gatesOpened.count()
    for _ in 1..<SpawnTree.width { gate.isOpen.release() }
  }

  private func ledger(_ trees: Int, _ sum: Int) -> Ledger {
    [
      "treesFinished": trees, "checksum": sum, "gatesOpened": gatesOpened.value, "returnedEarly": returnedEarly.value,
      "unitsStarted": started.value + groves.map(\.started).total,
      "unitsFinished": finished.value + groves.map(\.finished).total,
    ]
  }
}
