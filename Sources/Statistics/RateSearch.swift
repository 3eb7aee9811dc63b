// The highest rate that is sustained: which rate to try next. Pure: told how each trial ended, it says at which rate the
// next one runs, so that several searches can take turns, and tests can run thousands of them.
//
//     bracketing   doubling from a modest rate (halving, if that is missed), then the middle of the bracket on a
//                  logarithmic scale, until its ends are within 5 %. At each rate the first verdict that comes twice
//                  counts, so that one disturbed trial in three does not send the search astray.
//     staircase    from the bracket's lower end: one step up after a trial that was sustained, one down after one that was
//                  not, a fixed number of trials (Dixon and Mood, "A method for obtaining and analyzing sensitivity
//                  data", Journal of the American Statistical Association 43(241), 1948). It gathers trials where half of
//                  them pass, wherever a lucky bracket may lie, and its step is the bracket's.
//
// Estimate and interval then come from all trials of both stages (``PassingThreshold``).

import Glibc

/// The search for one model.
public struct RateSearch: Sendable {
  /// How a trial at a rate ended.
  public enum Outcome: Sendable, Hashable {
    case sustained
    case missed
    /// It cannot be told, since the load generator was at its own limit: higher rates will not tell either.
    case rigLimit
    /// It cannot be told, and another trial may.
    case void
  }

  /// Why no more trials are needed.
  public enum Ending: Sendable, Hashable {
    /// The threshold lies within the rates tried.
    case found
    /// Not even the lowest rate is sustained.
    case belowLowest
    /// The highest rate is.
    case aboveHighest
    /// Above the rates that are sustained lie only those at which the load generator is at its own limit.
    case rigLimit
    /// Too many trials in a row were void.
    case unsettled
  }

  /// Declared before the first trial.
  public struct Settings: Sendable, Hashable {
    /// Where to begin, and the rates that may be tried; operations per second.
    public var start: Double
    public var lowest: Double
    public var highest: Double
    /// The bracket is narrow enough when its ends' ratio is at most this.
    public var ratio: Double
    /// Equal verdicts that decide over a rate: 2 is the majority of 3.
    public var majority: Int
    public var staircaseTrials: Int
    /// Void trials in a row after which the next one ends the search.
    public var toleratedVoids: Int

    /// - Precondition: 0 < lowest ≤ start ≤ highest, the ratio is at least 1.01, and the counts are positive.
    public init(
      start: Double, lowest: Double, highest: Double, ratio: Double = 1.05, majority: Int = 2,
      staircaseTrials: Int = 12, toleratedVoids: Int = 5
    ) {
      precondition(lowest > 0 && lowest <= start && start <= highest && highest.isFinite, "lowest ≤ start ≤ highest")
      precondition(ratio >= 1.01, "rates are rounded to a thousandth: a finer bracket could not be halved")
      precondition(majority > 0 && staircaseTrials > 0 && toleratedVoids >= 0, "counts are positive")
      self.start = start
      self.lowest = lowest
      self.highest = highest
      self.ratio = ratio
      self.majority = majority
      self.staircaseTrials = staircaseTrials
      self.toleratedVoids = toleratedVoids
    }
  }

  private struct Staircase {
    var origin: Double
    var ratio: Double
    /// Steps above the origin.
    var position = 0
    var left: Int
  }

  public let settings: Settings
  public private(set) var trials: [(rate: Double, outcome: Outcome)] = []
  /// Nil while there is more to try.
  public private(set) var ending: Ending?
  /// The bracket: the highest rate decided to be sustained, the lowest decided to be missed.
  public private(set) var sustained: Double?
  public private(set) var missed: Double?
  /// The lowest rate at which the load generator was at its limit: in bracketing by its decision, later where it was so
  /// as often as a decision needs, and no less often than either verdict on the model.
  public private(set) var rigLimit: Double?
  private var rate: Double
  private var votes: [Outcome: Int] = [:]
  private var voidsInARow = 0
  private var staircase: Staircase?

  public init(_ settings: Settings) {
    self.settings = settings
    rate = settings.start
  }

  /// The rate of the next trial; nil at the end.
  public var nextRate: Double? { ending == nil ? rate : nil }

  /// Takes the outcome of a trial at ``nextRate``.
  /// - Precondition: the search has not ended.
  public mutating func record(_ outcome: Outcome) {
    precondition(ending == nil, "a search that has ended takes no more trials")
    trials.append((rate, outcome))
    guard outcome != .void else {
      voidsInARow += 1
      if voidsInARow > settings.toleratedVoids { ending = .unsettled }
      return
    }
    voidsInARow = 0
    if staircase != nil { return climbOrDescend(outcome) }
    votes[outcome, default: 0] += 1
    guard votes[outcome] == settings.majority else { return }
    votes = [:]
    decide(outcome)
  }

  /// Estimate and interval of the rate at which half of the trials are sustained, from those that tell.
  public func threshold(level: Double = 0.95) -> PassingThreshold {
    PassingThreshold(
      trials.compactMap { trial -> (rate: Double, passes: Bool)? in
        switch trial.outcome {
        case .sustained: (trial.rate, true)
        case .missed: (trial.rate, false)
        case .rigLimit, .void: nil
        }
      }, level: level)
  }

  // MARK: - Bracketing

  private var upper: Double? { [missed, rigLimit].compactMap { $0 }.min() }

  private mutating func decide(_ verdict: Outcome) {
    switch verdict {
    case .sustained: sustained = rate
    case .missed: missed = rate
    case .rigLimit: rigLimit = rate
    case .void: preconditionFailure("void trials decide nothing")
    }
    switch (sustained, upper) {
    case (nil, _):
      if rate > settings.lowest {
        rate = max(settings.lowest, Self.rounded(rate / 2))
      } else {
        ending = missed == nil ? .rigLimit : .belowLowest
      }
    case (let low?, nil):
      if low < settings.highest {
        rate = min(settings.highest, Self.rounded(low * 2))
      } else {
        ending = .aboveHighest
      }
    case (let low?, let high?):
      if high / low > settings.ratio {
        rate = Self.rounded((low * high).squareRoot())
      } else if missed == high {
        staircase = Staircase(origin: low, ratio: high / low, left: settings.staircaseTrials)
        rate = low
      } else {
        ending = .rigLimit
      }
    }
  }

  /// Four digits: rates that people read and type, and that are equal where they are meant to be.
  static func rounded(_ rate: Double) -> Double {
    let decimals = 3 - floor(log10(rate))
    // By whole powers of ten, which are exact.
    let scale = pow(10, abs(decimals))
    return decimals >= 0 ? (rate * scale).rounded() / scale : (rate / scale).rounded() * scale
  }

  // MARK: - Staircase

  private mutating func climbOrDescend(_ outcome: Outcome) {
    guard var stairs = staircase else { preconditionFailure("there is no staircase yet") }
    if outcome == .rigLimit, isAtRigLimit(rate) { rigLimit = min(rigLimit ?? rate, rate) }
    stairs.left -= 1
    let position = stairs.position + (outcome == .sustained ? 1 : -1)
    let next = Self.rounded(stairs.origin * pow(stairs.ratio, Double(position)))
    // At either end of the rates that may be tried it stays where it is.
    if (settings.lowest...settings.highest).contains(next) {
      stairs.position = position
      rate = next
    }
    staircase = stairs
    if stairs.left == 0 { ending = .found }
  }

  private func isAtRigLimit(_ rate: Double) -> Bool {
    func count(_ outcome: Outcome) -> Int { trials.count { $0.rate == rate && $0.outcome == outcome } }
    return count(.rigLimit) >= max(settings.majority, count(.missed), count(.sustained))
  }

  // MARK: - How long it takes

  /// Rates are tried this often in the mean: twice, or three times where the first two differ.
  private static let trialsPerRate = 2.2
  /// How far above its start a search is expected to end.
  private static let expectedClimb = 12.0

  /// Trials to come, about.
  public var expectedTrialsLeft: Int {
    guard ending == nil else { return 0 }
    if let staircase { return staircase.left }
    var rates: Double
    let width: Double
    if let sustained, let upper {
      rates = 0
      width = upper / sustained
    } else {
      let end = min(settings.highest, settings.start * Self.expectedClimb)
      rates = max(1, log2(end / (sustained ?? settings.start / 2)).rounded(.up))
      width = 2
    }
    rates += max(0, log2(log(width) / log(settings.ratio)).rounded(.up))
    return Int((rates * Self.trialsPerRate).rounded(.up)) + settings.staircaseTrials
  }
}
