// The checkout that these tests are built from.

import Foundation

/// The repository's files, by path relative to its root.
enum Repository {
  /// Links resolved, so that a target that is reached through one still finds its repository.
  static let root = URL(filePath: #filePath).resolvingSymlinksInPath()
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  static func text(_ path: String) throws -> String {
    try String(contentsOf: root.appending(path: path), encoding: .utf8)
  }

  /// The folders directly within one, sorted.
  static func folders(in path: String) throws -> [String] {
    try FileManager.default
      .contentsOfDirectory(at: root.appending(path: path), includingPropertiesForKeys: [.isDirectoryKey])
      .filter { try $0.resourceValues(forKeys: [.isDirectoryKey]).isDirectory == true }
      .map(\.lastPathComponent).filter { !$0.hasPrefix(".") }.sorted()
  }

  /// All files below a folder ("" for the whole repository), sorted. Hidden folders (build products, git's own) and
  /// what .gitignore keeps out of Results are left out.
  static func files(in path: String = "") -> [String] {
    let start = path.isEmpty ? root : root.appending(path: path)
    guard let walk = FileManager.default.enumerator(at: start, includingPropertiesForKeys: [.isRegularFileKey]) else {
      return []
    }
    var files: [String] = []
    for case let url as URL in walk {
      let name = url.lastPathComponent
      let isFile = (try? url.resourceValues(forKeys: [.isRegularFileKey]).isRegularFile) == true
      if isFile {
        files.append(String(url.path(percentEncoded: false).dropFirst(root.path(percentEncoded: false).count)))
      } else if name.hasPrefix(".") && name != ".ci" || ["trials", "venv", "__pycache__"].contains(name) {
        walk.skipDescendants()
      }
    }
    return files.sorted()
  }
}
