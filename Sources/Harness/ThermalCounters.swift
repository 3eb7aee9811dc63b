// How often heat has slowed the processors down, where the kernel counts it (x86 on bare metal; virtual machines show none).

/// The host's counters: one for each core and one for its package, as every processor shows them.
struct ThermalCounters: Sendable {
  private let paths: [String]

  /// This host's, looked for once: a trial reads them at the edges of its window.
  static let own = ThermalCounters()

  init(_ files: HostFiles = .live) {
    let folder = "/sys/devices/system/cpu"
    paths = files.names(folder).filter { $0.hasPrefix("cpu") && Int($0.dropFirst(3)) != nil }.flatMap { processor in
      ["core", "package"].map { "\(folder)/\(processor)/thermal_throttle/\($0)_throttle_count" }
    }
    .filter { files.number($0) != nil }
  }

  /// Their sum since the start; nil where there are none.
  func throttles(_ files: HostFiles = .live) -> Int? {
    let counts = paths.compactMap { files.number($0) }
    return counts.isEmpty ? nil : counts.reduce(0, +)
  }
}
