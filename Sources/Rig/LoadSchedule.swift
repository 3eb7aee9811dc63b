// When requests are due. Open loop: the schedule goes on whatever the model does, and latency counts from it, so that
// a model that stalls cannot hide the requests that it kept from being sent (Tene: "How NOT to Measure Latency";
// Schroeder, Wierman, Harchol-Balter: "Open Versus Closed: A Cautionary Tale", NSDI 2006).

import Glibc
import Workloads

/// Words drawn from a seed for what they are needed for, not in the order of need: the thousandth request's draw is the
/// same in every trial of a seed.
struct SeededDraws {
  enum Purpose: UInt64 {
    case arrivals = 1
    case serviceTimes, tokens, replies, payloads, hogs
  }
  private let base: UInt64

  init(seed: UInt64, for purpose: Purpose) {
    // Mixed before numbers are added, so that neighbouring seeds do not share draws.
    base = SplitMix64.mix(SplitMix64.mix(seed) ^ purpose.rawValue)
  }

  func word(_ key: UInt64) -> UInt64 { SplitMix64.mix(base &+ key) }
}

/// How requests arrive.
enum Arrivals: Hashable {
  /// A connection's next request follows its last answer.
  case closed
  /// `burst` requests at a time, the gaps between bursts exponential with mean `burst / rate`: Poisson arrivals, and
  /// with bursts a compound Poisson process. Regular gaps could fall in step with a model's own timers.
  case open(rate: Double, burst: Int)
}

/// The due times of an open loop, in nanoseconds after the start.
struct LoadSchedule {
  private(set) var nextNanoseconds: UInt64 = 0
  private let draws: SeededDraws
  private let meanGap: Double
  private let burst: Int
  private var elapsed = 0.0
  private var leftInBurst = 0
  private var gaps: UInt64 = 0

  /// - Parameter rate: requests per second, above 0.
  init(seed: UInt64, rate: Double, burst: Int) {
    precondition(rate > 0 && burst > 0, "a schedule needs a rate and a burst above 0")
    draws = SeededDraws(seed: seed, for: .arrivals)
    meanGap = Double(burst) * 1e9 / rate
    self.burst = burst
    advance()
  }

  /// Moves on to the next request.
  mutating func advance() {
    if leftInBurst == 0 {
      // unit is below 1, so that the logarithm is finite.
      elapsed -= log(1 - SplitMix64.unit(draws.word(gaps))) * meanGap
      gaps += 1
      leftInBurst = burst
      nextNanoseconds = UInt64(elapsed)
    }
    leftInBurst -= 1
  }
}

/// What a trial is to do, whatever the workload.
struct LoadPlan {
  let seed: UInt64
  let arrivals: Arrivals
  let connections: Int
  let backendConnections: Int
  let warmUpNanoseconds: UInt64
  let windowNanoseconds: UInt64
  let patienceNanoseconds: UInt64
  /// Ends the load by count instead of by time.
  let operations: Int?
  let spins: Bool

  /// - Throws: ``RigFailure`` that quotes the value out of range.
  init(_ load: RigLoad, arrivals: Arrivals, connections: Int, backendConnections: Int) throws(RigFailure) {
    let hour: UInt64 = 3_600_000_000_000
    for (name, value) in [
      ("warmUpNanoseconds", load.warmUpNanoseconds), ("windowNanoseconds", load.windowNanoseconds),
      ("patienceNanoseconds", load.patienceNanoseconds),
    ] where value > hour {
      throw RigFailure("\(name) is \(value): expected at most \(hour), one hour")
    }
    if load.patienceNanoseconds == 0 { throw RigFailure("patienceNanoseconds is 0: expected at least 1") }
    if let operations = load.operations, operations < 1 {
      throw RigFailure("operations is \(operations): expected at least 1")
    }
    seed = load.seed
    self.arrivals = arrivals
    self.connections = connections
    self.backendConnections = backendConnections
    warmUpNanoseconds = load.warmUpNanoseconds
    windowNanoseconds = load.windowNanoseconds
    patienceNanoseconds = load.patienceNanoseconds
    operations = load.operations
    spins = load.spins
  }
}

extension ServiceTime {
  /// The time that belongs to a uniformly distributed word, in nanoseconds.
  func nanoseconds(_ word: UInt64) -> UInt64 {
    switch self {
    case .none: 0
    case .fixed(let time): UInt64(time)
    case .exponential(let mean): UInt64(-log(1 - SplitMix64.unit(word)) * Double(mean))
    case .bimodal(let fast, let slow, let share): UInt64(SplitMix64.unit(word) < share ? slow : fast)
    }
  }
}
