// A bounded first-in first-out queue without a lock.

/// Room for `capacity` elements, allocated once. A class, so that what it holds is never copied.
final class Ring<Element> {
  let capacity: Int
  private(set) var count = 0
  private var first = 0
  private let elements: UnsafeMutablePointer<Element>

  init(capacity: Int) {
    precondition(capacity >= 1, "a ring has room for at least one element")
    self.capacity = capacity
    elements = .allocate(capacity: capacity)
  }

  deinit {
    while popFirst() != nil {}
    elements.deallocate()
  }

  var isEmpty: Bool { count == 0 }
  var isFull: Bool { count == capacity }

  /// - Precondition: there is room.
  func append(_ element: Element) {
    precondition(count < capacity, "a full ring takes nothing")
    let end = first + count
    (elements + (end < capacity ? end : end - capacity)).initialize(to: element)
    count += 1
  }

  func popFirst() -> Element? {
    guard count > 0 else { return nil }
    let element = (elements + first).move()
    first = first + 1 == capacity ? 0 : first + 1
    count -= 1
    return element
  }
}
