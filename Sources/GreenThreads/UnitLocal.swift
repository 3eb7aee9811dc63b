// Storage that belongs to a unit, in place of thread-local storage and task-local values: the former belongs to
// whichever thread runs the unit at the moment, the latter leak into other units when a unit waits.

/// A variable of which each unit has its own, beginning with `initial`. Freed when the unit ends.
public final class UnitLocal<Value>: @unchecked Sendable {
  // Unchecked: `initial` never changes, and each value is touched by its own unit only.
  private let initial: () -> Value

  public init(_ initial: @autoclosure @escaping @Sendable () -> Value) { self.initial = initial }

  public var value: Value {
    get { node.pointee.value }
    set { node.pointee.value = newValue }
  }

  private struct Typed {
    var header: LocalNode
    var value: Value
  }

  /// The current unit's value, made at first use. A list: units have few of them.
  private var node: UnsafeMutablePointer<Typed> {
    let unit = Unit.current()
    var rover = unit.pointee.locals
    while let node = rover {
      if node.pointee.key == ObjectIdentifier(self) {
        return UnsafeMutableRawPointer(node).assumingMemoryBound(to: Typed.self)
      }
      rover = node.pointee.next
    }
    // The node keeps its key alive, so that the identifier cannot come to mean another variable.
    let node = UnsafeMutablePointer<Typed>.allocate(capacity: 1)
    node.initialize(
      to: Typed(
        header: LocalNode(
          key: ObjectIdentifier(self), owner: self, next: unit.pointee.locals,
          destroy: { raw in
            let node = raw.assumingMemoryBound(to: Typed.self)
            node.deinitialize(count: 1)
            node.deallocate()
          }), value: initial()))
    unit.pointee.locals = UnsafeMutableRawPointer(node).assumingMemoryBound(to: LocalNode.self)
    return node
  }
}

@usableFromInline
struct LocalNode {
  let key: ObjectIdentifier
  let owner: AnyObject
  var next: UnsafeMutablePointer<LocalNode>?
  let destroy: (UnsafeMutableRawPointer) -> Void
}

extension UnsafeMutablePointer where Pointee == Unit {
  /// A destructor may use other variables of the unit, or make them: until none is left.
  func destroyLocals() {
    while let node = pointee.locals {
      pointee.locals = node.pointee.next
      node.pointee.destroy(node)
    }
  }
}
