// A first-in first-out queue.

/// A queue on two arrays: one is filled, the other emptied, and they change places when the second runs out. Every
/// element moves once, so that both operations take constant time on average.
struct FIFO<Element> {
  private var filling: [Element] = []
  private var emptying: [Element] = []

  mutating func append(_ element: Element) { filling.append(element) }

  mutating func popFirst() -> Element? {
    if emptying.isEmpty {
      if filling.isEmpty { return nil }
      swap(&filling, &emptying)
      emptying.reverse()
    }
    return emptying.popLast()
  }
}
