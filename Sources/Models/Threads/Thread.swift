// A POSIX thread. Swift has no thread of its own below Foundation's.

import CLinux
import Glibc
import ModelKit
import Workloads

/// A joinable thread with a small stack.
struct Thread: Sendable {
  /// Address space rather than memory: only touched pages are backed. A frame's work stays on the heap, so that a
  /// thousand threads fit where a thousand of the default 8 MiB would meet limits on address space or overcommit.
  static let stackBytes = 256 << 10
  /// The lowest pages of the stack, which trap instead of letting an overflow run into the next stack.
  static let guardBytes = 16 << 10

  private let handle: pthread_t

  /// Starts a thread.
  /// - Parameter running: how many threads there are, for the failure.
  /// - Throws: ``ModelFailure`` of state `limit` if the system has no room for another.
  init(running: Int, _ body: @escaping @Sendable () -> Void) throws(ModelFailure) {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setstacksize(&attributes, Self.stackBytes)
    pthread_attr_setguardsize(&attributes, Self.guardBytes)
    let start = Unmanaged.passRetained(Start(body))
    var handle = pthread_t()
    let error = pthread_create(
      &handle, &attributes,
      { argument in
        Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue().body()
        return nil
      }, start.toOpaque())
    guard error == 0 else {
      start.release()
      throw ModelFailure(
        .limit, "creating a thread beside \(running) others failed: \(describe(errno: Int(error)))", reached: running)
    }
    self.handle = handle
  }

  func join() { pthread_join(handle, nil) }

  private final class Start: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
}
