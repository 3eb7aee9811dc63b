// Which room may import what: the one table. The compiler's own check (`--explicit-target-dependency-import-check`)
// sees package targets only; this one also sees system modules and C targets.

/// A source folder and the modules that its Swift files may import beyond the standard library.
struct Room {
  /// Relative to the repository, without a slash at its end.
  let folder: String
  let allows: Set<String>

  init(_ folder: String, _ allows: String...) {
    self.folder = folder
    self.allows = Set(allows)
  }

  /// Every room. A folder that is missing here fails the tests: give it a line when it is made.
  static let all = [
    // What is measured: pure Swift, so that the contract depends on nothing.
    Room("Workloads"),
    Room("Sources/ResultFormat", "Workloads", "Histogram", "CZlib", "FoundationEssentials", "Glibc"),

    // The model's side. No full Foundation: it costs a model 12 MB.
    Room("Sources/ModelKit", "Workloads", "CLinux", "CJemalloc", "FoundationEssentials", "Glibc"),
    Room("Sources/GreenThreads", "CContextSwitch", "CLinux", "Glibc", "Synchronization"),
    Room("Sources/EventLoop", "CLinux", "Glibc", "Synchronization", "_Concurrency"),
    Room("Sources/Models/Threads", "ModelKit", "Workloads", "CLinux", "Glibc", "Synchronization"),
    Room("Sources/Models/Dispatch", "ModelKit", "Workloads", "CLinux", "Glibc", "Synchronization", "Dispatch"),
    Room(
      "Sources/Models/GreenThreads", "ModelKit", "Workloads", "CLinux", "Glibc", "Synchronization", "GreenThreads"),
    Room("Sources/Models/AsyncLoop", "ModelKit", "Workloads", "CLinux", "Glibc", "Synchronization", "EventLoop"),

    // The harness's side. It names no model's types.
    Room("Sources/Rig", "Workloads", "Histogram", "CLinux", "FoundationEssentials", "Glibc"),
    Room("Sources/Launcher", "CLinux", "Glibc"),
    Room("Sources/Statistics", "Glibc"),
    Room(
      "Sources/Harness", "Workloads", "ResultFormat", "Statistics", "Subprocess", "SystemPackage", "Foundation",
      "FoundationEssentials", "CLinux", "CZlib", "Glibc", "Synchronization"),
    Room(
      "Sources/Reports", "ResultFormat", "Statistics", "Histogram", "Workloads", "Mustache", "Foundation",
      "FoundationEssentials", "Glibc"),
    Room(
      "Sources/switchyard", "Workloads", "ResultFormat", "Statistics", "Harness", "Reports", "ModelKit", "CLinux",
      "ArgumentParser", "Foundation", "Glibc", "Synchronization"),

    // C and assembly only.
    Room("Sources/CContextSwitch"),
    Room("Sources/CLinux"),
    Room("Sources/CJemalloc"),
    Room("Sources/CZlib"),
  ]

  /// The standard library's own names for itself; whoever imports them gains nothing.
  static let standardLibrary: Set<String> = ["Swift"]

  /// What this file imports and may not, each as `file:line: ...`.
  func trespasses(_ source: String, at path: String) -> [String] {
    SourceFile(source).imports
      .filter { !allows.contains($0.module) && !Self.standardLibrary.contains($0.module) }
      .map { statement in
        let allowed = allows.isEmpty ? "nothing" : allows.sorted().joined(separator: ", ")
        return "\(path):\(statement.line): imports \(statement.module); \(folder) may import \(allowed)"
      }
  }
}
