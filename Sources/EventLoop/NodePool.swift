// Free nodes of one kind, kept for the next use: a task that waits needs a node for as long as it waits, and a pop
// from a list is a tenth of malloc and free. Each loop has its own pool, touched by its thread only; a node that is
// given back on another loop than it came from simply changes pools. What exceeds the limit goes back to the heap, so
// that a million sleeping tasks do not leave their nodes behind.

struct NodePool<Node: ~Copyable> {
  private static var limit: Int { 1024 }

  private var free: UnsafeMutableRawPointer?
  private var count = 0

  /// Uninitialised memory for a node, from this pool or the heap.
  @inline(__always)
  mutating func take() -> UnsafeMutablePointer<Node> {
    guard let first = free else { return .allocate(capacity: 1) }
    free = first.load(as: UnsafeMutableRawPointer?.self)
    count -= 1
    return first.assumingMemoryBound(to: Node.self)
  }

  /// Takes back deinitialised memory.
  @inline(__always)
  mutating func give(_ node: UnsafeMutablePointer<Node>) {
    guard count < Self.limit else { return node.deallocate() }
    let raw = UnsafeMutableRawPointer(node)
    raw.storeBytes(of: free, as: UnsafeMutableRawPointer?.self)
    free = raw
    count += 1
  }

  mutating func removeAll() {
    while let first = free {
      free = first.load(as: UnsafeMutableRawPointer?.self)
      first.assumingMemoryBound(to: Node.self).deallocate()
    }
    count = 0
  }
}
