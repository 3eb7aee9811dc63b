// One writer per run: two that resumed the same folder would run the same trials twice.

import CLinux
import Glibc

/// Held while a process writes a run's folder. The kernel lets go of it when that process is gone, however it went.
final class RunLock: Sendable {
  private let descriptor: Int32

  /// - Parameter folder: the run's `trials/`. A folder, since the files in it are replaced and a lock would go with them.
  /// - Throws: ``HarnessError`` if another process holds it, or the folder cannot be opened.
  init(_ folder: String, of run: String) throws(HarnessError) {
    let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .file("opening the folder", folder, code: errno) }
    self.descriptor = descriptor
    // A file system that knows no locks refuses otherwise: then nobody can hold one.
    guard Self.isHeldByAnother(descriptor) else { return }
    throw .usage(
      "'\(run)' is being written by a switchyard that still runs: wait for its end, or stop it and resume then")
  }

  deinit { _ = clinux_close(descriptor) }

  /// A killed harness may have been about to start a child, which has its descriptors until it executes its program:
  /// hence a second look.
  private static func isHeldByAnother(_ descriptor: Int32) -> Bool {
    for _ in 0..<20 {
      if flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK { return false }
      usleep(10_000)
    }
    return true
  }
}
