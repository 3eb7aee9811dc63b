// Where the model's backend connections arrive.

import CLinux
import Glibc

struct Listener: ~Copyable {
  let descriptor: CInt
  let port: UInt16

  /// Listens on a free port of 127.0.0.1.
  init() throws(RigFailure) {
    descriptor = clinux_listen_loopback(0, 4_096, 1)
    port = UInt16(clamping: clinux_local_port(descriptor))
    if descriptor < 0 { throw RigFailure("listening on 127.0.0.1", code: Int(descriptor)) }
  }

  deinit { if descriptor >= 0 { clinux_close(descriptor) } }

  /// The next connection, non-blocking; nil if none is waiting.
  func accept() throws(RigFailure) -> CInt? {
    while true {
      let connection = clinux_accept(descriptor, 1)
      if connection >= 0 { return connection }
      switch -connection {
      case EAGAIN: return nil
      case EINTR, ECONNABORTED: continue
      default: throw RigFailure("accepting a backend connection", code: Int(connection))
      }
    }
  }
}
