// Which rows a run sets out to compare, declared with its plan: every claim that a report makes is one of these, and the
// correction is for all of them, made or not.

/// A row of every table: a model, or a labelled variant of one.
public struct RowName: Sendable, Codable, Hashable, CustomStringConvertible {
  public var model: String
  public var variant: String?

  public init(model: String, variant: String?) {
    self.model = model
    self.variant = variant
  }

  public init(_ planned: PlannedModel) { self.init(model: planned.name, variant: planned.variant) }

  /// `async-loop`, or with a variant `async-loop (gather)`.
  public var description: String { variant.map { "\(model) (\($0))" } ?? model }
}

/// Two rows that are compared: head is judged against base.
public struct ClaimPair: Sendable, Codable, Hashable {
  public var base: RowName
  public var head: RowName

  public init(base: RowName, head: RowName) {
    self.base = base
    self.head = head
  }

  /// Every two rows that differ in one thing, the model or the variant: of two that differ in both nobody could say
  /// which of them made the difference, and each pair makes all other claims harder.
  public static func all(among models: [PlannedModel]) -> [ClaimPair] {
    models.enumerated().flatMap { index, base in
      models[(index + 1)...].compactMap { head in
        (base.name == head.name) == (base.variant == head.variant)
          ? nil : ClaimPair(base: RowName(base), head: RowName(head))
      }
    }
  }
}

/// One comparison that was declared: a headline metric of a case, for a pair of rows.
public struct DeclaredClaim: Sendable, Hashable {
  public let `case`: String
  /// As in ``ClaimFamily``.
  public let metric: String
  public let pair: ClaimPair

  public init(case: String, metric: String, pair: ClaimPair) {
    self.case = `case`
    self.metric = metric
    self.pair = pair
  }
}

extension Plan {
  /// As declared; in plans from before pairs were, what would be declared today.
  public var declaredPairs: [ClaimPair] { pairs ?? ClaimPair.all(among: models) }
}

extension Run {
  /// The family of a workload: the claims that are corrected together, in the order of declaration.
  ///
  /// A row that declines a case is in no pair there: that is known before the first trial, and says nothing of figures.
  /// A row whose trials fail is in all of its pairs.
  public func declaredClaims(of workload: String) -> [DeclaredClaim] {
    plan.families.filter { $0.workload == workload }.flatMap { headline in
      let declining = Set(
        plan.models.map { RowName($0) }.filter { declines(headline.case, $0) })
      return plan.declaredPairs.filter { !declining.contains($0.base) && !declining.contains($0.head) }
        .map { DeclaredClaim(case: headline.case, metric: headline.metric, pair: $0) }
    }
  }

  private func declines(_ name: String, _ row: RowName) -> Bool {
    let own = trials.filter { $0.case == name && $0.model == row.model && $0.variant == row.variant }
    return own.contains { $0.state == .unsupported }
      && own.allSatisfy { $0.state == .unsupported || $0.state == .voided }
  }
}
