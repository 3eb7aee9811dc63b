// Counts that many units write at once: a row for each, on cache lines of its own.

import Synchronization

/// Rows of counts. Each row starts on a cache line of its own, two lines apart since processors fetch lines in pairs,
/// so that units on different workers do not slow each other down by counting.
///
/// Sendable because what a row holds is atomic; the rows themselves never move.
final class Rows<Row: ~Copyable>: @unchecked Sendable {
  let count: Int
  private let base: UnsafeMutableRawPointer
  private let stride = (MemoryLayout<Row>.stride + 127) & ~127

  init(count: Int, _ make: (Int) throws -> Row) rethrows {
    self.count = count
    base = .allocate(byteCount: max(count, 1) * stride, alignment: 128)
    for index in 0..<count {
      (base + index * stride).bindMemory(to: Row.self, capacity: 1).initialize(to: try make(index))
    }
  }

  deinit {
    for index in 0..<count { self[index].deinitialize(count: 1) }
    base.deallocate()
  }

  subscript(index: Int) -> UnsafeMutablePointer<Row> {
    precondition(index < count, "row \(index) of \(count)")
    return (base + index * stride).assumingMemoryBound(to: Row.self)
  }

  /// The sum of what `value` reads in each row, modulo 2^64.
  func sum(_ value: (borrowing Row) -> Int) -> Int {
    var sum = 0
    for index in 0..<count { sum &+= value(self[index].pointee) }
    return sum
  }
}

extension Atomic<Int> {
  /// By the only unit that writes it: no locked instruction. Relaxed, as in `count`.
  borrowing func grow(by n: Int = 1) { store(load(ordering: .relaxed) &+ n, ordering: .relaxed) }

  /// Adds to a checksum, modulo 2^64; by its only writer too.
  borrowing func grow(by value: UInt64) { grow(by: Int(truncatingIfNeeded: value)) }
}
