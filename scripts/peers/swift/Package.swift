// swift-tools-version: 6.2
// The Swift peers: the default executor, SwiftNIO and Dispatch, and the two runtimes of this repository.
import PackageDescription

let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

let package = Package(
  name: "peers",
  dependencies: [
    .package(name: "switchyard", path: "../../.."),
    .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
    .package(url: "https://github.com/apple/swift-async-algorithms", exact: "1.1.4"),
  ],
  targets: [
    .target(name: "Measure", swiftSettings: settings),
    .target(name: "TaskRows", dependencies: ["Measure"], swiftSettings: settings),
    .executableTarget(
      name: "DefaultExecutorPeer",
      dependencies: [
        "Measure", "TaskRows", .product(name: "AsyncAlgorithms", package: "swift-async-algorithms"),
      ],
      swiftSettings: settings),
    .executableTarget(
      name: "EventLoopPeer",
      dependencies: ["Measure", "TaskRows", .product(name: "EventLoop", package: "switchyard")],
      swiftSettings: settings),
    .executableTarget(
      name: "NIOPeer",
      dependencies: [
        "Measure", .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
      ],
      swiftSettings: settings),
    .executableTarget(name: "DispatchPeer", dependencies: ["Measure"], swiftSettings: settings),
    .executableTarget(
      name: "GreenThreadsPeer",
      dependencies: ["Measure", .product(name: "GreenThreads", package: "switchyard")],
      swiftSettings: settings),
  ]
)
