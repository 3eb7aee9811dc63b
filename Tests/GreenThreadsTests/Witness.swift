// A value whose end can be seen, for results and locals that nobody holds.

import Synchronization

/// How many witnesses have begun and ended.
final class Lives: Sendable {
  let begun = Atomic(0)
  let ended = Atomic(0)

  var counts: [Int] { [begun.load(ordering: .sequentiallyConsistent), ended.load(ordering: .sequentiallyConsistent)] }
}

final class Witness: Sendable {
  private let lives: Lives

  init(_ lives: Lives) {
    self.lives = lives
    lives.begun.add(1, ordering: .sequentiallyConsistent)
  }
  deinit { lives.ended.add(1, ordering: .sequentiallyConsistent) }
}
