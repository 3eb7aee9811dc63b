// Counts that many threads write all the time.

import Synchronization

/// Rows of counters: one row for each writer, on cache lines of its own, so that nobody waits for a line that another
/// writes. `Count` names the columns by their raw values, from 0.
///
/// Sendable because every cell is atomic. A row has one writer, so that adding is a load and a store, without a locked
/// instruction; relaxed, for the counts order nothing: a reading at an edge need not balance, and the last one is taken
/// after every writer has been joined.
final class CountRows<Count: RawRepresentable<Int> & CaseIterable & Sendable>: @unchecked Sendable {
  private let cells: UnsafeMutablePointer<Atomic<Int>>
  /// Cells from one row to the next.
  private let stride: Int
  let rows: Int

  init(rows: Int) {
    self.rows = rows
    stride = (Count.allCases.count + 7) / 8 * 8
    cells = UnsafeMutableRawPointer.allocate(byteCount: max(1, rows * stride) * 8, alignment: 64)
      .bindMemory(to: Atomic<Int>.self, capacity: rows * stride)
    for cell in 0..<rows * stride { (cells + cell).initialize(to: Atomic(0)) }
  }

  deinit {
    cells.deinitialize(count: rows * stride)
    cells.deallocate()
  }

  /// One writer's row. It must not outlive the table.
  struct Row: @unchecked Sendable {
    fileprivate let cells: UnsafeMutablePointer<Atomic<Int>>

    @inline(__always)
    func add(_ count: Count, _ more: Int = 1) {
      let cell = cells + count.rawValue
      cell.pointee.store(cell.pointee.load(ordering: .relaxed) &+ more, ordering: .relaxed)
    }

    @inline(__always)
    subscript(_ count: Count) -> Int { (cells + count.rawValue).pointee.load(ordering: .relaxed) }
  }

  @inline(__always)
  subscript(_ row: Int) -> Row { Row(cells: cells + row * stride) }

  /// The sum over all rows, modulo 2^64.
  func sum(_ count: Count) -> Int {
    var sum = 0
    for row in 0..<rows { sum &+= self[row][count] }
    return sum
  }
}
