// Processes as /proc shows them: whose children are alive, and what they have open.

import Foundation
import Glibc

/// A process by number and start time, so that a number that is used again is not taken for it.
struct RunningProcess: Hashable {
  let pid: pid_t
  let name: String
  private let started: String

  /// The fields of /proc/<pid>/stat, with the name (which may hold blanks) taken out of its parentheses.
  private static func stat(_ pid: pid_t) -> (name: String, fields: [Substring])? {
    guard let data = FileManager.default.contents(atPath: "/proc/\(pid)/stat") else { return nil }
    let text = String(decoding: data, as: UTF8.self)
    guard let open = text.firstIndex(of: "("), let close = text.lastIndex(of: ")") else { return nil }
    let fields = text[text.index(after: close)...].split { $0.isWhitespace }
    return fields.count > 19 ? (String(text[text.index(after: open)..<close]), fields) : nil
  }

  /// All children of a process, those excepted that have ended and wait to be collected.
  static func children(of parent: pid_t) -> [RunningProcess] {
    let numbers = (try? FileManager.default.contentsOfDirectory(atPath: "/proc"))?.compactMap { pid_t($0) } ?? []
    return numbers.compactMap { pid in
      guard let (name, fields) = stat(pid), pid_t(fields[1]) == parent, fields[0] != "Z" else { return nil }
      return RunningProcess(pid: pid, name: name, started: String(fields[19]))
    }
  }

  /// A zombie is not alive: a container's first process may never collect it.
  var isAlive: Bool {
    guard let (_, fields) = Self.stat(pid) else { return false }
    return fields[19] == started && fields[0] != "Z" && fields[0] != "X"
  }

  /// The program's file name; the name in `stat` is cut after 15 bytes.
  var program: String {
    let path = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/exe")
    return path.map { String($0[($0.lastIndex(of: "/").map($0.index(after:)) ?? $0.startIndex)...]) } ?? ""
  }

  var openDescriptors: Int {
    (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd"))?.count ?? 0
  }
}
