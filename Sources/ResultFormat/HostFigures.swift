// What a trial's window lost to others: the processors that its own processes did not have.

/// Averages over the window, in processors (0 ... their number), from the kernel's account at its two edges.
public struct HostFigures: Sendable, Codable, Hashable {
  /// Used by programs that are none of the trial's: not the model, the rig or the harness, nor the kernel's own threads.
  /// In-process, interrupts are included; served, they are not, since nearly all of them carry the trial's own messages.
  public var othersProcessors: Double
  /// Used by the kernel's own threads, whoever gave them the work: a model that starts and ends many threads leaves the
  /// freeing of their stacks to them. Nil where they cannot be seen, as in a container; they are among the others then.
  public var kernelProcessors: Double?
  /// Taken by the hypervisor for other machines.
  public var stolenProcessors: Double
  /// Spent in interrupts, whoever caused them.
  public var interruptProcessors: Double
  /// For how long a quota of the control group stopped the trial's processes; nil where there is none.
  public var throttledNanoseconds: Int?
  /// How often heat slowed a processor down meanwhile; nil where the host does not say.
  public var thermalThrottles: Int?

  public init(
    othersProcessors: Double, stolenProcessors: Double, interruptProcessors: Double, throttledNanoseconds: Int? = nil,
    kernelProcessors: Double? = nil, thermalThrottles: Int? = nil
  ) {
    self.othersProcessors = othersProcessors
    self.kernelProcessors = kernelProcessors
    self.stolenProcessors = stolenProcessors
    self.interruptProcessors = interruptProcessors
    self.throttledNanoseconds = throttledNanoseconds
    self.thermalThrottles = thermalThrottles
  }

  /// Beyond this much of a processor a host is busy.
  public static let toleratedProcessors = 0.1
  /// Beyond this share of a window a quota has stopped the trial's processes for too long.
  public static let toleratedThrottling = 0.01

  /// Whether this is more than figures can bear: the trial then has the warning ``Warning/hostBusy``.
  public func isBusy(windowNanoseconds: UInt64) -> Bool {
    othersProcessors + stolenProcessors > Self.toleratedProcessors
      || Double(throttledNanoseconds ?? 0) > Double(windowNanoseconds) * Self.toleratedThrottling
      || thermalThrottles ?? 0 > 0
  }
}
