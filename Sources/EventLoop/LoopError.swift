// What can go wrong, with the value and the remedy in the text.
import Glibc

public enum LoopError: Error, Hashable, CustomStringConvertible {
  /// A system call failed: its name and errno.
  case system(call: String, errno: Int32)
  /// The stream or listener was closed, by this or another task.
  case closed
  /// A channel was closed, so what was to be sent was not.
  case channelClosed
  /// `withDeadline` gave up.
  case deadlineExceeded(Duration)
  /// `EventLoops.run` was called while it runs.
  case alreadyRunning
  /// The number of loops asked for is out of range.
  case loopCount(Int)
  /// The hop to the blocking threads was called where no loops run.
  case notRunning

  public var description: String {
    switch self {
    case .system(let call, let code):
      let remedy =
        switch code {
        case EMFILE: "; raise the limit of open files (ulimit -n) or close some"
        case ENFILE: "; the whole system is out of open files (fs.file-max)"
        case EAGAIN where call == "pthread_create", ENOMEM: "; too many threads or too little memory (ulimit -u, -v)"
        default: ""
        }
      return "\(call) failed: \(String(cString: strerror(code))) (errno \(code))\(remedy)"
    case .closed: return "the stream is closed"
    case .channelClosed: return "the channel is closed: nothing more can be sent"
    case .deadlineExceeded(let limit): return "not finished within \(limit)"
    case .alreadyRunning: return "EventLoops.run is running already: call it once, from a synchronous main"
    case .loopCount(let count): return "\(count) loops asked for: use 1 to \(EventLoops.maximumCount)"
    case .notRunning: return "no event loops are running: call this inside EventLoops.run"
    }
  }
}

/// Turns the shim's "result or negative errno" into a throw.
@discardableResult
func check(_ result: some SignedInteger, _ call: String) throws(LoopError) -> Int {
  if result < 0 { throw .system(call: call, errno: Int32(-result)) }
  return Int(result)
}
