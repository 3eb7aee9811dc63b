// The probes on a model's process, and what their readings at the two edges of the window come to.

import CLinux
import Glibc
import ResultFormat

/// The probes of one trial. They are attached before the model is told what to do.
struct AttachedProbes: Sendable {
  private let calls: SystemCallProbe?
  private let instructions: EventProbe?
  private let cycles: EventProbe?

  /// - Parameter names: those that can be used here.
  init(_ process: pid_t, _ names: Set<ProbeState.Name>) throws(ProbeRefusal) {
    calls = try names.contains(.systemCalls) ? SystemCallProbe(process) : nil
    instructions = try names.contains(.instructions) ? EventProbe.instructions(process) : nil
    cycles = try names.contains(.cycles) ? EventProbe.cycles(process) : nil
  }

  func read() -> ProbeReading {
    ProbeReading(
      calls: calls?.read(), instructions: instructions?.read(), cycles: cycles?.read(),
      monotonicNanoseconds: clinux_monotonic_ns())
  }

  /// Tries each probe on this process and measures what it costs.
  static func examine() -> [ProbeState] {
    var states: [ProbeState] = []
    do throws(ProbeRefusal) {
      let cost = try SystemCallProbe.cost()
      states.append(
        ProbeState(name: .systemCalls, nanosecondsPerCall: cost.own, nanosecondsPerCallElsewhere: cost.elsewhere))
    } catch {
      states.append(ProbeState(name: .systemCalls, unavailable: error.reason))
    }
    for (name, attach) in [
      (ProbeState.Name.instructions, EventProbe.instructions), (.cycles, EventProbe.cycles),
    ] as [(ProbeState.Name, (pid_t) throws(ProbeRefusal) -> EventProbe)] {
      do throws(ProbeRefusal) {
        states.append(ProbeState(name: name, excludesKernel: try attach(getpid()).excludesKernel))
      } catch {
        states.append(ProbeState(name: name, unavailable: error.reason))
      }
    }
    return states
  }
}

extension EventProbe {
  static func instructions(_ process: pid_t) throws(ProbeRefusal) -> EventProbe {
    try EventProbe(process, type: clinux_hardware_events, config: clinux_instructions)
  }
  static func cycles(_ process: pid_t) throws(ProbeRefusal) -> EventProbe {
    try EventProbe(process, type: clinux_hardware_events, config: clinux_cycles)
  }
}

/// What the probes showed at one edge, since they were attached.
struct ProbeReading: Sendable, Hashable {
  /// By number.
  var calls: [UInt64]?
  var instructions: UInt64?
  var cycles: UInt64?
  var monotonicNanoseconds: UInt64
}

extension ProbeCounts {
  /// Per operation, between the two readings: they lie a little beside the edges, so that they are divided by the
  /// operations of their own interval.
  /// - Returns: nil where no time lies between the two.
  init?(
    from before: ProbeReading, to after: ProbeReading, operationsPerSecond rate: Double, cpuNanoseconds: Double?
  ) {
    guard after.monotonicNanoseconds > before.monotonicNanoseconds, rate > 0 else { return nil }
    let operations = rate * Double(after.monotonicNanoseconds - before.monotonicNanoseconds) / 1e9
    func perOperation(_ start: UInt64?, _ end: UInt64?) -> Double? {
      guard let start, let end, end >= start else { return nil }
      return Double(end - start) / operations
    }
    var calls: [String: Double]?
    if let start = before.calls, let end = after.calls {
      calls = [:]
      for number in start.indices where end[number] > start[number] {
        calls?[SystemCallProbe.name(of: number)] = perOperation(start[number], end[number])
      }
    }
    self.init(
      systemCalls: calls, instructions: perOperation(before.instructions, after.instructions),
      cycles: perOperation(before.cycles, after.cycles), cpuNanoseconds: cpuNanoseconds)
  }
}
