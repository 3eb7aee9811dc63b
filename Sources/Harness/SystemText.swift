// Small things of the system, in words: errors, signals, whole files of /proc.

import Glibc

func systemMessage(_ code: Int32) -> String { String(cString: strerror(code)) }

/// `SIGKILL (9)`.
func signalName(_ number: Int32) -> String {
  let names: [Int32: String] = [
    SIGHUP: "SIGHUP", SIGINT: "SIGINT", SIGQUIT: "SIGQUIT", SIGILL: "SIGILL", SIGTRAP: "SIGTRAP", SIGABRT: "SIGABRT",
    SIGBUS: "SIGBUS", SIGFPE: "SIGFPE", SIGKILL: "SIGKILL", SIGSEGV: "SIGSEGV", SIGPIPE: "SIGPIPE",
    SIGALRM: "SIGALRM", SIGTERM: "SIGTERM", SIGSYS: "SIGSYS",
  ]
  return names[number].map { "\($0) (\(number))" } ?? "signal \(number)"
}

/// The whole of a small file, as those of /proc and /sys; nil if it cannot be read.
func contents(of path: String) -> String? {
  let descriptor = open(path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { return nil }
  defer { close(descriptor) }
  var bytes: [UInt8] = []
  let chunk = 16_384
  while true {
    let count = withUnsafeTemporaryAllocation(byteCount: chunk, alignment: 8) { buffer in
      let count = read(descriptor, buffer.baseAddress, chunk)
      if count > 0 { bytes.append(contentsOf: buffer[..<count]) }
      return count
    }
    if count < 0 { return nil }
    if count == 0 { return String(decoding: bytes, as: UTF8.self) }
  }
}

/// The names in a folder, `.` and `..` left out; nil if it cannot be read.
func entries(of path: String) -> [String]? {
  guard let folder = opendir(path) else { return nil }
  defer { closedir(folder) }
  var names: [String] = []
  while let entry = readdir(folder) {
    let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
      pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
    }
    if name != "." && name != ".." { names.append(name) }
  }
  return names
}
