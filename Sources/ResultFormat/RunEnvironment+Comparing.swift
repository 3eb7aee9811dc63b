// Whether two runs, or two parts of one, were made on the same host by the same kind of build.

extension RunEnvironment {
  /// What bears on the figures and differs, in words. Not the time, the load, or what was calibrated; and not the
  /// revision, which is that of the sources beside the executables.
  public func differences(to now: RunEnvironment) -> [(name: String, then: String, now: String)] {
    let facts: [(String, (RunEnvironment) -> String?)] = [
      ("build", { $0.build }), ("compiler", { $0.compiler }), ("architecture", { $0.architecture }),
      ("processor", { $0.processor }),
      ("number of processors", { "\($0.processors)" }), ("operating system", { $0.operatingSystem }),
      ("kernel", { $0.kernel }),
      ("virtualization", { $0.virtualization }), ("clock source", { $0.clockSource }),
    ]
    var differences = facts.compactMap { name, value -> (name: String, then: String, now: String)? in
      let (then, now) = (value(self) ?? "none", value(now) ?? "none")
      return then == now ? nil : (name, then, now)
    }
    // One boot leaves some kilobytes more to the kernel than another.
    if abs(memoryBytes - now.memoryBytes) > memoryBytes / 100 {
      differences.append(("memory", "\(memoryBytes) bytes", "\(now.memoryBytes) bytes"))
    }
    return differences
  }
}
