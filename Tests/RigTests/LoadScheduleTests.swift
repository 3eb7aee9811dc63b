import Testing
import Workloads

@testable import Rig

@Suite("Load schedule")
struct LoadScheduleTests {
  private func times(_ count: Int, seed: UInt64, rate: Double = 2_000, burst: Int = 1) -> [UInt64] {
    var schedule = LoadSchedule(seed: seed, rate: rate, burst: burst)
    return (0..<count).map { _ in
      defer { schedule.advance() }
      return schedule.nextNanoseconds
    }
  }

  @Test("the same seed gives the same times, another seed others")
  func repeatsExactly() {
    #expect(times(1_000, seed: 7) == times(1_000, seed: 7))
    #expect(Set(times(1_000, seed: 7)).intersection(times(1_000, seed: 8)).count < 5)
  }

  @Test("Poisson gaps have the mean and the standard deviation of an exponential distribution")
  func poissonMoments() {
    let due = times(100_000, seed: 1)
    let gaps = zip(due, due.dropFirst()).map { Double($1 - $0) }
    let mean = gaps.reduce(0, +) / Double(gaps.count)
    let deviation = (gaps.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / Double(gaps.count)).squareRoot()
    // 500 us at 2,000 per second; the standard error of 100,000 gaps is 0.3 %.
    #expect(abs(mean / 500_000 - 1) < 0.01)
    #expect(abs(deviation / mean - 1) < 0.02)
  }

  @Test("bursts are due at once and keep the rate")
  func bursts() {
    let due = times(96_000, seed: 3, burst: 24)
    for start in stride(from: 0, to: due.count, by: 24) {
      #expect(Set(due[start..<(start + 24)]).count == 1)
    }
    #expect(Set(due).count == 4_000)
    // 96,000 requests at 2,000 a second.
    let seconds = Double(due.last!) / 1e9
    #expect((45.6...50.4).contains(seconds))
  }

  @Test("times never go back", arguments: [1, 5, 4_096])
  func monotone(burst: Int) {
    let due = times(20_000, seed: 11, rate: 1_000_000, burst: burst)
    #expect(zip(due, due.dropFirst()).allSatisfy { $0 <= $1 })
  }

  @Test("neighbouring seeds and different purposes share no draws")
  func drawsAreApart() {
    let one = SeededDraws(seed: 1, for: .tokens)
    let two = SeededDraws(seed: 2, for: .tokens)
    let other = SeededDraws(seed: 1, for: .replies)
    let words = [one, two, other].flatMap { draws in (0..<1_000).map { draws.word($0) } }
    #expect(Set(words).count == 3_000)
  }

  @Test("a plan out of range is refused with the value quoted")
  func refusesPlans() throws {
    var load = RigLoad(
      workload: "fan-out", parameters: [:], seed: 1, warmUpNanoseconds: 0, windowNanoseconds: 1, patienceNanoseconds: 1,
      operations: 0, isGated: false, spins: false)
    #expect(throws: RigFailure("operations is 0: expected at least 1")) {
      try LoadPlan(load, arrivals: .closed, connections: 1, backendConnections: 1)
    }
    load.operations = nil
    load.windowNanoseconds = .max
    #expect(throws: RigFailure.self) {
      try LoadPlan(load, arrivals: .closed, connections: 1, backendConnections: 1)
    }
  }
}

@Suite("Service times")
struct ServiceTimeTests {
  private func draws(_ text: String, seed: UInt64 = 5) throws -> [UInt64] {
    let time = try ServiceTime(text)
    let words = SeededDraws(seed: seed, for: .serviceTimes)
    return (0..<100_000).map { time.nanoseconds(words.word($0)) }
  }

  @Test("none and fixed are what they say")
  func constants() throws {
    #expect(Set(try draws("none")) == [0])
    #expect(Set(try draws("fixed(250us)")) == [250_000])
  }

  @Test("exponential draws have the mean and the tail of their distribution")
  func exponential() throws {
    let times = try draws("exponential(1ms)")
    let mean = times.reduce(0, +) / 100_000
    #expect((990_000...1_010_000).contains(mean))
    // P(T > 3 means) = e^-3 = 0.0498.
    #expect((4_680...5_280).contains(times.count { $0 > 3_000_000 }))
  }

  @Test("bimodal draws are slow in the share that was asked for")
  func bimodal() throws {
    let times = try draws("bimodal(1ms,20ms,2%)")
    #expect(Set(times) == [1_000_000, 20_000_000])
    #expect((1_800...2_200).contains(times.count { $0 == 20_000_000 }))
  }

  @Test("a draw depends on what it is for, not on when it is drawn")
  func order() throws {
    let time = try ServiceTime("exponential(1ms)")
    let words = SeededDraws(seed: 9, for: .serviceTimes)
    let forward = (0..<100).map { time.nanoseconds(words.word($0)) }
    let backward = (0..<100).reversed().map { time.nanoseconds(words.word($0)) }
    #expect(forward == backward.reversed())
  }
}
