// SIGINT and SIGTERM: the first stops the trial under way and lets the run end in order, the second ends the process.

import CLinux
import Foundation
import Glibc
import Synchronization

/// The descriptor that the signal handler writes to; a handler can reach nothing but globals, and may call nothing but
/// async-signal-safe functions such as write(2).
private let wakeDescriptor = Atomic<Int32>(-1)

/// Whether somebody wants the run to end, told to whoever waits.
public final class Interruption: Sendable {
  private struct State {
    var isRequested = false
    var listeners: [Int: @Sendable () -> Void] = [:]
    var nextListener = 0
  }
  private let state = Mutex(State())

  public init() {}

  public var isRequested: Bool { state.withLock { $0.isRequested } }

  /// Ends what listens, once. Tests call it in place of a signal.
  public func request() {
    let listeners = state.withLock { state in
      state.isRequested = true
      return Array(state.listeners.values)
    }
    for listener in listeners { listener() }
  }

  /// Calls `listener` when an interruption is requested, at once if it has been.
  /// - Returns: a token for ``stopListening(_:)``.
  func listen(_ listener: @escaping @Sendable () -> Void) -> Int {
    let (token, isRequested) = state.withLock { state in
      state.nextListener += 1
      state.listeners[state.nextListener] = listener
      return (state.nextListener, state.isRequested)
    }
    if isRequested { listener() }
    return token
  }

  func stopListening(_ token: Int) { state.withLock { _ = $0.listeners.removeValue(forKey: token) } }

  /// Takes over SIGINT and SIGTERM for the rest of the process's life.
  public func takeOverSignals() {
    var ends: [Int32] = [0, 0]
    // No child inherits it: Subprocess closes everything but the three standard descriptors.
    precondition(pipe(&ends) == 0, "a pipe for signals could not be made: \(systemMessage(errno))")
    let readEnd = ends[0]
    // Sequentially consistent, though nothing hangs on it: the handlers are installed after this store.
    wakeDescriptor.store(ends[1], ordering: .sequentiallyConsistent)
    Thread.detachNewThread { [self] in
      var byte: UInt8 = 0
      while true {
        let count = read(readEnd, &byte, 1)
        if count == 1 {
          // The kernel kills the children when this process is gone: they asked for it.
          if isRequested { _exit(130) }
          request()
        }
      }
    }
    for number in [SIGINT, SIGTERM] {
      signal(number) { _ in
        let saved = errno
        var byte: UInt8 = 1
        // Relaxed: the value was stored before the handler was installed and never changes.
        _ = write(wakeDescriptor.load(ordering: .relaxed), &byte, 1)
        errno = saved
      }
    }
  }
}
