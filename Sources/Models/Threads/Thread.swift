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
    var attributes = StackAttributes(bytes: Self.stackBytes, guardBytes: Self.guardBytes)
    let start = Unmanaged.passRetained(Start(body))
    var handle = pthread_t()
    let error = attributes.create(&handle, start.toOpaque()) { argument in
      Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue().body()
      return nil
    }
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

/// How large the stacks of threads to be created are. Setting a `pthread_attr_t` up costs no system call, but a few
/// functions: those who create many threads keep one.
struct StackAttributes: ~Copyable {
  private var attributes = pthread_attr_t()

  init(bytes: Int, guardBytes: Int) {
    pthread_attr_init(&attributes)
    let page = sysconf(Int32(_SC_PAGESIZE))
    pthread_attr_setstacksize(
      &attributes, (max(bytes, Int(sysconf(Int32(_SC_THREAD_STACK_MIN)))) + page - 1) / page * page)
    pthread_attr_setguardsize(&attributes, guardBytes)
  }

  deinit {
    var attributes = attributes
    pthread_attr_destroy(&attributes)
  }

  /// Creates a thread; returns 0 or an error number.
  mutating func create(
    _ handle: inout pthread_t, _ argument: UnsafeMutableRawPointer?,
    _ body: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer?
  ) -> Int32 {
    pthread_create(&handle, &attributes, body, argument)
  }
}
