// A listening socket on a loop. Accept from one task; give each stream to the loop that shall serve it.
import CLinux
import Glibc

public final class Listener: Sendable {
  /// The loop on which `accept` waits.
  public var loop: EventLoop { registration.loop }

  private let registration: Registration

  /// Listens on 127.0.0.1; port 0 lets the kernel choose.
  ///
  /// - Parameter backlog: connections that the kernel accepts ahead of `accept`.
  public init(loopbackPort port: UInt16 = 0, backlog: Int = 1024, on loop: EventLoop? = nil) throws(LoopError) {
    let descriptor = Int32(try check(clinux_listen_loopback(port, Int32(clamping: backlog), 1), "listen"))
    registration = try Registration(descriptor, on: loop ?? EventLoop.current ?? EventLoops.next())
  }

  deinit { registration.giveUp() }

  /// The port it listens on.
  public var port: UInt16 {
    get throws(LoopError) {
      let port = try registration.call { clinux_local_port($0) }
      return UInt16(truncatingIfNeeded: try check(port, "getsockname"))
    }
  }

  /// Accepts the next connection, waiting for it if need be.
  ///
  /// - Parameter target: the loop that hears the stream's events; by default the listener's.
  /// - Throws: `LoopError.closed`; `CancellationError`; `LoopError.system`, for instance EMFILE when the process is out
  ///   of descriptors: the connection then stays in the backlog, and a later call finds it.
  public func accept(on target: EventLoop? = nil) async throws -> Stream {
    if mustYield() { await Task.yield() }
    while true {
      if registration.reading.shouldTry() {
        let result = try registration.call { clinux_accept($0, 1) }
        if result >= 0 { return try Stream(accepted: result, on: target ?? loop) }
        switch -result {
        case EAGAIN: registration.reading.isDrained = true
        // The connection was gone before it was accepted, or was never a good one: accept(2) says to go on.
        case ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, EHOSTUNREACH, ENETUNREACH: continue
        default: throw LoopError.system(call: "accept4", errno: -result)
        }
      }
      try await registration.reading.wait()
    }
  }

  /// Stops listening. Any thread; a task that waits in `accept` gets `LoopError.closed`.
  public func close() { registration.close() }
}
