// switchyard doctor: is this host fit to measure on, and what to change. The harness knows the host, ModelKit what it
// lets a model have; what a recorder's sample costs is measured here, in the way in which models take one.

import ArgumentParser
import CLinux
import Harness
import ModelKit

struct Doctor: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "Examines whether this host is fit to measure on, and says what to change.",
    discussion: "Exit status 1 if there is something to change.")

  @Flag(help: "Print JSON.")
  var json = false

  func run() async throws {
    // The launcher does it for every model, and the bound that counts is the one that is then in force.
    _ = clinux_raise_file_limit()
    let diagnoses =
      await HostFacts.collect().diagnoses + [await Diagnosis.allocators(), SampleCost.measured().diagnosis] + bounds
    if json {
      try printJSON(diagnoses)
    } else {
      let widest = diagnoses.map(\.subject.count).max() ?? 0
      for diagnosis in diagnoses {
        let mark =
          switch diagnosis.verdict {
          case .good: "ok    "
          case .note: "note  "
          case .change: "change"
          }
        let name = diagnosis.subject + String(repeating: " ", count: widest - diagnosis.subject.count)
        print("\(mark)  \(name)  \(diagnosis.value)")
        if let advice = diagnosis.advice {
          print(String(repeating: " ", count: 10 + widest) + "-> \(advice)")
        }
      }
    }
    if diagnoses.contains(where: { $0.verdict == .change }) { throw ExitCode(Status.failed) }
  }

  /// What a case may still take of everything that is limited.
  private var bounds: [Diagnosis] {
    Limits.current().bounds.map { bound in
      let value =
        bound.resource == .bytes
        ? "\(bound.limit >> 20) MiB, \(bound.used >> 20) taken, \(bound.available >> 20) for a case"
        : "\(bound.limit), \(bound.used) taken, \(bound.available) for a case"
      guard let advice = Self.advice(bound) else { return Diagnosis(bound.name, value) }
      return Diagnosis(bound.name, value, .note, advice)
    }
  }

  /// What the largest cases would need, and how to grant it; nil where there is enough.
  private static func advice(_ bound: Limits.Bound) -> String? {
    let enough: [Limits.Resource: (Int, String)] = [
      .threads: (20_000, "models with a thread for each unit end in state 'limit' beyond that: raise it"),
      .mappings: (
        60_000, "units with mapped stacks end in state 'limit' beyond that: sysctl -w vm.max_map_count=2000000"
      ),
      .descriptors: (8_000, "served cases with thousands of connections end in state 'limit': raise the hard limit"),
      .bytes: (2 << 30, "cases of a million units end in state 'limit': free some memory"),
    ]
    guard let (needed, advice) = enough[bound.resource], bound.available < needed else { return nil }
    return advice
  }
}

/// What it costs to record one latency: one clock read, the look whether it counts, the histogram.
struct SampleCost {
  /// The most that a sample may cost.
  static let toleratedNanoseconds = 40.0
  let nanoseconds: Double
  let clockNanoseconds: Double

  /// The least of several readings of the thread's own CPU time: what others do to it can only add.
  static func measured(readings: Int = 9, samples: Int = 300_000) -> SampleCost {
    let recorder = Recorder()
    let window = Window(opens: 0, closes: .max)
    func cost(_ body: () -> Void) -> Double {
      let costs = (0..<readings).map { _ in
        let before = clinux_thread_cpu_ns()
        body()
        return Double(clinux_thread_cpu_ns() - before) / Double(samples)
      }
      return costs.min() ?? 0
    }
    let whole = cost {
      var last = monotonicNanoseconds()
      for _ in 0..<samples {
        let now = monotonicNanoseconds()
        if window.contains(now) { recorder.record(now - last) }
        last = now
      }
    }
    let clock = cost { for _ in 0..<samples { _ = monotonicNanoseconds() } }
    return SampleCost(nanoseconds: whole, clockNanoseconds: clock)
  }

  var diagnosis: Diagnosis {
    let value = "\(tenths(nanoseconds)) ns, of which the clock read takes \(tenths(clockNanoseconds))"
    return nanoseconds <= Self.toleratedNanoseconds
      ? Diagnosis("recorder's sample", value)
      : Diagnosis(
        "recorder's sample", value, .change,
        "above \(Int(Self.toleratedNanoseconds)) ns latencies show in throughput: see the clock source and the build")
  }

  private func tenths(_ value: Double) -> Double { (value * 10).rounded() / 10 }
}
