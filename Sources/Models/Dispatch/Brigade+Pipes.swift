// brigade over pipes with Dispatch: each unit has a read source on its own pipe, and writes to the next unit's.
//
// A hop is a write, the manager thread's epoll_wait, a block for the lane, a read, and back to the manager thread to have
// the descriptor watched again: Dispatch on Linux watches with EPOLLONESHOT.

import CLinux
import Dispatch
import Glibc
import ModelKit
import Workloads

/// A unit whose inlet is a pipe.
final class PipeUnit: BrigadeUnit, @unchecked Sendable {
  private let readEnd: Int32
  private let writeEnd: Int32
  private let reader: any DispatchSourceRead

  /// Asks whether this process may open so many pipes.
  static func admit(_ pipes: Int) throws(ModelFailure) {
    try require(clinux_raise_file_limit(), "raising the limit of open files")
    try Limits.admit(units: pipes, descriptors: 2 * pipes)
  }

  init(opening number: Int, of ring: BrigadeRing) throws(ModelFailure) {
    var ends: [Int32] = [-1, -1]
    try require(clinux_pipe(&ends), "opening a pipe")
    for end in ends { try require(clinux_set_nonblocking(end, 1), "making a pipe non-blocking") }
    readEnd = ends[0]
    writeEnd = ends[1]
    reader = DispatchSource.makeReadSource(fileDescriptor: readEnd, queue: ring.lane(of: number))
    super.init(number, of: ring)
  }

  override func start() {
    super.start()
    reader.setEventHandler { [unowned(unsafe) self] in read() }
    reader.setCancelHandler { [unowned(unsafe) self] in
      clinux_close(readEnd)
      clinux_close(writeEnd)
      ring.pipesClosed.count()
      end()
    }
    reader.activate()
  }

  override func stop() { reader.cancel() }

  /// A pipe's write is atomic, and there is room for all tokens in the smallest of pipes: it takes 8 bytes, or fails.
  override func put(_ token: UInt64, from sender: DispatchQueue?) {
    var bytes = token.littleEndian
    let count = clinux_write(writeEnd, &bytes, 8)
    precondition(count == 8, "writing a token to a pipe: \(count)")
  }

  /// The source says how many bytes there are: no read is made only to find nothing.
  private func read() {
    for _ in 0..<max(1, Int(reader.data) / 8) {
      var bytes: UInt64 = 0
      let count = clinux_read(readEnd, &bytes, 8)
      if count == -Int(EAGAIN) || count == -Int(EINTR) { return }  // the source fires again for what is there
      precondition(count == 8, "reading a token from a pipe: \(count)")
      take(UInt64(littleEndian: bytes))
    }
  }
}
