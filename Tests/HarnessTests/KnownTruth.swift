// What a fake model of known latencies wrote down, and what follows from it for what the rig must have recorded.
//
// Both sides read the same clock, so a machine that is late makes both late alike, and no time that something should
// have taken is ever compared with one that it took. The rig notices an answer after the fake's stamp and not before:
// that bounds every latency from below, whatever the machine does. From above it is bounded by the fake's next stamp
// that shows that the answer had been read, or by the echo: the way of the sub-request there and back, which the fake
// stamps for each request shortly before it answers. What delays the rig makes the echo long.

import Foundation
import Workloads

/// One request as the fake saw it, by its own monotonic clock in nanoseconds.
struct StampedRequest {
  var id: Int
  var connection: Int
  /// After the request was read; before its sub-request was sent; after the reply was read; before the answer was sent.
  var received: UInt64
  var asked: UInt64
  var replied: UInt64
  var answered: UInt64

  var echo: UInt64 { replied - asked }
}

struct Stamps {
  /// In the order of their ids, which are 1, 2, ...
  let requests: [StampedRequest]
  /// When the fake stood still.
  let stall: Range<UInt64>?

  init(_ requests: [StampedRequest], stall: Range<UInt64>?) {
    self.requests = requests.sorted { $0.id < $1.id }
    self.stall = stall
  }

  init(contentsOf path: String) throws {
    let words = try Data(contentsOf: URL(filePath: path)).withUnsafeBytes { bytes in
      stride(from: 0, to: bytes.count, by: 8).map { bytes.loadUnaligned(fromByteOffset: $0, as: UInt64.self) }
    }
    var requests: [StampedRequest] = []
    requests.reserveCapacity(words.count / 6)
    var stall: Range<UInt64>?
    for row in stride(from: 0, to: words.count, by: 6) {
      if words[row] == 0 {
        stall = words[row + 2]..<words[row + 3]
      } else {
        requests.append(
          StampedRequest(
            id: Int(words[row]), connection: Int(words[row + 1]), received: words[row + 2], asked: words[row + 3],
            replied: words[row + 4], answered: words[row + 5]))
      }
    }
    self.init(requests, stall: stall)
  }

  /// Whether the fake stood still while it might have read the reply.
  private func isHeld(_ request: StampedRequest) -> Bool {
    stall.map { request.asked < $0.upperBound && request.replied >= $0.lowerBound } ?? false
  }

  /// The echo of each request; of those that the fake itself kept waiting the one in the middle of all others.
  func echoes() -> [UInt64] {
    let sorted = requests.filter { !isHeld($0) }.map(\.echo).sorted()
    let middle = sorted.isEmpty ? 0 : sorted[sorted.count / 2]
    return requests.map { isHeld($0) ? middle : $0.echo }
  }
}

/// Bounds for the recorded latencies of a trial.
struct LatencyBounds {
  /// Lower bounds, of requests that belong to the window for certain, and upper bounds, of all that may belong to it;
  /// both descending.
  let atLeast: [UInt64]
  let atMost: [UInt64]

  init(atLeast: [UInt64], atMost: [UInt64]) {
    self.atLeast = atLeast.sorted(by: >)
    self.atMost = atMost.sorted(by: >)
  }

  /// Bounds for a percentile of `count` samples. So many samples lie above it, and the sample with that place from the
  /// top is at least the one in that place among fewer and lower ones, at most that among more and higher ones.
  func percentile(_ perTenThousand: Int, of count: Int) -> (atLeast: UInt64, atMost: UInt64) {
    let place = count - rank(perTenThousand, of: count)
    return (place < atLeast.count ? atLeast[place] : 0, place < atMost.count ? atMost[place] : .max)
  }
}

/// The rank, from 1, of the smallest sample that has that share of all at or below it.
func rank(_ perTenThousand: Int, of count: Int) -> Int { max(1, (count * perTenThousand + 9_999) / 10_000) }

/// The rank's sample.
func percentile(_ perTenThousand: Int, of samples: [UInt64]) -> UInt64 {
  samples.sorted()[rank(perTenThousand, of: samples.count) - 1]
}

/// Poisson arrivals as the rig is to make them, from the seed alone.
func poissonArrivals(seed: UInt64, rate: Double, before end: UInt64) -> [UInt64] {
  let base = SplitMix64.mix(SplitMix64.mix(seed) ^ 1)
  var elapsed = 0.0
  var arrivals: [UInt64] = []
  for number in (0 as UInt64)... {
    elapsed -= log(1 - SplitMix64.unit(SplitMix64.mix(base &+ number))) * (1e9 / rate)
    if UInt64(elapsed) >= end { break }
    arrivals.append(UInt64(elapsed))
  }
  return arrivals
}

/// An open loop: the schedule says when each request was intended, so that the fake's stamps give its latency.
struct OpenLoopTruth {
  let stamps: Stamps
  /// When each request was intended, in nanoseconds after the start of the load.
  let schedule: [UInt64]
  /// When the load began, at the latest: every request was on its way a little before it was read.
  let start: UInt64
  let window: Range<UInt64>
  /// Requests of the window, by their place among all.
  let indices: [Int]
  let echoes: [UInt64]

  /// Nil where the fake saw other requests than the schedule has.
  init?(_ stamps: Stamps, seed: UInt64, rate: Double, warmUp: UInt64, window: UInt64) {
    let arrivals = poissonArrivals(seed: seed, rate: rate, before: warmUp + window)
    guard !arrivals.isEmpty, stamps.requests.map(\.id) == Array(1...arrivals.count) else { return nil }
    self.stamps = stamps
    schedule = arrivals
    start = zip(stamps.requests, arrivals).map { $0.received - $1 }.min()!
    self.window = start + warmUp..<start + warmUp + window
    indices = arrivals.indices.filter { arrivals[$0] >= warmUp }
    echoes = stamps.echoes()
  }

  func intended(_ index: Int) -> UInt64 { start + schedule[index] }

  /// Of `all`, from the intended start to the answer.
  func latencies() -> LatencyBounds {
    // How much earlier than `start` the load may have begun: the shortest way.
    let least = echoes.min() ?? 0
    let stamped = indices.map { stamps.requests[$0].answered - intended($0) }
    return LatencyBounds(atLeast: stamped, atMost: zip(stamped, indices).map { $0 + echoes[$1] + least })
  }

  /// Of `added`: what the fake took beside the backend, as far as it knows.
  func added() -> LatencyBounds {
    LatencyBounds(
      atLeast: indices.map { index in
        let request = stamps.requests[index]
        return (request.asked - request.received) + (request.answered - request.replied)
      },
      atMost: latencies().atMost)
  }

  /// What the stall alone did to the requests that were intended while it lasted, by the schedule: each had to wait for
  /// its end.
  func stalled() -> LatencyBounds {
    guard let stall = stamps.stall else { return LatencyBounds(atLeast: [], atMost: []) }
    let waits = indices.filter { stall.contains(intended($0)) && stamps.requests[$0].answered >= stall.upperBound }
      .map { stall.upperBound - intended($0) }
    return LatencyBounds(atLeast: waits, atMost: [])
  }

  /// How many answers the rig can have read within the window, by the longest of all echoes.
  func operations() -> ClosedRange<Int> {
    let (least, most) = (echoes.min() ?? 0, echoes.max() ?? 0)
    let sure = stamps.requests.count {
      $0.answered >= window.lowerBound && $0.answered + most < window.upperBound - least
    }
    let possible = stamps.requests.count {
      $0.answered + most >= window.lowerBound - least && $0.answered < window.upperBound
    }
    return sure...max(sure, possible)
  }
}

/// A closed loop: a connection's next request follows its last answer, so that each latency lies between the fake's
/// stamps of its own request and those of its neighbours on the connection.
struct ClosedLoopTruth {
  /// A request with those stamps of its neighbours that bound it.
  struct Turn {
    var request: StampedRequest
    /// The answer before it was sent then; the request after it was read then.
    var before: UInt64
    var after: UInt64
  }
  let stamps: Stamps
  let turns: [Turn]
  /// When the load began, at the latest.
  let start: UInt64
  /// How much earlier that may have been.
  let slack: UInt64

  init(_ stamps: Stamps) {
    let start = stamps.requests.map(\.received).min() ?? 0
    // The fake accepts its connections before it reads: what disturbs it there disturbs it elsewhere, too.
    let slack = 2 * (stamps.echoes().max() ?? 0) + 1_000_000
    self.stamps = stamps
    self.start = start
    self.slack = slack
    turns = Dictionary(grouping: stamps.requests, by: \.connection).values.flatMap { requests in
      requests.indices.map { index in
        Turn(
          request: requests[index],
          before: index > 0 ? requests[index - 1].answered : start - slack,
          after: index + 1 < requests.count ? requests[index + 1].received : requests[index].answered + slack)
      }
    }
  }

  /// - Parameter window: in nanoseconds after the start of the load.
  func latencies(in window: Range<UInt64>) -> LatencyBounds {
    // A request was sent between the answer before it and its own arrival.
    LatencyBounds(
      atLeast: turns.filter {
        $0.before >= start + window.lowerBound && $0.request.received < start + window.upperBound - slack
      }.map { $0.request.answered - $0.request.received },
      atMost: turns.filter {
        $0.request.received >= start + window.lowerBound - slack && $0.before < start + window.upperBound
      }.map { $0.after - $0.before })
  }

  /// How many answers the rig has read within the window: each between its stamp and the arrival of the next request.
  func operations(in window: Range<UInt64>) -> ClosedRange<Int> {
    let sure = turns.count {
      $0.request.answered >= start + window.lowerBound && $0.after < start + window.upperBound - slack
    }
    let possible = turns.count {
      $0.after >= start + window.lowerBound - slack && $0.request.answered < start + window.upperBound
    }
    return sure...max(sure, possible)
  }

  /// Turns that the stall falls into.
  var held: [Turn] {
    guard let stall = stamps.stall else { return [] }
    return turns.filter { $0.before <= stall.lowerBound && $0.request.answered >= stall.upperBound }
  }
}
