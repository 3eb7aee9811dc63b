// Whether to add a round: by the widths of the intervals and the time alone.
//
// Which model is ahead, and whether a test would say so, is not looked at: a run that stopped at the first significant
// difference would find one sooner or later. To stop at a width is milder, but not free: it favours rounds that happen
// to lie close together, so that intervals cover less than their level says, the more so the fewer rounds there are
// (Chow and Robbins, "On the asymptotic theory of fixed-width sequential confidence intervals for the mean", Annals of
// Mathematical Statistics 36(2), 1965). The rounds of the preset are run in any case, for that reason among others.

import Glibc
import ResultFormat
import Statistics

/// How wide one headline figure's interval is.
enum Reach: Hashable {
  case known(Double)
  /// More rounds will tell.
  case notYet(String)
  /// No number of rounds will.
  case never(String)

  /// - Parameters:
  ///   - values: one for each trial that gave one.
  ///   - trials: finished ones, those included that gave none.
  init(_ values: [Double], trials: Int, level: Double) {
    guard let spread = Spread(values.filter(\.isFinite), level: level) else {
      let reason = "no value in \(trials) round\(trials == 1 ? "" : "s")"
      self = trials >= Spread.roundsForInterval ? .never(reason) : .notYet(reason)
      return
    }
    switch spread.interval {
    // The centre of an interval on logarithms is the geometric mean of its ends.
    case .success(let interval): self = .known((interval.high / interval.low).squareRoot() - 1)
    case .failure(.notPositive(let value)): self = .never("\(NoInterval.notPositive(value))")
    case .failure(let tooFew):
      // Values are never taken away: one without a logarithm rules the interval out for good.
      let spoiler = values.first { $0 <= 0 }
      self = spoiler.map { .never("\(NoInterval.notPositive($0))") } ?? .notYet("\(tooFew)")
    }
  }
}

extension PrecisionGoal {
  enum Decision: Hashable {
    case addRound
    case end(PrecisionOutcome)
  }

  /// More than these would be no measurement but a mistake.
  static let mostRounds = 10_000

  /// What to do after a round.
  /// - Parameters:
  ///   - run: all trials of its plan are finished.
  ///   - spentSeconds: what they took.
  func decide(_ run: Run, spentSeconds: Double) -> Decision {
    let figures = self.figures(of: run)
    let unreached = figures.compactMap { self.unreached($0.figure, $0.reach) }
    let canNarrow = figures.contains { isOpen($0.reach) }
    func end(_ ending: PrecisionOutcome.Ending) -> Decision {
      .end(PrecisionOutcome(ending: ending, figures: figures.count, unreached: unreached))
    }
    guard canNarrow else { return end(.reached) }
    guard run.plan.rounds < Self.mostRounds else { return end(.rounds) }
    let roundSeconds = spentSeconds / Double(run.plan.rounds)
    return spentSeconds + roundSeconds > maximumSeconds ? end(.time) : .addRound
  }

  private func isOpen(_ found: Reach) -> Bool {
    switch found {
    case .known(let width): width > reach
    case .notYet: true
    case .never: false
    }
  }

  private func unreached(_ figure: UnreachedFigure, _ found: Reach) -> UnreachedFigure? {
    var figure = figure
    switch found {
    case .known(let width):
      guard width > reach else { return nil }
      figure.reach = width
    case .notYet(let reason), .never(let reason): figure.reason = reason
    }
    return figure
  }

  /// Every headline metric of every (case, model) that does the workload.
  private func figures(of run: Run) -> [(figure: UnreachedFigure, reach: Reach)] {
    run.plan.families.flatMap { family in
      run.plan.models.compactMap { model in
        let trials = run.trials.filter {
          $0.case == family.case && $0.model == model.name && $0.variant == model.variant
        }
        guard trials.contains(where: { $0.state != .unsupported }) else { return nil }
        let values = trials.compactMap { $0.figures?.value(of: family.metric) }
        let figure = UnreachedFigure(
          case: family.case, model: model.name, variant: model.variant, metric: family.metric, rounds: values.count,
          reach: nil, reason: nil)
        return (figure, Reach(values, trials: trials.count, level: level))
      }
    }
  }
}
