// Drifts, steps and odd rounds: on published series, against enumeration, and where there are none.

import Glibc
import Testing

@testable import Statistics

@Suite struct MannKendallTests {
  /// Upper tails of Kendall's statistic: Hollander and Wolfe, "Nonparametric Statistical Methods", table A.30.
  @Test(
    "tails equal the published table",
    arguments: [
      (4, 6, 0.042), (4, 4, 0.167), (5, 8, 0.042), (5, 10, 0.008), (6, 11, 0.028), (6, 9, 0.068), (8, 16, 0.031),
      (8, 18, 0.016), (8, 20, 0.007),
    ])
  func published(n: Int, score: Int, tail: Double) {
    let test = MannKendall(series(n, score: score))
    #expect(test.score == score && test.isExact)
    #expect(abs(test.p / 2 - tail) <= 0.000_5)
    // Falling is as improbable as rising.
    #expect(MannKendall(series(n, score: score).reversed()).p == test.p)
  }

  /// 0 ..< n in an order of which a given number of pairs more rise than fall.
  private func series(_ n: Int, score: Int) -> [Double] {
    var falling = (n * (n - 1) / 2 - score) / 2
    var order: [Double] = []
    for value in 0..<n {
      // Inserted before as many of the smaller values as there are pairs left to fall.
      let jumped = min(falling, value)
      order.insert(Double(value), at: value - jumped)
      falling -= jumped
    }
    return order
  }

  @Test("with ties p is near what all orders of the same values give")
  func ties() {
    let values = [1.0, 1, 2, 3, 3, 3, 4]
    var scores: [Int] = []
    permute(values) { order in
      var score = 0
      for (index, a) in order.enumerated() {
        for b in order[(index + 1)...] { score += b > a ? 1 : b < a ? -1 : 0 }
      }
      scores.append(score)
    }
    #expect(scores.count == 5_040)
    for order in [values, [1.0, 2, 1, 3, 4, 3, 3], [3.0, 1, 4, 2, 1, 3, 3]] {
      let test = MannKendall(order)
      #expect(!test.isExact)
      let exact = Double(scores.count { abs($0) >= abs(test.score) }) / 5_040
      #expect(abs(test.p - exact) < 0.03, "\(order): \(test.p), all orders give \(exact)")
    }
  }

  @Test("beyond the exact range the approximation continues it")
  func approximation() {
    var noise = Noise(seed: 53)
    let values = (0..<MannKendall.exactUpTo).map { 0.02 * Double($0) + noise.normal() }
    let exact = MannKendall(values)
    let approximate = MannKendall(values + [noise.normal() + 0.5])
    #expect(exact.isExact && !approximate.isExact)
    let deviation = kendallVariance(count: values.count, ties: []).squareRoot()
    #expect(abs(exact.p - 2 * Normal.tail(above: Double(abs(exact.score) - 1) / deviation)) < 0.005)
  }

  @Test("fewer than two values, or equal ones, have no trend")
  func nothing() {
    #expect(MannKendall([]).p == 1)
    #expect(MannKendall([3]).p == 1)
    #expect(MannKendall([3, 3, 3, 3]).p == 1)
  }
}

/// Heap's algorithm: every order of the values.
private func permute(_ values: [Double], _ visit: ([Double]) -> Void) {
  var order = values
  var counters = [Int](repeating: 0, count: values.count)
  visit(order)
  var index = 0
  while index < values.count {
    if counters[index] < index {
      order.swapAt(index % 2 == 0 ? 0 : counters[index], index)
      visit(order)
      counters[index] += 1
      index = 0
    } else {
      counters[index] = 0
      index += 1
    }
  }
}

/// The annual flow of the Nile at Aswan, 1871 to 1970, in 1e8 m³: Cobb, "The problem of the Nile", Biometrika 65(2),
/// 1978; R's data set Nile. The flow fell after 1898, when a dam was begun and the rains changed.
private let nile: [Double] = [
  1120, 1160, 963, 1210, 1160, 1160, 813, 1230, 1370, 1140, 995, 935, 1110, 994, 1020, 960, 1180, 799, 958, 1140,
  1100, 1210, 1150, 1250, 1260, 1220, 1030, 1100, 774, 840, 874, 694, 940, 833, 701, 916, 692, 1020, 1050, 969,
  831, 726, 456, 824, 702, 1120, 1100, 832, 764, 821, 768, 845, 864, 862, 698, 845, 744, 796, 1040, 759,
  781, 865, 845, 944, 984, 897, 822, 1010, 771, 676, 649, 846, 812, 742, 801, 1040, 860, 874, 848, 890,
  744, 749, 838, 1050, 918, 986, 797, 923, 975, 815, 1020, 906, 901, 1170, 912, 746, 919, 718, 714, 740,
]

@Suite struct PettittTests {
  @Test("the Nile falls after 1898")
  func nileFalls() throws {
    #expect(nile.count == 100)
    let test = try #require(Pettitt(nile))
    #expect(1871 + test.firstAfter == 1899)
    // No random order comes near: 1 of 2,000.
    #expect(test.p == 1.0 / 2_000)
    let step = try #require(Disturbances(nile).step)
    let ratio = try #require(step.ratio)
    #expect(ratio > 0.7 && ratio < 0.85)
  }

  @Test("p is that of all orders of the values, up to what random orders can tell")
  func enumeration() throws {
    for values in [[1.0, 2, 3, 4, 5, 6, 7], [4, 5, 6, 7, 2, 1, 3], [2, 7, 1, 6, 3, 5, 4], [2, 2, 1, 5, 5, 6, 5]] {
      let observed = bruteScore(values)
      var reached = 0
      var orders = 0
      permute(values) { order in
        orders += 1
        if bruteScore(order) >= observed { reached += 1 }
      }
      let exact = Double(reached) / Double(orders)
      let test = try #require(Pettitt(values))
      #expect(test.score == observed)
      // Four standard errors of a share of 1,999 draws.
      #expect(abs(test.p - exact) < 4 * (exact * (1 - exact) / 1_999).squareRoot() + 0.001, "\(values): \(exact)")
    }
  }

  /// Pettitt's own definition: the largest |sum of sign(x_i - x_j)| over i before the cut and j after it.
  private func bruteScore(_ values: [Double]) -> Int {
    (1..<values.count).map { cut -> Int in
      var sum = 0
      for a in values[..<cut] { for b in values[cut...] { sum += a > b ? 1 : a < b ? -1 : 0 } }
      return abs(sum)
    }.max() ?? 0
  }

  @Test("a perfect step in twelve rounds is found where it is")
  func perfect() throws {
    let test = try #require(Pettitt([3, 1, 2, 4, 1.5, 2.5, 9, 8, 7, 11, 10, 12]))
    #expect(test.firstAfter == 6 && test.score == 36)
    #expect(test.p < 0.01)
    #expect(Pettitt([1]) == nil)
    #expect(try #require(Pettitt([5, 5, 5, 5])).p == 1)
  }
}

@Suite struct DisturbancesTests {
  @Test("calm rounds have nothing to report")
  func calm() {
    let found = Disturbances([10, 10.3, 9.9, 10.1, 9.8, 10.2, 10, 9.95, 10.15, 9.85, 10.25, 10.05])
    #expect(found.isEmpty)
    #expect(Disturbances([]).isEmpty && Disturbances([1]).isEmpty && Disturbances([5, 5, 5, 5, 5, 5, 5]).isEmpty)
  }

  @Test("a drift is reported with its size")
  func drift() throws {
    var noise = Noise(seed: 59)
    let values = (0..<12).map { 100 + 3 * Double($0) + noise.normal() }
    let drift = try #require(Disturbances(values).drift)
    #expect(abs(drift.slopePerRound - 3) < 0.3)
    #expect(try abs(#require(drift.relativeChange) - 33 / 116.5) < 0.03)
    let falling = try #require(Disturbances(values.reversed()).drift)
    #expect(falling.slopePerRound < 0)
    // Around 0 a share means nothing.
    let signed = try #require(Disturbances([-3, -2, -1, 0, 1, 2, 3]).drift)
    #expect(signed.slopePerRound == 1 && signed.relativeChange == nil)
  }

  @Test("an odd round is named, and nothing is removed for it")
  func outlier() throws {
    var values = [100, 103, 99, 101, 98, 102, 100, 97, 104, 101, 99, 102].map { Double($0) }
    values[7] = 180
    let found = Disturbances(values)
    #expect(found.outliers.map(\.index) == [7])
    let outlier = try #require(found.outliers.first)
    #expect(outlier.value == 180 && outlier.score > 5.8)
    values[7] = 50
    #expect(try #require(Disturbances(values).outliers.first).score < -5.8)
  }

  @Test("where most rounds are equal, one that is not stands out, and several do not")
  func equalRounds() {
    #expect(Disturbances.outliers(in: [3, 3, 3, 3, 4]).map(\.index) == [4])
    #expect(Disturbances.outliers(in: [3, 3, 4, 3, 2, 3, 3]).isEmpty)
    // Equal but for rounding.
    #expect(Disturbances.outliers(in: [0.3, 0.3, 0.1 + 0.2, 0.3, 0.3, 0.3]).isEmpty)
    #expect(Disturbances.outliers(in: [1, 1, 1, 9]).isEmpty)
  }

  @Test("figures that reach 0 are taken as they are")
  func zeros() {
    #expect(Disturbances.outliers(in: [0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2, 500]).map(\.index) == [11])
  }

  @Test("independent rounds are reported seldom, whatever their number", arguments: [5, 8, 12, 30])
  func falseAlarms(rounds: Int) {
    var noise = Noise(seed: 61)
    let series = 300
    var outliers = 0
    var drifts = 0
    var steps = 0
    for _ in 0..<series {
      let values = (0..<rounds).map { _ in exp(0.06 * noise.normal()) }
      outliers += Disturbances.outliers(in: values).isEmpty ? 0 : 1
      drifts += MannKendall(values).p <= 0.05 ? 1 : 0
    }
    for _ in 0..<series / 5 {
      let values = (0..<rounds).map { _ in noise.normal() }
      steps += (Pettitt(values)?.p ?? 1) <= 0.05 ? 1 : 0
    }
    #expect(Double(outliers) / Double(series) <= 0.05)
    // At most the level, and by chance a little above: three standard errors.
    #expect(Double(drifts) / Double(series) <= 0.05 + 0.038)
    #expect(Double(steps) / Double(series / 5) <= 0.05 + 0.085)
  }
}
