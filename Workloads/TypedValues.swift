// Reading a workload's parameters by their types, after they have been checked against its contract.

/// All parameters of one workload, checked. A name or type that the workload does not have is our own mistake and traps.
struct TypedValues {
  private let values: [String: ParameterValue]

  /// - Parameter changes: values by name; what is missing takes its default.
  /// - Throws: ``ParameterError`` for an unknown name or a value out of range.
  init(_ workload: Workload, _ changes: [String: ParameterValue]) throws(ParameterError) {
    values = try workload.values(changes)
  }

  func integer(_ name: String) -> Int {
    guard case .integer(let value)? = values[name] else { preconditionFailure("\(name) is an integer") }
    return value
  }

  func number(_ name: String) -> Double {
    guard case .number(let value)? = values[name] else { preconditionFailure("\(name) is a number") }
    return value
  }

  func text(_ name: String) -> String {
    guard case .text(let value)? = values[name] else { preconditionFailure("\(name) is a text") }
    return value
  }
}
