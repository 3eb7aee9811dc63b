// swift-tools-version: 6.2
// Switchyard's rooms and walls: which target may use which. Tests/WallTests reads the same table from the import lines.
import PackageDescription

#if !os(Linux)
  #error("Switchyard builds on Linux (x86-64 or aarch64) only: it measures epoll, futexes and /proc.")
#endif

let swift: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error, .when(configuration: .debug)),
]

/// Plain async functions stay on their caller's executor: 31 ns -> 12.5 ns per leaf call in the async model.
let asyncSwift = swift + [.enableUpcomingFeature("NonisolatedNonsendingByDefault")]

let histogram = Target.Dependency.product(name: "Histogram", package: "hdrhistogram-swift")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let subprocess = Target.Dependency.product(name: "Subprocess", package: "swift-subprocess")
let system = Target.Dependency.product(name: "SystemPackage", package: "swift-system")

/// A concurrency model: one executable that speaks PROTOCOL.md and knows its own runtime, never another model's.
func model(_ folder: String, runtime: [Target.Dependency] = [], settings: [SwiftSetting] = swift) -> Target {
  .executableTarget(
    name: "\(folder)Model",
    dependencies: ["ModelKit", "Workloads", "CLinux"] + runtime,
    path: "Sources/Models/\(folder)",
    swiftSettings: settings)
}

let package = Package(
  name: "switchyard",
  products: [
    .executable(name: "switchyard", targets: ["switchyard"]),
    .executable(name: "switchyard-rig", targets: ["Rig"]),
    .executable(name: "switchyard-launch", targets: ["Launcher"]),
    .executable(name: "model-threads", targets: ["ThreadsModel"]),
    .executable(name: "model-dispatch", targets: ["DispatchModel"]),
    .executable(name: "model-green-threads", targets: ["GreenThreadsModel"]),
    .executable(name: "model-async-loop", targets: ["AsyncLoopModel"]),
    .library(name: "GreenThreads", targets: ["GreenThreads"]),
    .library(name: "EventLoop", targets: ["EventLoop"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
  ],
  targets: [
    .target(name: "Workloads", path: "Workloads", swiftSettings: swift),
    .target(name: "ResultFormat", dependencies: ["Workloads", "CZlib"], swiftSettings: swift),
    .target(
      name: "ModelKit", dependencies: ["Workloads", "CLinux", "CJemalloc"], swiftSettings: swift),

    .target(name: "CContextSwitch"),
    .target(name: "GreenThreads", dependencies: ["CContextSwitch", "CLinux"], swiftSettings: swift),
    .target(name: "EventLoop", dependencies: ["CLinux"], swiftSettings: asyncSwift),

    model("Threads"),
    model("Dispatch"),
    model("GreenThreads", runtime: ["GreenThreads"]),
    model("AsyncLoop", runtime: ["EventLoop"], settings: asyncSwift),

    .executableTarget(
      name: "Rig", dependencies: ["Workloads", "CLinux", histogram], swiftSettings: swift),
    .executableTarget(name: "Launcher", dependencies: ["CLinux"], swiftSettings: swift),
    .target(name: "Statistics", swiftSettings: swift),
    .target(
      name: "Harness",
      dependencies: ["Workloads", "ResultFormat", "Statistics", "CLinux", "CZlib", subprocess, system],
      swiftSettings: swift),
    .target(name: "Reports", dependencies: ["Workloads", "ResultFormat", "Statistics"], swiftSettings: swift),
    .executableTarget(
      name: "switchyard",
      dependencies: [
        "Workloads", "ResultFormat", "Statistics", "Harness", "Reports", "ModelKit", "CLinux", arguments,
      ],
      swiftSettings: swift),

    .target(name: "CLinux"),
    .systemLibrary(name: "CJemalloc", pkgConfig: "jemalloc", providers: [.apt(["libjemalloc-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),

    .testTarget(name: "WorkloadsTests", dependencies: ["Workloads"], swiftSettings: swift),
    .testTarget(name: "WallTests", dependencies: ["Workloads"], swiftSettings: swift),
    .testTarget(
      name: "ResultFormatTests", dependencies: ["ResultFormat", "Workloads", histogram], exclude: ["Golden"],
      swiftSettings: swift),
    .testTarget(
      name: "ModelKitTests", dependencies: ["ModelKit", "Workloads", "CLinux", "ResultFormat", histogram],
      swiftSettings: swift),
    .executableTarget(
      name: "GreenThreadsChecks", dependencies: ["GreenThreads", "CContextSwitch", "CLinux"],
      path: "Tests/GreenThreadsChecks", swiftSettings: swift),
    .testTarget(
      name: "GreenThreadsTests", dependencies: ["GreenThreads", "GreenThreadsChecks", "CContextSwitch", "CLinux"],
      swiftSettings: swift),
    .executableTarget(
      name: "EventLoopChecks", dependencies: ["EventLoop", "CLinux"], path: "Tests/EventLoopChecks",
      swiftSettings: asyncSwift),
    .testTarget(name: "EventLoopTests", dependencies: ["EventLoop", "EventLoopChecks"], swiftSettings: asyncSwift),
    .testTarget(name: "RigTests", dependencies: ["Rig", "Workloads", "CLinux", histogram], swiftSettings: swift),
    .testTarget(name: "StatisticsTests", dependencies: ["Statistics"], swiftSettings: swift),
    .testTarget(
      name: "HarnessTests",
      dependencies: [
        "Harness", "Statistics", "Workloads", "ResultFormat", "CLinux", "switchyard", "Launcher", "Rig", subprocess,
        system,
      ],
      swiftSettings: swift),
    .testTarget(
      name: "ReportsTests", dependencies: ["Reports", "ResultFormat", "Statistics", "Workloads"],
      exclude: ["Golden"], swiftSettings: swift),
    .testTarget(
      name: "ModelConformanceTests",
      dependencies: [
        "Workloads", "ResultFormat", "switchyard", "Launcher", "Rig", "ThreadsModel", "DispatchModel",
        "GreenThreadsModel", "AsyncLoopModel",
      ],
      swiftSettings: swift),
  ]
)

// For the sanitizers: only what has threads of its own, the runtimes and models with their tests. The rig is one thread,
// and Swift 6.3.1 crashes on it under the thread sanitizer ("Invalid bitcast": writes through a pointer that a
// non-copyable value holds). It is also a third of the build.
if Context.environment["SWITCHYARD_PACKAGE"] == "runtimes" {
  let rooms: Set = [
    "Workloads", "ModelKit", "CLinux", "CJemalloc", "CContextSwitch", "GreenThreads", "EventLoop", "ThreadsModel",
    "DispatchModel", "GreenThreadsModel", "AsyncLoopModel", "GreenThreadsTests", "GreenThreadsChecks", "EventLoopTests",
    "EventLoopChecks",
  ]
  package.targets.removeAll { !rooms.contains($0.name) }
  package.products.removeAll { !$0.name.hasPrefix("model-") }
  package.dependencies = []
}
