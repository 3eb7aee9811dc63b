// Correction for asking several questions at once.

/// Holm's step-down correction: p values adjusted so that each may be compared with the family's level. The probability
/// of any false claim in the family is at most that level, whichever way the tests depend on each other; never weaker
/// than Bonferroni's.
///
/// Source: Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6(2),
/// 1979; adjusted values as in Wright, "Adjusted p-values for simultaneous inference", Biometrics 48(4), 1992.
/// - Parameter p: one per claim declared, in any order; 1 for one that could not be tested.
/// - Returns: adjusted values in the same order.
/// - Precondition: all lie within 0 ... 1.
public func holmAdjusted(_ p: [Double]) -> [Double] {
  precondition(p.allSatisfy { (0...1).contains($0) }, "p values lie within 0 ... 1")
  var adjusted = p
  var largest = 0.0
  for (position, index) in p.indices.sorted(by: { p[$0] < p[$1] }).enumerated() {
    largest = max(largest, min(1, p[index] * Double(p.count - position)))
    adjusted[index] = largest
  }
  return adjusted
}
