// spawn-tree: trees of units, ten wide. What does it cost to create a unit, run it and join it? The oracle is in
// SpawnTree+Oracle.swift.

extension Workload {
  public static let spawnTree = Workload(
    name: "spawn-tree",
    question: "What does it cost to create a unit, run it and join it?",
    contract: """
      Trees of units, one tree after another. A tree's root covers the leaves 0 ..< `leaves`. A unit that covers more
      than one leaf starts ten units, each of which covers a tenth of its leaves in order, waits until all ten have
      finished, and returns the sum of their values; a unit that covers one leaf returns the leaf's number. Every node
      is a unit of its own, the root and each leaf included, and counts itself. The edges of the window lie between
      trees. Gated: no child returns before all ten children of its parent have started.
      """,
    operation: "unit created, run and joined",
    isServed: false,
    parameters: [
      Parameter("leaves", .power(of: 10, 10...1_000_000), default: .integer(1_000), "leaves of a tree, ten to a node")
    ],
    variants: [],
    rules: SpawnTree.Rule.allCases.map { ($0.rawValue, $0.meaning) },
    cases: [
      Case(
        name: "spawn-tree/1k", changes: [:], presets: [.quick, .standard, .full],
        headlines: ["throughput", "cpuPerOperation"]),
      Case(
        name: "spawn-tree/10k", changes: ["leaves": .integer(10_000)], presets: [.full],
        headlines: ["throughput", "cpuPerOperation"]),
      Case(
        name: "spawn-tree/100k", changes: ["leaves": .integer(100_000)], presets: [.full],
        headlines: ["throughput", "cpuPerOperation"]),
      Case(
        name: "spawn-tree/1M", changes: ["leaves": .integer(1_000_000)], presets: [.full],
        headlines: ["throughput", "cpuPerOperation"]),
    ],
    checks: [
      Check(
        name: "spawn-tree/check-small",
        purpose: "trees of three levels, one after another: each starts, joins and counts every unit anew",
        changes: ["leaves": .integer(100)], operations: 222, isGated: false),
      Check(
        name: "spawn-tree/check-deep",
        purpose: "a tree of 1,111 units, all of which may exist at once",
        changes: ["leaves": .integer(1_000)], operations: 1_111, isGated: false),
      Check(
        name: "spawn-tree/check-gated",
        purpose: "no child returns before its siblings have started: children run inline deadlock, or are counted",
        changes: ["leaves": .integer(100)], operations: 111, isGated: true),
    ],
    judge: { SpawnTree.judge($0) }
  )
}

/// The contract of spawn-tree: parameters, the tree's arithmetic, rules.
public enum SpawnTree {
  /// Children of an inner unit.
  public static let width = 10

  /// spawn-tree's parameters, checked and typed.
  public struct Parameters: Sendable, Hashable {
    /// A power of ten, at least ten.
    public let leaves: Int

    /// Units of a tree: leaves, inner units and root.
    public var units: Int { (width * leaves - 1) / (width - 1) }
    /// Units of a tree that have children, the root included.
    public var innerUnits: Int { units - leaves }
    /// The value that the root returns: 0 + 1 + ... + (leaves - 1).
    public var sum: Int { leaves * (leaves - 1) / 2 }

    /// - Parameter changes: values by name; what is missing takes its default.
    /// - Throws: ``ParameterError`` for an unknown name or a value out of range.
    public init(_ changes: [String: ParameterValue]) throws(ParameterError) {
      leaves = try TypedValues(.spawnTree, changes).integer("leaves")
    }
  }
}
